/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"

static LoopFdCallback *
fd_callback_new (const LoopFdClaim *claim, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  LoopFdCallback *self = g_new (LoopFdCallback, 1);

  *self = (LoopFdCallback) {
    .claim = claim, .callback = callback, .user_data = user_data, .notify = notify, .ref_count = 1
  };

  return self;
}

static void
fd_callback_unref (LoopFdCallback *self)
{
  if (self == NULL || --self->ref_count > 0)
    return;

  loop_destroy_user_data (self->user_data, self->notify);
  g_free (self);
}

static void
fd_callback_run (LoopFdCallback *self)
{
  self->ref_count++;
  if (self->claim != NULL)
    self->claim->ready (self->user_data);
  else
    self->callback (self->user_data);
  fd_callback_unref (self);
}

/*
 * Drops a callback that will not be called any more, and was not removed: a claim is told.
 * @error is NULL when the loop was closed.
 *
 * Returns: whether it was one of the user's
 */
static gboolean
fd_callback_drop (LoopFdCallback *self, const GError *error)
{
  gboolean is_users = self != NULL && self->claim == NULL;

  if (self != NULL && self->claim != NULL && error != NULL)
    self->claim->failed (self->user_data, error);
  else if (self != NULL && self->claim != NULL)
    self->claim->closed (self->user_data);
  fd_callback_unref (self);

  return is_users;
}

static void
fd_watch_unref (LoopFdWatch *self)
{
  if (--self->ref_count > 0)
    return;

  loop_event_loop_untrace (self->loop, self->watch.id);
  g_free (self);
}

static void
fd_watch_readable (LoopWatch *watch)
{
  LoopFdWatch *self = (LoopFdWatch *) watch;

  self->ref_count++;
  fd_callback_run (self->reader);
}

static void
fd_watch_writable (LoopWatch *watch)
{
  LoopFdWatch *self = (LoopFdWatch *) watch;

  self->ref_count++;
  fd_callback_run (self->writer);
}

static void
fd_watch_done (LoopWatch *watch)
{
  fd_watch_unref ((LoopFdWatch *) watch);
}

/* Forgets the callbacks; their notifies are user code, so this is for outside the guard. Returns: whether the user had some */
static gboolean
fd_watch_drop_callbacks (LoopFdWatch *self, const GError *error)
{
  LoopFdCallback *reader;
  LoopFdCallback *writer;

  loop_event_loop_enter (self->loop);
  reader = g_steal_pointer (&self->reader);
  writer = g_steal_pointer (&self->writer);
  loop_event_loop_leave (self->loop);

  return fd_callback_drop (reader, error) | fd_callback_drop (writer, error);
}

static void
fd_watch_closed (LoopWatch *watch)
{
  LoopFdWatch *self = (LoopFdWatch *) watch;

  fd_watch_drop_callbacks (self, NULL);
  fd_watch_unref (self);
}

static void
fd_watch_failed (LoopWatch *watch, GError *error)
{
  LoopFdWatch *self = (LoopFdWatch *) watch;
  LoopEventLoop *loop = self->loop;
  gboolean is_wanted;

  self->ref_count++;
  loop_event_loop_enter (loop);
  loop_poller_remove (&loop->poller, watch);
  loop_event_loop_leave (loop);

  is_wanted = fd_watch_drop_callbacks (self, error);
  fd_watch_unref (self);
  /* Otherwise nobody of the user's watches any more, and the poller was about to be told. */
  if (is_wanted)
    loop_event_loop_report (loop, loop_exception_context_new ("Watching a file descriptor failed", error));
}

static void
fd_watch_idle (LoopWatch *watch)
{
  LoopFdWatch *self = (LoopFdWatch *) watch;

  loop_poller_remove (&self->loop->poller, watch);
  fd_watch_unref (self);
}

static void
fd_watch_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  const LoopFdWatch *self = (const LoopFdWatch *) watch;
  const LoopFdCallback *callback = is_writer ? self->writer : self->reader;

  description->id = watch->id;
  description->kind = is_writer ? "writer" : "reader";
  description->fd = watch->fd;
  if (callback == NULL)
    return;

  description->name = callback->claim != NULL ? callback->claim->name : callback->name;
  description->function = (gpointer) callback->callback;
}

const LoopWatchClass loop_fd_watch_class = {
  .readable = fd_watch_readable,
  .writable = fd_watch_writable,
  .failed = fd_watch_failed,
  .closed = fd_watch_closed,
  .done = fd_watch_done,
  .idle = fd_watch_idle,
  .describe = fd_watch_describe,
};

static LoopFdCallback **
get_place (LoopFdWatch *watch, guint8 interest)
{
  return interest == LOOP_INTEREST_READ ? &watch->reader : &watch->writer;
}

static LoopFdWatch *
find_fd_watch (LoopEventLoop *self, int fd)
{
  LoopWatch *watch = loop_poller_lookup (&self->poller, fd);

  return watch != NULL && watch->klass == &loop_fd_watch_class ? (LoopFdWatch *) watch : NULL;
}

static LoopFdWatch *
start_watching (LoopEventLoop *self, int fd, guint8 interest, GError **error)
{
  LoopFdWatch *watch = g_new0 (LoopFdWatch, 1);

  watch->loop = self;
  watch->ref_count = 1;
  loop_watch_init (&watch->watch, &loop_fd_watch_class, loop_event_loop_next_id (self));

  if (!loop_poller_add (&self->poller, &watch->watch, fd, interest, error))
    g_clear_pointer (&watch, fd_watch_unref);

  return watch;
}

static GError *
make_closed_error (int fd)
{
  return g_error_new (G_IO_ERROR, G_IO_ERROR_CLOSED,
                      "File descriptor %d was closed while it was watched; remove its reader and writer first", fd);
}

/*
 * Makes way for a new descriptor: a watch of the same number is that of a file that was
 * closed without a word.
 */
void
loop_fd_watcher_evict (LoopEventLoop *self, int fd)
{
  LoopFdWatch *watch = find_fd_watch (self, fd);
  g_autoptr (GError) error = NULL;

  if (watch == NULL)
    return;

  error = make_closed_error (fd);
  fd_watch_failed (&watch->watch, error);
  fd_watch_unref (watch);
}

static gboolean
check_class (const LoopWatch *watch, int fd, GError **error)
{
  if (watch == NULL || watch->klass == &loop_fd_watch_class)
    return TRUE;

  g_set_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE, "File descriptor %d is used by a transport or a server",
               fd);

  return FALSE;
}

/* A callback of the user's gives way to another one only. */
static gboolean
check_replacement (const LoopFdCallback *old_callback, const LoopFdCallback *new_callback, int fd, GError **error)
{
  if (old_callback == NULL || (old_callback->claim == NULL && new_callback->claim == NULL))
    return TRUE;

  if (old_callback->claim != NULL)
    g_set_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE, "File descriptor %d is waited for by a %s", fd,
                 old_callback->claim->name);
  else
    g_set_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                 "File descriptor %d is watched by a callback of the same direction", fd);

  return FALSE;
}

/*
 * Finds out whose the watch of a number is, and makes it that of the file that has it now.
 * Takes from it what was meant for an earlier file.
 */
static gboolean
verify (LoopEventLoop *self,
        LoopFdWatch *watch,
        guint8 interest,
        const LoopFdCallback *new_callback,
        LoopFdCallback **stranded,
        GError **error)
{
  LoopFdCallback **same = get_place (watch, interest);
  LoopFdCallback **other = same == &watch->reader ? &watch->writer : &watch->reader;
  gboolean is_other_file = FALSE;

  if (!loop_poller_verify (&self->poller, &watch->watch, interest, &is_other_file, error))
    return FALSE;

  if (is_other_file)
    {
      stranded[0] = g_steal_pointer (other);
      if (*same != NULL && (*same)->claim != NULL)
        stranded[1] = g_steal_pointer (same);
      return TRUE;
    }

  return check_replacement (*same, new_callback, watch->watch.fd, error);
}

static void
drop_stranded (LoopEventLoop *self, int fd, LoopFdCallback **stranded)
{
  g_autoptr (GError) error = NULL;

  if (stranded[0] == NULL && stranded[1] == NULL)
    return;

  error = make_closed_error (fd);
  if (fd_callback_drop (stranded[0], error) | fd_callback_drop (stranded[1], error))
    loop_event_loop_report (self, loop_exception_context_new ("Watching a file descriptor failed", error));
}

/* Takes @new_callback. */
static gboolean
add_callback (LoopEventLoop *self, int fd, guint8 interest, LoopFdCallback *new_callback, GError **error)
{
  LoopFdCallback *old_callback = NULL;
  LoopFdCallback *stranded[2] = { NULL, NULL };
  LoopWatch *watch;
  LoopFdWatch *fd_watch = NULL;

  if (!loop_event_loop_check_usable (self, error))
    {
      fd_callback_unref (new_callback);
      return FALSE;
    }

  loop_event_loop_enter (self);
  watch = loop_poller_lookup (&self->poller, fd);

  if (fd < 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Invalid file descriptor %d", fd);
  else if (watch == NULL)
    fd_watch = start_watching (self, fd, interest, error);
  else if (check_class (watch, fd, error) &&
           verify (self, (LoopFdWatch *) watch, interest, new_callback, stranded, error))
    fd_watch = (LoopFdWatch *) watch;

  if (fd_watch != NULL)
    {
      LoopFdCallback **place = get_place (fd_watch, interest);
      LoopReadyItem *item = interest == LOOP_INTEREST_READ ? &fd_watch->watch.reader : &fd_watch->watch.writer;

      /* An event that waits for the callback that is replaced is not the new one's. */
      if (loop_ready_item_is_queued (item))
        loop_ready_item_unqueue (item);

      old_callback = *place;
      *place = new_callback;
    }
  loop_event_loop_leave (self);

  if (fd_watch != NULL)
    loop_event_loop_trace (self, fd_watch->watch.id);
  fd_callback_unref (fd_watch != NULL ? old_callback : new_callback);
  drop_stranded (self, fd, stranded);

  return fd_watch != NULL;
}

gboolean
loop_fd_watcher_claim (LoopEventLoop *self,
                       int fd,
                       guint8 interest,
                       const LoopFdClaim *claim,
                       gpointer owner,
                       GError **error)
{
  return add_callback (self, fd, interest, fd_callback_new (claim, NULL, owner, NULL), error);
}

/* Nobody waits any more: at once, for whoever has waited may close the descriptor next. With the guard. */
static void
stop_watching (LoopEventLoop *self, LoopFdWatch *watch)
{
  loop_poller_remove (&self->poller, &watch->watch);
  fd_watch_unref (watch);
}

/* Those of an earlier file of that number, which was closed without a word, are told so now. */
gpointer
loop_fd_watcher_lookup_claim (LoopEventLoop *self, int fd, guint8 interest, const LoopFdClaim *claim)
{
  LoopFdCallback *stranded[2] = { NULL, NULL };
  LoopFdCallback *callback = NULL;
  gboolean is_other_file = FALSE;
  gpointer owner = NULL;
  LoopFdWatch *watch;

  loop_event_loop_enter (self);
  watch = find_fd_watch (self, fd);
  if (watch != NULL)
    callback = *get_place (watch, interest);
  if (callback != NULL && callback->claim == claim &&
      loop_poller_verify (&self->poller, &watch->watch, interest, &is_other_file, NULL))
    owner = callback->user_data;

  if (is_other_file)
    {
      stranded[0] = g_steal_pointer (&watch->reader);
      stranded[1] = g_steal_pointer (&watch->writer);
      stop_watching (self, watch);
    }
  loop_event_loop_leave (self);

  drop_stranded (self, fd, stranded);

  return is_other_file ? NULL : owner;
}

void
loop_fd_watcher_unclaim (LoopEventLoop *self, int fd, guint8 interest)
{
  LoopFdWatch *watch;
  LoopFdCallback *callback;

  loop_event_loop_enter (self);
  watch = find_fd_watch (self, fd);
  callback = g_steal_pointer (get_place (watch, interest));
  g_assert (callback->claim != NULL);

  if (watch->reader != NULL || watch->writer != NULL)
    loop_poller_set_interest (&self->poller, &watch->watch, watch->watch.wanted & ~interest);
  else
    stop_watching (self, watch);
  loop_event_loop_leave (self);

  fd_callback_unref (callback);
}

gboolean
loop_fd_watcher_check_free (LoopEventLoop *self, int fd, GError **error)
{
  return check_class (loop_poller_lookup (&self->poller, fd), fd, error);
}

static gboolean
remove_callback (LoopEventLoop *self, int fd, guint8 interest)
{
  LoopFdWatch *watch;
  LoopFdCallback *callback = NULL;

  if (self->is_closed)
    return FALSE;

  loop_event_loop_enter (self);
  watch = find_fd_watch (self, fd);
  if (watch != NULL)
    {
      LoopFdCallback **place = get_place (watch, interest);

      if (*place != NULL && (*place)->claim == NULL)
        callback = g_steal_pointer (place);
      if (callback != NULL)
        loop_poller_set_interest (&self->poller, &watch->watch, watch->watch.wanted & ~interest);
    }
  loop_event_loop_leave (self);

  if (callback == NULL)
    return FALSE;

  fd_callback_unref (callback);

  return TRUE;
}

static void
name_callback (LoopEventLoop *self, int fd, guint8 interest, const char *name)
{
  LoopFdWatch *watch;
  LoopFdCallback *callback;

  if (self->is_closed)
    return;

  loop_event_loop_enter (self);
  watch = find_fd_watch (self, fd);
  callback = watch != NULL ? *get_place (watch, interest) : NULL;
  if (callback != NULL && callback->claim == NULL)
    callback->name = name;
  loop_event_loop_leave (self);
}

/**
 * loop_event_loop_add_reader_full: (rename-to loop_event_loop_add_reader)
 * @self: an event loop
 * @fd: a file descriptor that can be polled: not a regular file
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data when the callback is removed or replaced
 * @error: return location for an error
 *
 * Calls @callback in each iteration in which @fd can be read: there is data, the end of
 * the file, a hang-up or an error. A callback that was there before for reading @fd is
 * replaced. Remove it before closing @fd.
 *
 * Returns: %TRUE, or %FALSE with an I/O error when @fd is not open or cannot be polled,
 *   or with %LOOP_ERROR_DESCRIPTOR_IN_USE when a transport has it, or an operation such as
 *   [method@EventLoop.sock_recv] waits for it
 */
gboolean
loop_event_loop_add_reader_full (LoopEventLoop *self,
                                 int fd,
                                 LoopCallback callback,
                                 gpointer user_data,
                                 GDestroyNotify notify,
                                 GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (callback != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return add_callback (self, fd, LOOP_INTEREST_READ, fd_callback_new (NULL, callback, user_data, notify), error);
}

/**
 * loop_event_loop_add_reader:
 * @self: an event loop
 * @fd: a file descriptor
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data when the callback is removed or replaced
 *
 * As [method@EventLoop.add_reader_full], with a critical message in the place of the
 * error.
 *
 * Returns: %TRUE if @fd is watched
 */
gboolean
loop_event_loop_add_reader (LoopEventLoop *self,
                            int fd,
                            LoopCallback callback,
                            gpointer user_data,
                            GDestroyNotify notify)
{
  GError *error = NULL;

  if (loop_event_loop_add_reader_full (self, fd, callback, user_data, notify, &error))
    return TRUE;

  if (error != NULL)
    loop_report_misuse (G_STRFUNC, error);

  return FALSE;
}

/**
 * loop_event_loop_name_reader: (skip)
 * @self: an event loop
 * @fd: a file descriptor
 * @name: (nullable): a name, which stays valid for as long as the process lives
 *
 * Gives the callback that watches @fd for reading a name, which inspectors show in the place
 * of its function. If there is none, nothing happens.
 */
void
loop_event_loop_name_reader (LoopEventLoop *self, int fd, const char *name)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  name_callback (self, fd, LOOP_INTEREST_READ, name);
}

/**
 * loop_event_loop_remove_reader:
 * @self: an event loop
 * @fd: a file descriptor
 *
 * Stops watching @fd for reading.
 *
 * Returns: %TRUE if it was watched
 */
gboolean
loop_event_loop_remove_reader (LoopEventLoop *self, int fd)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return remove_callback (self, fd, LOOP_INTEREST_READ);
}

/**
 * loop_event_loop_add_writer_full: (rename-to loop_event_loop_add_writer)
 * @self: an event loop
 * @fd: a file descriptor that can be polled: not a regular file
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data when the callback is removed or replaced
 * @error: return location for an error
 *
 * Calls @callback in each iteration in which @fd can be written. See
 * [method@EventLoop.add_reader].
 *
 * Returns: %TRUE, or %FALSE with an error as for [method@EventLoop.add_reader]
 */
gboolean
loop_event_loop_add_writer_full (LoopEventLoop *self,
                                 int fd,
                                 LoopCallback callback,
                                 gpointer user_data,
                                 GDestroyNotify notify,
                                 GError **error)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (callback != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return add_callback (self, fd, LOOP_INTEREST_WRITE, fd_callback_new (NULL, callback, user_data, notify), error);
}

/**
 * loop_event_loop_add_writer:
 * @self: an event loop
 * @fd: a file descriptor
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data when the callback is removed or replaced
 *
 * As [method@EventLoop.add_writer_full], with a critical message in the place of the
 * error.
 *
 * Returns: %TRUE if @fd is watched
 */
gboolean
loop_event_loop_add_writer (LoopEventLoop *self,
                            int fd,
                            LoopCallback callback,
                            gpointer user_data,
                            GDestroyNotify notify)
{
  GError *error = NULL;

  if (loop_event_loop_add_writer_full (self, fd, callback, user_data, notify, &error))
    return TRUE;

  if (error != NULL)
    loop_report_misuse (G_STRFUNC, error);

  return FALSE;
}

/**
 * loop_event_loop_name_writer: (skip)
 * @self: an event loop
 * @fd: a file descriptor
 * @name: (nullable): a name, which stays valid for as long as the process lives
 *
 * Gives the callback that watches @fd for writing a name, which inspectors show in the place
 * of its function. If there is none, nothing happens.
 */
void
loop_event_loop_name_writer (LoopEventLoop *self, int fd, const char *name)
{
  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  name_callback (self, fd, LOOP_INTEREST_WRITE, name);
}

/**
 * loop_event_loop_remove_writer:
 * @self: an event loop
 * @fd: a file descriptor
 *
 * Stops watching @fd for writing.
 *
 * Returns: %TRUE if it was watched
 */
gboolean
loop_event_loop_remove_writer (LoopEventLoop *self, int fd)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return remove_callback (self, fd, LOOP_INTEREST_WRITE);
}
