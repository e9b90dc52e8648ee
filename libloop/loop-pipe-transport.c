/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-pipe-transport-private.h"

#include "loop-fd-watcher-private.h"
#include "loop-fork-private.h"
#include "loop-sigpipe-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

G_DEFINE_FINAL_TYPE (LoopPipeTransport, loop_pipe_transport, LOOP_TYPE_SOCKET_TRANSPORT)

/* All that are open, of all loops. */
static GList *transports;
static pthread_mutex_t transports_mutex = PTHREAD_MUTEX_INITIALIZER;

LOOP_FORK_WATCH (LOOP_FORK_PIPES, .mutex = &transports_mutex)

static LoopPipeTransport *
from_base (LoopSocketTransport *self)
{
  return (LoopPipeTransport *) self;
}

static LoopPipeTransport *
from_transport (LoopTransport *self)
{
  return (LoopPipeTransport *) self;
}

static LoopTransportClass *
get_parent_class (void)
{
  return loop_pipe_transport_parent_class;
}

/* Whether the transports have one open file, and so one mode: as the three of a terminal usually do. */
static gboolean
is_same_file (LoopPipeTransport *self, int fd, LoopPipeTransport *other)
{
  if (self->device != other->device || self->inode != other->inode)
    return FALSE;

  /* Where this is forbidden, the same inode is the same file. */
  return syscall (SYS_kcmp, self->pid, self->pid, KCMP_FILE, fd, other->parent_instance.flow.fd) <= 0;
}

/* Others may use the file, in other processes as well: the mode is as it was, once no transport needs it any more. */
static void
restore_mode (LoopPipeTransport *self, int fd)
{
  LoopPipeTransport *heir = NULL;

  pthread_mutex_lock (&transports_mutex);
  transports = g_list_remove_link (transports, &self->link);
  for (GList *link = transports; self->was_blocking && link != NULL && heir == NULL; link = link->next)
    {
      if (is_same_file (self, fd, link->data))
        heir = link->data;
    }

  if (heir != NULL)
    heir->was_blocking = TRUE;
  /* In a child it is the parent's business. */
  else if (self->was_blocking && self->pid == getpid ())
    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_NONBLOCK);
  pthread_mutex_unlock (&transports_mutex);
}

static gboolean
set_mode (LoopPipeTransport *self, int fd, GError **error)
{
  int flags = fcntl (fd, F_GETFL);
  struct stat status;

  if (flags < 0 || fstat (fd, &status) < 0 || fcntl (fd, F_SETFL, flags | O_NONBLOCK) < 0)
    {
      loop_set_error_from_errno (error, errno, "Could not make file descriptor %d non-blocking", fd);
      return FALSE;
    }

  pthread_mutex_lock (&transports_mutex);
  self->pid = getpid ();
  self->device = status.st_dev;
  self->inode = status.st_ino;
  self->was_blocking = (flags & O_NONBLOCK) == 0;
  self->link.data = self;
  transports = g_list_concat (&self->link, transports);
  pthread_mutex_unlock (&transports_mutex);

  return TRUE;
}

static void
pipe_leave (LoopSocketTransport *self, int fd)
{
  restore_mode (from_base (self), fd);
}

static gssize
pipe_read (int fd, gpointer buffer, gsize size)
{
  gssize n = read (fd, buffer, size);

  /* The end of a terminal whose other side was closed. */
  return n < 0 && errno == EIO && isatty (fd) ? 0 : n;
}

static gssize
pipe_write (int fd, const struct iovec *iov, int n_iov)
{
  LoopSigpipe sigpipe;
  gssize n;

  loop_sigpipe_hold (&sigpipe);
  n = writev (fd, iov, n_iov);
  loop_sigpipe_release (&sigpipe, n < 0 && errno == EPIPE);

  return n;
}

/* Of a write end, whose events are those of its peer. */
static void
pipe_hung_up (LoopSocketTransport *self)
{
  struct pollfd event = { .fd = self->flow.fd, .events = POLLRDHUP };

  /* A write that has failed will end it, and says why. */
  if (self->flow.error != NULL || poll (&event, 1, 0) < 0)
    return;

  if (event.revents == 0)
    /* There is something to read, which nobody wants: a write will tell when the peer is gone. */
    loop_socket_transport_set_interest (self, self->watch.wanted & ~LOOP_INTEREST_READ);
  else if (self->flow.buffer.size > 0)
    loop_socket_transport_fail_write (self, EPIPE);
  else
    loop_transport_abort (LOOP_TRANSPORT (self));
}

static const LoopTransportFile pipe_file = {
  .read = pipe_read,
  .write = pipe_write,
  .hung_up = pipe_hung_up,
  .leave = pipe_leave,
};

static gboolean
check_write_end (LoopTransport *transport)
{
  if (from_transport (transport)->end == LOOP_PIPE_WRITE_END)
    return TRUE;

  g_critical ("Cannot write to the read end of a pipe");

  return FALSE;
}

static void
loop_pipe_transport_write (LoopTransport *transport, const guint8 *data, gsize length)
{
  if (check_write_end (transport))
    get_parent_class ()->write (transport, data, length);
}

static void
loop_pipe_transport_write_bytes (LoopTransport *transport, GBytes **bytes, gsize n_bytes)
{
  if (check_write_end (transport))
    get_parent_class ()->write_bytes (transport, bytes, n_bytes);
}

/* A pipe has one direction, so this is its end. */
static void
loop_pipe_transport_write_eof (LoopTransport *transport)
{
  if (check_write_end (transport))
    loop_transport_close (transport);
}

static gboolean
loop_pipe_transport_can_write_eof (LoopTransport *transport)
{
  return from_transport (transport)->end == LOOP_PIPE_WRITE_END;
}

static void
loop_pipe_transport_pause_reading (LoopTransport *transport)
{
  if (from_transport (transport)->end == LOOP_PIPE_READ_END)
    get_parent_class ()->pause_reading (transport);
}

static gboolean
loop_pipe_transport_is_reading (LoopTransport *transport)
{
  return from_transport (transport)->end == LOOP_PIPE_READ_END && get_parent_class ()->is_reading (transport);
}

static gboolean
loop_pipe_transport_get_extra_info (LoopTransport *transport, const char *name, GValue *value)
{
  int fd = from_transport (transport)->parent_instance.flow.fd;

  if (fd < 0 || !g_str_equal (name, "pipe"))
    return FALSE;

  g_value_init (value, G_TYPE_INT);
  g_value_set_int (value, fd);

  return TRUE;
}

static gboolean
loop_pipe_transport_set_sender (LoopTransport *transport, LoopTransportSender *sender, GError **error)
{
  if (from_transport (transport)->end == LOOP_PIPE_WRITE_END)
    return get_parent_class ()->set_sender (transport, sender, error);

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "No file can be sent to the read end of a pipe");

  return FALSE;
}

static void
loop_pipe_transport_describe (LoopTransport *transport, LoopTransportDescription *description)
{
  get_parent_class ()->describe (transport, description);
  description->kind = from_transport (transport)->end == LOOP_PIPE_READ_END ? "read pipe" : "write pipe";
}

static void
loop_pipe_transport_class_init (LoopPipeTransportClass *klass)
{
  LoopTransportClass *transport_class = (LoopTransportClass *) klass;

  transport_class->write = loop_pipe_transport_write;
  transport_class->write_bytes = loop_pipe_transport_write_bytes;
  transport_class->write_eof = loop_pipe_transport_write_eof;
  transport_class->can_write_eof = loop_pipe_transport_can_write_eof;
  transport_class->pause_reading = loop_pipe_transport_pause_reading;
  transport_class->is_reading = loop_pipe_transport_is_reading;
  transport_class->get_extra_info = loop_pipe_transport_get_extra_info;
  transport_class->describe = loop_pipe_transport_describe;
  transport_class->set_sender = loop_pipe_transport_set_sender;
}

static void
loop_pipe_transport_init (LoopPipeTransport *self)
{
  self->parent_instance.file = &pipe_file;
}

/* There are devices, such as /dev/null, that nobody can wait for. */
static gboolean
check_pollable (LoopEventLoop *loop, int fd, GError **error)
{
  static const LoopWatchClass no_class;
  LoopWatch watch;
  gboolean is_pollable;

  loop_watch_init (&watch, &no_class, 0);
  loop_fd_watcher_evict (loop, fd);
  loop_event_loop_enter (loop);
  is_pollable = loop_poller_add (&loop->poller, &watch, fd, LOOP_INTEREST_READ, error);
  loop_poller_remove (&loop->poller, &watch);
  loop_event_loop_leave (loop);

  return is_pollable;
}

/* Whether @fd can be what it is meant to be. */
gboolean
loop_pipe_check (LoopEventLoop *loop, int fd, LoopPipeEnd end, GError **error)
{
  int flags = fcntl (fd, F_GETFL);
  struct stat status;

  if (flags < 0 || fstat (fd, &status) < 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "File descriptor %d is not open", fd);
  else if (!S_ISFIFO (status.st_mode) && !S_ISSOCK (status.st_mode) && !S_ISCHR (status.st_mode))
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "File descriptor %d is not a pipe, a socket or a terminal: it is a regular file, a directory or a disk", fd);
  else if ((flags & O_ACCMODE) == (end == LOOP_PIPE_READ_END ? O_WRONLY : O_RDONLY))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "File descriptor %d is not open for %s", fd,
                 end == LOOP_PIPE_READ_END ? "reading" : "writing");
  else
    return !S_ISCHR (status.st_mode) || check_pollable (loop, fd, error);

  return FALSE;
}

/* As loop_socket_transport_attach(). @fd has passed loop_pipe_check(). */
LoopPipeTransport *
loop_pipe_transport_new (LoopEventLoop *loop, int fd, LoopPipeEnd end, GObject *protocol, GError **error)
{
  g_autoptr (LoopPipeTransport) self = g_object_new (LOOP_TYPE_PIPE_TRANSPORT, NULL);
  LoopSocketTransport *base = &self->parent_instance;
  struct stat status;

  self->end = end;
  if (end == LOOP_PIPE_WRITE_END)
    base->flow.is_read_finished = TRUE;
  else
    base->flow.is_unwritable = TRUE;

  if (!set_mode (self, fd, error))
    return NULL;

  if (!loop_socket_transport_attach (base, loop, fd, protocol, error))
    {
      restore_mode (self, fd);
      return NULL;
    }

  /* Of a terminal, what its user types would be taken for the end. */
  self->is_peer_watched = end == LOOP_PIPE_WRITE_END && fstat (fd, &status) == 0 && !S_ISCHR (status.st_mode);

  return g_steal_pointer (&self);
}

/* As loop_flow_transport_start(). */
void
loop_pipe_transport_start (LoopPipeTransport *self,
                           LoopFuture *waiter,
                           LoopTransportLostFunc lost_func,
                           gpointer lost_data)
{
  LoopSocketTransport *base = &self->parent_instance;

  loop_flow_transport_start (&base->flow, waiter, lost_func, lost_data);
  if (self->is_peer_watched)
    loop_socket_transport_set_interest (base, base->watch.wanted | LOOP_INTEREST_READ);
}
