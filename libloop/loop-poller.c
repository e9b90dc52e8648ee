/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-clock-private.h"
#include "loop-error-private.h"
#include "loop-poller-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Whatever a read would tell: data, end of file, a hang-up or an error. */
#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)
#define WRITE_EVENTS (EPOLLOUT | EPOLLHUP | EPOLLERR)

static guint64
pack (int fd, guint32 generation)
{
  return (guint64) generation << 32 | (guint32) fd;
}

static int
control (LoopPoller *self, int operation, int fd, guint32 events, guint32 generation)
{
  struct epoll_event event = { .events = events, .data.u64 = pack (fd, generation) };

  return epoll_ctl (self->epoll_fd, operation, fd, &event) == 0 ? 0 : errno;
}

/* The watch could not be told to the kernel: its owner learns of that in the place of an event. */
void
loop_watch_report_failure (LoopWatch *watch)
{
  g_autoptr (GError) error = NULL;

  loop_set_error_from_errno (&error, watch->poll_errno, "Could not watch file descriptor %d", watch->fd);
  watch->poll_errno = 0;
  watch->klass->failed (watch, error);
}

void
loop_watch_init (LoopWatch *watch, const LoopWatchClass *klass, guint64 id)
{
  *watch = (LoopWatch) {
    .reader.kind = LOOP_ITEM_READER,
    .writer.kind = LOOP_ITEM_WRITER,
    .klass = klass,
    .id = id,
    .fd = -1,
  };
}

gboolean
loop_poller_init (LoopPoller *self, GError **error)
{
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  self->timer_armed = LOOP_NEVER;
  self->has_pwait2 = TRUE;
  self->next_generation = 1;

  if (self->epoll_fd < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not create an epoll descriptor");
      return FALSE;
    }

  self->dirty = g_array_new (FALSE, FALSE, sizeof (int));
  self->internal = g_array_new (FALSE, FALSE, sizeof (struct epoll_event));
  self->events = g_new (struct epoll_event, LOOP_POLLER_MAX_EVENTS);

  return TRUE;
}

/*
 * Lets go of the set and the timer, which in a child process are its parent's: nothing that
 * happens to a watch reaches them any more. The number stays taken, by a duplicate of
 * @other_fd, for a main context may have it among those that it polls.
 */
void
loop_poller_abandon (LoopPoller *self, int other_fd)
{
  if (self->timer_fd >= 0)
    close (self->timer_fd);
  self->timer_fd = -1;
  dup3 (other_fd, self->epoll_fd, O_CLOEXEC);
}

void
loop_poller_clear (LoopPoller *self)
{
  g_clear_pointer (&self->watches, g_free);
  g_clear_pointer (&self->dirty, g_array_unref);
  g_clear_pointer (&self->internal, g_array_unref);
  g_clear_pointer (&self->events, g_free);
  self->n_slots = 0;
  self->n_events = 0;

  if (self->timer_fd >= 0)
    close (self->timer_fd);
  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  self->timer_fd = self->epoll_fd = -1;
}

/* Watches one of the loop's own descriptors: its readiness wakes the loop, nothing more. */
gboolean
loop_poller_add_internal (LoopPoller *self, int fd, guint32 events, GError **error)
{
  struct epoll_event event = { .events = events, .data.u64 = pack (fd, 0) };

  if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not watch file descriptor %d", fd);
      return FALSE;
    }

  g_array_append_val (self->internal, event);

  return TRUE;
}

LoopWatch *
loop_poller_lookup (LoopPoller *self, int fd)
{
  return fd >= 0 && (guint) fd < self->n_slots ? self->watches[fd] : NULL;
}

static guint32
take_generation (LoopPoller *self)
{
  guint32 generation = self->next_generation;

  if (++self->next_generation == 0)
    self->next_generation = 1;

  return generation;
}

static void
ensure_slot (LoopPoller *self, int fd)
{
  guint n_slots = MAX (64, self->n_slots);

  if ((guint) fd < self->n_slots)
    return;

  while (n_slots <= (guint) fd)
    n_slots *= 2;

  self->watches = g_renew (LoopWatch *, self->watches, n_slots);
  memset (self->watches + self->n_slots, 0, (n_slots - self->n_slots) * sizeof (LoopWatch *));
  self->n_slots = n_slots;
}

static gboolean
report_control_error (int saved_errno, int fd, GError **error)
{
  if (saved_errno == EPERM)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                 "File descriptor %d cannot be watched: it is a regular file or a directory", fd);
  else if (saved_errno == EBADF)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "File descriptor %d is not open", fd);
  else
    loop_set_error_from_errno (error, saved_errno, "Could not watch file descriptor %d", fd);

  return FALSE;
}

/*
 * Starts to watch @fd, which nothing else in this loop may watch. The kernel is told at
 * once, so that a descriptor that cannot be watched is an error here and now.
 */
gboolean
loop_poller_add (LoopPoller *self, LoopWatch *watch, int fd, guint8 interest, GError **error)
{
  guint32 generation = take_generation (self);
  int status;

  g_assert (fd >= 0);

  if (loop_poller_lookup (self, fd) != NULL)
    {
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE,
                   "File descriptor %d is used by a transport or a server already", fd);
      return FALSE;
    }

  if (interest != LOOP_INTEREST_NONE)
    {
      status = control (self, EPOLL_CTL_ADD, fd, interest, generation);

      /* Left over from a file that was closed with the watch of it still in the kernel. */
      if (status == EEXIST)
        status = control (self, EPOLL_CTL_MOD, fd, interest, generation);

      if (status != 0)
        return report_control_error (status, fd, error);
    }

  ensure_slot (self, fd);
  self->watches[fd] = watch;
  self->n_watches++;

  watch->fd = fd;
  watch->generation = generation;
  watch->wanted = watch->registered = interest;
  watch->is_in_kernel = interest != LOOP_INTEREST_NONE;
  watch->is_dirty = FALSE;

  return TRUE;
}

/*
 * Whether the number of a watch is not that of the file any more that it was added for.
 * Only the kernel knows, and only of a watch that is in its set.
 */
static gboolean
is_number_of_other_file (LoopPoller *self, LoopWatch *watch)
{
  return watch->is_in_kernel &&
         control (self, EPOLL_CTL_MOD, watch->fd, watch->registered, watch->generation) == ENOENT;
}

/*
 * Adds to the interest of a watch whose owner does not control when the descriptor is
 * closed. If the number belongs to another file by now, the watch is one of that file from
 * then on, with the new interest alone.
 */
gboolean
loop_poller_verify (LoopPoller *self, LoopWatch *watch, guint8 interest, gboolean *is_other_file, GError **error)
{
  guint8 wanted = watch->wanted | interest;
  int status = control (self, EPOLL_CTL_MOD, watch->fd, wanted, watch->generation);

  *is_other_file = status == ENOENT && (watch->is_in_kernel || watch->poll_errno != 0);

  if (status == ENOENT)
    {
      if (*is_other_file)
        wanted = interest;

      /* The earlier file may live on, and so in the set: its events are not for this one. */
      watch->generation = take_generation (self);
      status = control (self, EPOLL_CTL_ADD, watch->fd, wanted, watch->generation);
    }

  if (status != 0)
    return report_control_error (status, watch->fd, error);

  loop_poller_set_interest (self, watch, wanted);
  watch->registered = wanted;
  watch->is_in_kernel = TRUE;

  /* A failure that was not reported yet was that of the earlier file. */
  if (watch->poll_errno != 0)
    {
      watch->poll_errno = 0;
      if (loop_ready_item_is_queued (&watch->reader))
        loop_ready_item_unqueue (&watch->reader);
    }

  return TRUE;
}

void
loop_poller_set_interest (LoopPoller *self, LoopWatch *watch, guint8 interest)
{
  watch->wanted = interest;

  if (!(interest & LOOP_INTEREST_READ) && loop_ready_item_is_queued (&watch->reader) && watch->poll_errno == 0)
    loop_ready_item_unqueue (&watch->reader);
  if (!(interest & LOOP_INTEREST_WRITE) && loop_ready_item_is_queued (&watch->writer))
    loop_ready_item_unqueue (&watch->writer);

  if (watch->wanted != watch->registered && !watch->is_dirty)
    {
      watch->is_dirty = TRUE;
      g_array_append_val (self->dirty, watch->fd);
    }
}

/* Stops watching, at once: the descriptor may be closed afterwards. */
void
loop_poller_remove (LoopPoller *self, LoopWatch *watch)
{
  if (loop_ready_item_is_queued (&watch->reader))
    loop_ready_item_unqueue (&watch->reader);
  if (loop_ready_item_is_queued (&watch->writer))
    loop_ready_item_unqueue (&watch->writer);

  if (watch->fd < 0)
    return;

  /* An error says that the file is closed already, and with it its place in the set. */
  if (watch->is_in_kernel)
    control (self, EPOLL_CTL_DEL, watch->fd, 0, 0);

  self->watches[watch->fd] = NULL;
  self->n_watches--;
  watch->fd = -1;
  watch->poll_errno = 0;
  watch->wanted = watch->registered = LOOP_INTEREST_NONE;
  watch->is_in_kernel = watch->is_dirty = FALSE;
}

/*
 * Brings the kernel's view of one watch up to date. A watch without interest leaves the
 * set, for epoll reports hang-ups and errors of any member, over and over.
 */
static int
update (LoopPoller *self, LoopWatch *watch)
{
  int status;

  if (watch->wanted == LOOP_INTEREST_NONE)
    {
      control (self, EPOLL_CTL_DEL, watch->fd, 0, 0);
      watch->is_in_kernel = FALSE;
      watch->registered = LOOP_INTEREST_NONE;
      if (watch->klass->idle != NULL)
        watch->klass->idle (watch);
      return 0;
    }

  status =
      control (self, watch->is_in_kernel ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, watch->wanted, watch->generation);
  /* The file is closed, and its number somebody else's. */
  if (status == ENOENT)
    status = EBADF;
  else if (status == EEXIST)
    status = control (self, EPOLL_CTL_MOD, watch->fd, watch->wanted, watch->generation);

  watch->is_in_kernel = status == 0;
  watch->registered = watch->is_in_kernel ? watch->wanted : LOOP_INTEREST_NONE;

  return status;
}

static void
fail (LoopWatch *watch, int saved_errno, LoopReadyQueue *ready)
{
  watch->poll_errno = saved_errno;
  watch->wanted = watch->registered;
  if (!loop_ready_item_is_queued (&watch->reader))
    loop_ready_queue_push (ready, &watch->reader);
}

/*
 * A closed file of which a duplicate lives on, in a child process perhaps, stays in the
 * set with no descriptor left to remove it by, and reports its events for ever. A new
 * set under the old number gets rid of it.
 */
static void
rebuild (LoopPoller *self, LoopReadyQueue *ready)
{
  int fd = epoll_create1 (EPOLL_CLOEXEC);

  /* By their numbers alone it cannot be told which files are the same still. */
  for (guint i = 0; fd >= 0 && i < self->n_slots; i++)
    {
      if (self->watches[i] != NULL && is_number_of_other_file (self, self->watches[i]))
        self->watches[i]->poll_errno = EBADF;
    }

  if (fd < 0 || dup3 (fd, self->epoll_fd, O_CLOEXEC) < 0)
    {
      /* Out of descriptors: stay with the old set, which works, and try again later. */
      if (fd >= 0)
        close (fd);
      return;
    }

  close (fd);
  self->has_stale_events = FALSE;

  for (guint i = 0; i < self->internal->len; i++)
    {
      struct epoll_event *event = &g_array_index (self->internal, struct epoll_event, i);

      epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, (int) (guint32) event->data.u64, event);
    }

  for (guint i = 0; i < self->n_slots; i++)
    {
      LoopWatch *watch = self->watches[i];
      int status;

      if (watch == NULL || watch->wanted == LOOP_INTEREST_NONE)
        continue;

      watch->is_in_kernel = FALSE;
      watch->registered = LOOP_INTEREST_NONE;
      status = watch->poll_errno != 0 ? watch->poll_errno : update (self, watch);
      if (status != 0)
        fail (watch, status, ready);
    }
}

/* Its turn to write is due, also without the kernel, and mostly there is nothing left to be written then. */
static inline gboolean
is_about_to_write (const LoopWatch *watch)
{
  return (watch->wanted ^ watch->registered) == LOOP_INTEREST_WRITE && watch->is_in_kernel &&
         loop_ready_item_is_queued (&watch->writer);
}

/* Tells the kernel all changes of interest since the last wait. */
void
loop_poller_flush (LoopPoller *self, LoopReadyQueue *ready)
{
  guint n_kept = 0;

  if (G_UNLIKELY (self->has_stale_events))
    rebuild (self, ready);

  if (self->dirty->len == 0)
    return;

  for (guint i = 0; i < self->dirty->len; i++)
    {
      LoopWatch *watch = loop_poller_lookup (self, g_array_index (self->dirty, int, i));
      int status = 0;

      if (watch == NULL || !watch->is_dirty)
        continue;

      if (is_about_to_write (watch))
        {
          g_array_index (self->dirty, int, n_kept++) = watch->fd;
          continue;
        }

      watch->is_dirty = FALSE;
      if (watch->wanted != watch->registered)
        status = update (self, watch);
      if (status != 0)
        fail (watch, status, ready);
    }

  g_array_set_size (self->dirty, n_kept);
}

/*
 * Makes the epoll descriptor readable at @deadline. For whoever waits for it with less
 * than nanosecond precision: another main loop, or a kernel without epoll_pwait2.
 */
gboolean
loop_poller_arm_timer (LoopPoller *self, gint64 deadline)
{
  struct itimerspec spec = { 0 };

  /* Waking too early once costs less than a system call for each change. */
  if (deadline >= self->timer_armed)
    return TRUE;

  if (self->timer_fd < 0)
    {
      self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
      if (self->timer_fd < 0 || !loop_poller_add_internal (self, self->timer_fd, EPOLLIN | EPOLLET, NULL))
        {
          if (self->timer_fd >= 0)
            close (self->timer_fd);
          self->timer_fd = -1;
          return FALSE;
        }
    }

  /* Zero would disarm it. */
  spec.it_value.tv_sec = MAX (deadline, 1) / LOOP_NSEC_PER_SEC;
  spec.it_value.tv_nsec = MAX (deadline, 1) % LOOP_NSEC_PER_SEC;

  if (timerfd_settime (self->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
    return FALSE;

  self->timer_armed = deadline;

  return TRUE;
}

/*
 * Waits for events, at most @timeout_ns, or for ever if it is negative.
 *
 * Returns: 0, or the errno of a failure other than an interruption
 */
int
loop_poller_wait (LoopPoller *self, gint64 timeout_ns)
{
  int n;

  if (G_LIKELY (self->has_pwait2 && timeout_ns != 0))
    {
      struct timespec timeout = { timeout_ns / LOOP_NSEC_PER_SEC, timeout_ns % LOOP_NSEC_PER_SEC };

      n = epoll_pwait2 (self->epoll_fd, self->events, LOOP_POLLER_MAX_EVENTS, timeout_ns < 0 ? NULL : &timeout, NULL);

      if (n < 0 && (errno == ENOSYS || errno == EPERM))
        {
          self->has_pwait2 = FALSE;
          return loop_poller_wait (self, timeout_ns);
        }
    }
  else if (timeout_ns == 0)
    {
      n = epoll_wait (self->epoll_fd, self->events, LOOP_POLLER_MAX_EVENTS, 0);
    }
  else
    {
      int timeout_ms = -1;

      /* Without a timerfd, waking up to a millisecond late is the best there is. */
      if (timeout_ns > 0 && !loop_poller_arm_timer (self, loop_clock_add (loop_clock_now (), timeout_ns)))
        timeout_ms = (int) MIN (timeout_ns / 1000000 + 1, G_MAXINT);

      n = epoll_wait (self->epoll_fd, self->events, LOOP_POLLER_MAX_EVENTS, timeout_ms);
    }

  self->n_events = MAX (n, 0);

  return n < 0 && errno != EINTR ? errno : 0;
}

/* Appends the watches that the last wait found ready. */
void
loop_poller_collect (LoopPoller *self, LoopReadyQueue *ready)
{
  for (int i = 0; i < self->n_events; i++)
    {
      const struct epoll_event *event = &self->events[i];
      guint32 generation = (guint32) (event->data.u64 >> 32);
      int fd = (int) (guint32) event->data.u64;
      LoopWatch *watch;

      if (generation == 0)
        {
          if (fd == self->timer_fd)
            self->timer_armed = LOOP_NEVER;
          else
            self->is_woken = TRUE;
          continue;
        }

      watch = loop_poller_lookup (self, fd);

      if (G_UNLIKELY (watch == NULL || watch->generation != generation))
        {
          self->has_stale_events = TRUE;
          continue;
        }

      if ((event->events & READ_EVENTS) && (watch->wanted & LOOP_INTEREST_READ) &&
          !loop_ready_item_is_queued (&watch->reader))
        loop_ready_queue_push (ready, &watch->reader);
      if ((event->events & WRITE_EVENTS) && (watch->wanted & LOOP_INTEREST_WRITE) &&
          !loop_ready_item_is_queued (&watch->writer))
        loop_ready_queue_push (ready, &watch->writer);
    }

  self->n_events = 0;
}
