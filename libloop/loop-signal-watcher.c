/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-signal-watcher-private.h"

#include "loop-fd-watcher-private.h"
#include "loop-signal-action-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void
signal_handler_unref (LoopSignalHandler *self)
{
  if (self == NULL || --self->ref_count > 0)
    return;

  loop_destroy_user_data (self->user_data, self->notify);
  g_free (self);
}

static void
signal_handler_run (LoopWatch *watch)
{
  LoopSignalHandler *self = (LoopSignalHandler *) watch;

  /* Once for each signal, and others have their turn in between. */
  loop_event_loop_enter (self->loop);
  self->ref_count++;
  self->n_pending--;
  if (self->n_pending > 0)
    loop_ready_queue_push (&self->loop->ready, &self->watch.reader);
  loop_event_loop_leave (self->loop);

  self->callback (self->user_data);
}

static void
signal_handler_done (LoopWatch *watch)
{
  signal_handler_unref ((LoopSignalHandler *) watch);
}

static void
signal_handler_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  const LoopSignalHandler *self = (const LoopSignalHandler *) watch;

  description->id = watch->id;
  description->kind = "signal";
  description->name = self->name;
  description->function = (gpointer) self->callback;
}

/* What is never polled can neither fail nor be closed by the poller. */
static const LoopWatchClass signal_handler_class = {
  .readable = signal_handler_run,
  .done = signal_handler_done,
  .describe = signal_handler_describe,
};

static LoopSignalHandler *
signal_handler_new (LoopEventLoop *loop, int signum, LoopCallback callback, gpointer user_data, GDestroyNotify notify)
{
  LoopSignalHandler *self = g_new0 (LoopSignalHandler, 1);

  loop_watch_init (&self->watch, &signal_handler_class, loop_event_loop_next_id (loop));
  self->loop = loop;
  self->name = loop_signal_get_name (signum);
  self->signum = signum;
  self->callback = callback;
  self->user_data = user_data;
  self->notify = notify;
  self->ref_count = 1;

  return self;
}

/* The loop's thread sees what was caught. */
static void
signal_watcher_readable (LoopWatch *watch)
{
  LoopSignalWatcher *self = (LoopSignalWatcher *) watch;
  guint64 count;
  gssize n_read G_GNUC_UNUSED;

  /* First this: a signal that is caught from here on makes it readable again. */
  n_read = read (watch->fd, &count, sizeof count);

  loop_event_loop_enter (self->loop);
  for (int signum = 1; signum < NSIG; signum++)
    {
      LoopSignalHandler *handler = self->handlers[signum];
      guint n_caught;

      if (handler == NULL)
        continue;

      n_caught = loop_signal_take (signum);
      handler->n_caught += n_caught;
      handler->n_pending += n_caught;
      if (handler->n_pending > 0 && !loop_ready_item_is_queued (&handler->watch.reader))
        loop_ready_queue_push (&self->loop->ready, &handler->watch.reader);
    }
  loop_event_loop_leave (self->loop);
}

/* Takes the place of a handler from it, and leaves the signal to whom it belonged before. */
static LoopSignalHandler *
signal_watcher_steal (LoopSignalWatcher *self, int signum)
{
  LoopSignalHandler *handler = self->handlers[signum];

  if (handler == NULL)
    return NULL;

  loop_signal_release (signum, self->loop);

  loop_event_loop_enter (self->loop);
  self->handlers[signum] = NULL;
  self->n_handlers--;
  if (loop_ready_item_is_queued (&handler->watch.reader))
    loop_ready_item_unqueue (&handler->watch.reader);
  loop_event_loop_leave (self->loop);

  return handler;
}

/* Without handlers there is nothing to watch. */
static void
signal_watcher_stop_if_idle (LoopSignalWatcher *self)
{
  int fd = self->watch.fd;

  if (self->n_handlers > 0 || fd < 0)
    return;

  loop_event_loop_enter (self->loop);
  loop_poller_remove (&self->loop->poller, &self->watch);
  loop_event_loop_leave (self->loop);
  close (fd);
}

static void
signal_watcher_steal_all (LoopSignalWatcher *self, LoopSignalHandler **handlers)
{
  for (int signum = 0; signum < NSIG; signum++)
    handlers[signum] = signal_watcher_steal (self, signum);
  signal_watcher_stop_if_idle (self);
}

/* Runs user code. */
static void
drop_handlers (LoopSignalHandler **handlers)
{
  for (int signum = 0; signum < NSIG; signum++)
    signal_handler_unref (handlers[signum]);
}

static void
signal_watcher_failed (LoopWatch *watch, GError *error)
{
  LoopSignalWatcher *self = (LoopSignalWatcher *) watch;
  LoopEventLoop *loop = self->loop;
  LoopExceptionContext *context = loop_exception_context_new ("Watching for signals failed", error);
  LoopSignalHandler *handlers[NSIG];

  signal_watcher_steal_all (self, handlers);
  drop_handlers (handlers);
  loop_event_loop_report (loop, context);
}

static void
signal_watcher_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  description->id = watch->id;
  description->kind = "signals";
  description->name = "add_signal_handler";
  description->fd = watch->fd;
}

static const LoopWatchClass signal_watcher_class = {
  .readable = signal_watcher_readable,
  .failed = signal_watcher_failed,
  .describe = signal_watcher_describe,
};

static void
signal_watcher_closed (LoopCloseHook *hook)
{
  LoopSignalWatcher *self = (LoopSignalWatcher *) ((char *) hook - G_STRUCT_OFFSET (LoopSignalWatcher, hook));
  LoopSignalHandler *handlers[NSIG];

  signal_watcher_steal_all (self, handlers);

  loop_event_loop_enter (self->loop);
  self->loop->signal_watcher = NULL;
  loop_event_loop_leave (self->loop);
  g_free (self);

  drop_handlers (handlers);
}

static LoopSignalWatcher *
ensure_watcher (LoopEventLoop *loop)
{
  LoopSignalWatcher *self = loop->signal_watcher;

  if (self != NULL)
    return self;

  self = g_new0 (LoopSignalWatcher, 1);
  self->loop = loop;
  self->hook.closed = signal_watcher_closed;
  loop_watch_init (&self->watch, &signal_watcher_class, loop_event_loop_next_id (loop));
  loop_event_loop_add_close_hook (loop, &self->hook);

  loop_event_loop_enter (loop);
  loop->signal_watcher = self;
  loop_event_loop_leave (loop);

  return self;
}

/* Gets the loop's watcher, with its eventfd watched. */
static LoopSignalWatcher *
start_watcher (LoopEventLoop *loop, GError **error)
{
  LoopSignalWatcher *self;
  gboolean is_watched;
  int fd;

  if (loop->signal_watcher != NULL && loop->signal_watcher->watch.fd >= 0)
    return loop->signal_watcher;

  fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not create an eventfd");
      return NULL;
    }

  /* It may tell the user of a lost watch, who may then do anything. */
  loop_fd_watcher_evict (loop, fd);
  if (!loop_event_loop_check_open (loop, error))
    {
      close (fd);
      return NULL;
    }

  self = ensure_watcher (loop);
  if (self->watch.fd >= 0)
    {
      close (fd);
      return self;
    }

  loop_event_loop_enter (loop);
  is_watched = loop_poller_add (&loop->poller, &self->watch, fd, LOOP_INTEREST_READ, error);
  loop_event_loop_leave (loop);
  if (!is_watched)
    {
      close (fd);
      return NULL;
    }

  return self;
}

static gboolean
add_handler (LoopEventLoop *loop, LoopSignalHandler *handler, GError **error)
{
  LoopSignalWatcher *watcher = start_watcher (loop, error);
  LoopSignalHandler *replaced;

  if (watcher == NULL)
    return FALSE;

  if (watcher->handlers[handler->signum] == NULL &&
      !loop_signal_claim (handler->signum, loop, watcher->watch.fd, error))
    {
      signal_watcher_stop_if_idle (watcher);
      return FALSE;
    }

  loop_event_loop_enter (loop);
  replaced = watcher->handlers[handler->signum];
  watcher->handlers[handler->signum] = handler;

  if (replaced == NULL)
    {
      watcher->n_handlers++;
    }
  else
    {
      /* Unlike the readiness of a descriptor, a signal does not come again. */
      handler->n_pending = replaced->n_pending;
      handler->n_caught = replaced->n_caught;
      if (loop_ready_item_is_queued (&replaced->watch.reader))
        {
          loop_ready_item_unqueue (&replaced->watch.reader);
          loop_ready_queue_push (&loop->ready, &handler->watch.reader);
        }
    }
  loop_event_loop_leave (loop);

  signal_handler_unref (replaced);

  return TRUE;
}

/**
 * loop_event_loop_add_signal_handler:
 * @self: an event loop
 * @signum: a signal: any that can be caught, real-time signals among them
 * @callback: (scope notified) (closure user_data) (destroy notify): the function to call
 * @user_data: data for @callback
 * @notify: frees @user_data when the callback is removed or replaced
 * @error: return location for an error
 *
 * Calls @callback whenever the process receives a signal. Unlike a signal handler of the
 * C library, it runs on the loop's thread as other callbacks do, and may do whatever
 * they may do. A callback that was there before for this signal is replaced.
 *
 * The callback runs once for each time that the signal was delivered, and none is lost,
 * however many there are. The kernel delivers each real-time signal; of other signals it
 * may deliver one for several that were sent in quick succession.
 *
 * A signal belongs to the whole process, and so only one loop of the process can handle
 * it at a time. What happened on the signal before happens again once the callback is
 * removed or the loop is closed, in child processes after a fork, and when the signal is
 * the fault of an instruction, such as %SIGSEGV, and was not sent. Functions such as
 * `g_unix_signal_add()` set the action of the process too: do not use them for the same
 * signal. Threads in which the signal is blocked are left alone; it has to be unblocked
 * in one thread.
 *
 * This is how a program ends in an orderly manner when it is interrupted or terminated:
 *
 * ```c
 * #include <libloop/loop.h>
 *
 * #include <signal.h>
 * #include <unistd.h>
 *
 * static void
 * ask_exit (gpointer user_data)
 * {
 *   g_print ("got signal %s: exit\n", (const char *) user_data);
 *   loop_event_loop_stop (loop_event_loop_get_running ());
 * }
 *
 * int
 * main (void)
 * {
 *   g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
 *   g_autoptr (GError) error = NULL;
 *
 *   if (!loop_event_loop_add_signal_handler (loop, SIGINT, ask_exit, "SIGINT", NULL, &error) ||
 *       !loop_event_loop_add_signal_handler (loop, SIGTERM, ask_exit, "SIGTERM", NULL, &error))
 *     g_error ("%s", error->message);
 *
 *   g_print ("Event loop running forever, press Ctrl+C to interrupt.\n");
 *   g_print ("pid %d: send SIGINT or SIGTERM to exit.\n", (int) getpid ());
 *   loop_event_loop_run_forever (loop);
 *
 *   return 0;
 * }
 * ```
 *
 * Returns: %TRUE, or %FALSE with %G_IO_ERROR_INVALID_ARGUMENT when there is no such signal
 *   or it cannot be caught, %G_IO_ERROR_EXISTS when another loop handles it,
 *   %LOOP_ERROR_CLOSED, in debug mode %LOOP_ERROR_WRONG_THREAD, or an I/O error
 */
gboolean
loop_event_loop_add_signal_handler (LoopEventLoop *self,
                                    int signum,
                                    LoopCallback callback,
                                    gpointer user_data,
                                    GDestroyNotify notify,
                                    GError **error)
{
  LoopSignalHandler *handler;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);
  g_return_val_if_fail (callback != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!loop_event_loop_check_usable (self, error) || !loop_signal_check (signum, error))
    {
      loop_destroy_user_data (user_data, notify);
      return FALSE;
    }

  handler = signal_handler_new (self, signum, callback, user_data, notify);
  if (!add_handler (self, handler, error))
    {
      signal_handler_unref (handler);
      return FALSE;
    }

  return TRUE;
}

/**
 * loop_event_loop_remove_signal_handler:
 * @self: an event loop
 * @signum: a signal
 *
 * Removes the callback for a signal. It is not called any more, not even for a signal
 * that came before, and what happened on the signal before the callback was added happens
 * again, unless somebody else has set another action meanwhile.
 *
 * Returns: %TRUE if there was a callback
 */
gboolean
loop_event_loop_remove_signal_handler (LoopEventLoop *self, int signum)
{
  LoopSignalHandler *handler;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  if (self->signal_watcher == NULL || signum < 1 || signum >= NSIG)
    return FALSE;

  handler = signal_watcher_steal (self->signal_watcher, signum);
  if (handler == NULL)
    return FALSE;

  signal_watcher_stop_if_idle (self->signal_watcher);
  signal_handler_unref (handler);

  return TRUE;
}
