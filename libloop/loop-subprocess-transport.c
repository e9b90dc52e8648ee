/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-transport-private.h"

#include "loop-fd-watcher-private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/**
 * LoopSubprocessTransport:
 *
 * The loop's side of a process that it has started: it tells its
 * [iface@SubprocessProtocol] what the process writes and when it ends, and kills it when
 * it is closed.
 *
 * The loop keeps a transport alive from before `connection_made` until after
 * `connection_lost`. The process is watched without `SIGCHLD`, and nothing else is ever
 * waited for, so that other users of child processes are left alone.
 */
G_DEFINE_FINAL_TYPE (LoopSubprocessTransport, loop_subprocess_transport, G_TYPE_OBJECT)

static void
set_shown (LoopSubprocessTransport *self, guint8 *flag)
{
  loop_event_loop_enter (self->loop);
  *flag = TRUE;
  loop_event_loop_leave (self->loop);
}

/* The end of every transport's life. */
static void
let_go (LoopSubprocessTransport *self)
{
  LoopEventLoop *loop = self->loop;
  g_autoptr (GObject) protocol = NULL;
  g_autoptr (LoopFuture) waiter = g_steal_pointer (&self->waiter);

  loop_close_hook_remove (&self->hook);

  loop_event_loop_enter (loop);
  protocol = g_steal_pointer (&self->protocol);
  self->iface = NULL;
  loop_event_loop_leave (loop);

  if (waiter != NULL)
    loop_future_fail (waiter, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED,
                                                   "The subprocess transport was closed before it was connected"));

  if (self->is_loop_ref_held)
    {
      self->is_loop_ref_held = FALSE;
      loop_event_loop_unref_later (loop, self);
    }
}

static void
call_connection_lost (gpointer data)
{
  LoopSubprocessTransport *self = data;

  if (self->iface != NULL)
    self->iface->connection_lost (loop_subprocess_transport_get_own_protocol (self), NULL);
  let_go (self);
}

static void
try_finish (LoopSubprocessTransport *self)
{
  if (!self->is_exit_told || self->n_open_pipes > 0 || self->is_lost)
    return;

  set_shown (self, &self->is_lost);
  loop_event_loop_schedule (self->loop, call_connection_lost, g_object_ref (self), g_object_unref, "connection_lost");
}

void
loop_subprocess_transport_pipe_lost (LoopSubprocessTransport *self)
{
  try_finish (self);
}

static void
call_process_exited (gpointer data)
{
  LoopSubprocessTransport *self = data;

  if (self->is_lost)
    return;

  if (self->iface != NULL)
    self->iface->process_exited (loop_subprocess_transport_get_own_protocol (self));
  set_shown (self, &self->is_exit_told);
  try_finish (self);
}

static LoopSubprocessTransport *
from_watch (const LoopWatch *watch)
{
  return (LoopSubprocessTransport *) ((char *) watch - G_STRUCT_OFFSET (LoopSubprocessTransport, watch));
}

/* No signal is sent from now on. */
static void
set_exited (LoopSubprocessTransport *self, int returncode)
{
  int fd = self->child.fd;

  loop_event_loop_enter (self->loop);
  loop_poller_remove (&self->loop->poller, &self->watch);
  self->child.fd = -1;
  self->returncode = returncode;
  self->has_exited = TRUE;
  loop_event_loop_leave (self->loop);

  if (fd >= 0)
    close (fd);
  loop_event_loop_schedule (self->loop, call_process_exited, g_object_ref (self), g_object_unref, "process_exited");
}

/* The process has ended, and all that it has written is in its pipes. */
static void
child_ended (LoopWatch *watch)
{
  g_autoptr (LoopSubprocessTransport) self = g_object_ref (from_watch (watch));
  int returncode;

  if (!loop_child_reap (&self->child, &returncode))
    return;

  for (int i = 1; i < LOOP_SUBPROCESS_N_PIPES; i++)
    {
      if (loop_subprocess_pipe_is_open (self->pipes[i]))
        loop_socket_transport_drain (&self->pipes[i]->transport->parent_instance, LOOP_FLOW_TRANSPORT_MAX_CALLS);
    }
  set_exited (self, returncode);
}

static void
child_watch_failed (LoopWatch *watch, GError *error)
{
  LoopSubprocessTransport *self = from_watch (watch);
  LoopExceptionContext *context = loop_exception_context_new ("Watching a process failed, which is killed", error);

  loop_child_abandon (&self->child);
  set_exited (self, -SIGKILL);
  loop_event_loop_report (self->loop, context);
}

static void
loop_closed (LoopCloseHook *hook)
{
  LoopSubprocessTransport *self =
      (LoopSubprocessTransport *) ((char *) hook - G_STRUCT_OFFSET (LoopSubprocessTransport, hook));

  if (self->loop->debug)
    {
      g_autofree char *origin = loop_traceback_get_origin (self->node.id);

      g_warning ("The event loop was closed with the transport of process %d still open: “%s”%s%s",
                 (int) self->child.pid, self->program, origin != NULL ? ", created at " : "",
                 origin != NULL ? origin : "");
    }

  loop_event_loop_enter (self->loop);
  loop_poller_remove (&self->loop->poller, &self->watch);
  self->is_lost = TRUE;
  loop_event_loop_leave (self->loop);
  loop_child_abandon (&self->child);
  let_go (self);
}

static void
child_watch_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  const LoopSubprocessTransport *self = from_watch (watch);

  description->id = self->node.id;
  description->kind = "subprocess";
  description->name = "process_exited";
  description->fd = watch->fd;
}

static const LoopWatchClass child_watch_class = {
  .readable = child_ended,
  .failed = child_watch_failed,
  .describe = child_watch_describe,
};

static void
loop_subprocess_transport_dispose (GObject *object)
{
  LoopSubprocessTransport *self = LOOP_SUBPROCESS_TRANSPORT (object);

  if (self->loop != NULL)
    {
      loop_event_loop_unregister (self->loop, LOOP_REGISTRY_SUBPROCESSES, &self->node);
      loop_event_loop_untrace (self->loop, self->node.id);
    }
  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    g_clear_object (&self->pipes[i]);
  g_clear_object (&self->protocol);

  G_OBJECT_CLASS (loop_subprocess_transport_parent_class)->dispose (object);
}

static void
loop_subprocess_transport_finalize (GObject *object)
{
  LoopSubprocessTransport *self = LOOP_SUBPROCESS_TRANSPORT (object);

  g_assert (self->child.fd < 0 && self->waiter == NULL);

  g_free (self->program);
  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_subprocess_transport_parent_class)->finalize (object);
}

static void
loop_subprocess_transport_class_init (LoopSubprocessTransportClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_subprocess_transport_dispose;
  object_class->finalize = loop_subprocess_transport_finalize;
}

static void
loop_subprocess_transport_init (LoopSubprocessTransport *self)
{
  self->child.fd = -1;
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

/*
 * Opens what the process gets: @theirs. What is to be closed once it has it is in @opened,
 * and our ends of the pipes are in @ours.
 */
static gboolean
open_fds (LoopSubprocessOptions *options, int theirs[3], int opened[3], int ours[3], GError **error)
{
  int given[3] = { loop_subprocess_options_get_stdin (options), loop_subprocess_options_get_stdout (options),
                   loop_subprocess_options_get_stderr (options) };

  for (int i = 0; i < 3; i++)
    {
      int fds[2];

      switch (given[i])
        {
        case LOOP_SUBPROCESS_PIPE:
          if (pipe2 (fds, O_CLOEXEC) < 0)
            {
              loop_set_error_from_errno (error, errno, "Could not make a pipe");
              return FALSE;
            }
          theirs[i] = opened[i] = fds[i != 0];
          ours[i] = fds[i == 0];
          break;
        case LOOP_SUBPROCESS_DEVNULL:
          do
            theirs[i] = opened[i] = open ("/dev/null", O_RDWR | O_CLOEXEC);
          while (theirs[i] < 0 && errno == EINTR);
          if (theirs[i] < 0)
            {
              loop_set_error_from_errno (error, errno, "Could not open /dev/null");
              return FALSE;
            }
          break;
        case LOOP_SUBPROCESS_INHERIT:
          theirs[i] = LOOP_CHILD_INHERIT;
          break;
        case LOOP_SUBPROCESS_STDOUT:
          theirs[i] = LOOP_CHILD_STDOUT;
          break;
        default:
          theirs[i] = given[i];
        }
    }

  return TRUE;
}

static gboolean
spawn (LoopSubprocessTransport *self,
       const char *const *argv,
       LoopSubprocessOptions *options,
       int ours[3],
       GError **error)
{
  int theirs[3] = { -1, -1, -1 };
  int opened[3] = { -1, -1, -1 };
  gboolean success =
      open_fds (options, theirs, opened, ours, error) && loop_child_spawn (&self->child, argv, options, theirs, error);

  for (int i = 0; i < 3; i++)
    close_fd (&opened[i]);

  return success;
}

/* Puts the running process under the loop's control. */
static gboolean
attach (LoopSubprocessTransport *self, int ours[3], GError **error)
{
  LoopEventLoop *loop = self->loop;
  gboolean is_watched;

  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    {
      if (ours[i] < 0)
        continue;

      self->pipes[i] = loop_subprocess_pipe_new (self, i, ours[i], error);
      if (self->pipes[i] == NULL)
        return FALSE;
      ours[i] = -1;
      self->n_open_pipes++;
    }

  loop_fd_watcher_evict (loop, self->child.fd);
  loop_event_loop_enter (loop);
  self->made = loop_clock_now ();
  loop_registry_add (&loop->registry, LOOP_REGISTRY_SUBPROCESSES, &self->node, loop_event_loop_next_id (loop));
  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    {
      if (self->pipes[i] != NULL)
        ((LoopTransport *) self->pipes[i]->transport)->owner_id = self->node.id;
    }
  loop_watch_init (&self->watch, &child_watch_class, self->node.id);
  is_watched = loop_poller_add (&loop->poller, &self->watch, self->child.fd, LOOP_INTEREST_NONE, error);
  loop_event_loop_leave (loop);
  if (!is_watched)
    return FALSE;

  self->hook.closed = loop_closed;
  loop_event_loop_add_close_hook (loop, &self->hook);

  loop_event_loop_trace (loop, self->node.id);
  self->is_loop_ref_held = TRUE;
  g_object_ref (self);

  return TRUE;
}

/* Starts a process, but calls nothing before loop_subprocess_transport_start(). */
LoopSubprocessTransport *
loop_subprocess_transport_new (LoopEventLoop *loop,
                               const char *const *argv,
                               LoopSubprocessOptions *options,
                               GObject *protocol,
                               GError **error)
{
  g_autoptr (LoopSubprocessTransport) self = NULL;
  int ours[3] = { -1, -1, -1 };
  gboolean success;

  if (!loop_event_loop_check_open (loop, error))
    return NULL;

  if (!LOOP_IS_SUBPROCESS_PROTOCOL (protocol))
    {
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY,
                   "The protocol factory returned %s, which is not a subprocess protocol",
                   protocol != NULL ? G_OBJECT_TYPE_NAME (protocol) : "nothing");
      return NULL;
    }

  self = g_object_new (LOOP_TYPE_SUBPROCESS_TRANSPORT, NULL);
  self->loop = g_object_ref (loop);
  self->protocol = g_object_ref (protocol);
  self->iface = LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (protocol);
  self->program = g_path_get_basename (argv[0]);

  success = spawn (self, argv, options, ours, error);
  if (success && !attach (self, ours, error))
    {
      success = FALSE;
      self->is_lost = TRUE;
      self->iface = NULL;
      loop_child_abandon (&self->child);
      for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
        {
          if (self->pipes[i] != NULL)
            loop_transport_abort (LOOP_TRANSPORT (self->pipes[i]->transport));
        }
    }
  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    close_fd (&ours[i]);

  return success ? g_steal_pointer (&self) : NULL;
}

static void
call_connection_made (gpointer data)
{
  LoopSubprocessTransport *self = data;
  g_autoptr (LoopFuture) waiter = NULL;

  set_shown (self, &self->is_connected);
  if (self->iface != NULL)
    self->iface->connection_made (loop_subprocess_transport_get_own_protocol (self), self);
  /* The pipes have begun, so what the process has written comes before its end. */
  loop_event_loop_enter (self->loop);
  loop_poller_set_interest (&self->loop->poller, &self->watch, LOOP_INTEREST_READ);
  loop_event_loop_leave (self->loop);

  waiter = g_steal_pointer (&self->waiter);
  if (waiter != NULL)
    loop_future_fulfil_object (waiter, self);
}

/* Calls connection_made in the next iteration, after those of the pipes; @waiter is fulfilled with the transport then. */
void
loop_subprocess_transport_start (LoopSubprocessTransport *self, LoopFuture *waiter)
{
  self->waiter = g_object_ref (waiter);
  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    {
      if (self->pipes[i] != NULL)
        loop_subprocess_pipe_start (self->pipes[i]);
    }
  loop_event_loop_schedule (self->loop, call_connection_made, g_object_ref (self), g_object_unref, "connection_made");
}

/**
 * loop_subprocess_transport_get_loop:
 * @self: a subprocess transport
 *
 * Gets the loop that the transport belongs to.
 *
 * Returns: (transfer none): the loop
 */
LoopEventLoop *
loop_subprocess_transport_get_loop (LoopSubprocessTransport *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), NULL);

  return self->loop;
}

/**
 * loop_subprocess_transport_get_id:
 * @self: a subprocess transport
 *
 * Gets the id by which an inspector knows the process; it is not the number of the
 * process.
 *
 * Returns: the id
 */
guint64
loop_subprocess_transport_get_id (LoopSubprocessTransport *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), 0);

  return self->node.id;
}

/**
 * loop_subprocess_transport_get_pid:
 * @self: a subprocess transport
 *
 * Gets the number of the process. Once the process has ended it may be that of another
 * one: use [method@SubprocessTransport.send_signal].
 *
 * Returns: the number
 */
int
loop_subprocess_transport_get_pid (LoopSubprocessTransport *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), -1);

  return (int) self->child.pid;
}

/**
 * loop_subprocess_transport_get_returncode:
 * @self: a subprocess transport
 * @returncode: (out) (optional): return location for the exit code, or for the negative
 *   number of the signal that has ended the process; 0 while it runs
 *
 * Gets how the process has ended.
 *
 * Returns: %TRUE, or %FALSE if it still runs
 */
gboolean
loop_subprocess_transport_get_returncode (LoopSubprocessTransport *self, int *returncode)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), FALSE);

  if (returncode != NULL)
    *returncode = self->returncode;

  return self->has_exited;
}

/**
 * loop_subprocess_transport_get_pipe_transport:
 * @self: a subprocess transport
 * @fd: a descriptor of the process: 0, 1 or 2
 *
 * Gets the other end of a pipe of the process: 0 is to be written to, the others are
 * read.
 *
 * Returns: (transfer none) (nullable): the transport, or %NULL if there is no such pipe
 */
LoopTransport *
loop_subprocess_transport_get_pipe_transport (LoopSubprocessTransport *self, int fd)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), NULL);

  if (fd < 0 || fd >= LOOP_SUBPROCESS_N_PIPES || self->pipes[fd] == NULL)
    return NULL;

  return LOOP_TRANSPORT (self->pipes[fd]->transport);
}

/**
 * loop_subprocess_transport_send_signal:
 * @self: a subprocess transport
 * @signum: the number of a signal
 * @error: return location for an error
 *
 * Sends a signal to the process, and never to another one that has its number by now.
 *
 * Returns: %TRUE, or %FALSE with %G_IO_ERROR_NOT_FOUND if the process has ended, or with
 *   another I/O error
 */
gboolean
loop_subprocess_transport_send_signal (LoopSubprocessTransport *self, int signum, GError **error)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return loop_child_signal (&self->child, signum, error);
}

/**
 * loop_subprocess_transport_terminate:
 * @self: a subprocess transport
 * @error: return location for an error
 *
 * Asks the process to end, with `SIGTERM`. See
 * [method@SubprocessTransport.send_signal].
 *
 * Returns: %TRUE, or %FALSE with an error
 */
gboolean
loop_subprocess_transport_terminate (LoopSubprocessTransport *self, GError **error)
{
  return loop_subprocess_transport_send_signal (self, SIGTERM, error);
}

/**
 * loop_subprocess_transport_kill:
 * @self: a subprocess transport
 * @error: return location for an error
 *
 * Ends the process, with `SIGKILL`. See [method@SubprocessTransport.send_signal].
 *
 * Returns: %TRUE, or %FALSE with an error
 */
gboolean
loop_subprocess_transport_kill (LoopSubprocessTransport *self, GError **error)
{
  return loop_subprocess_transport_send_signal (self, SIGKILL, error);
}

/**
 * loop_subprocess_transport_close:
 * @self: a subprocess transport
 *
 * Closes the pipes and kills the process if it still runs. In the end the protocol's
 * `connection_lost` is called.
 */
void
loop_subprocess_transport_close (LoopSubprocessTransport *self)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self));

  if (self->is_closing || self->is_lost)
    return;

  set_shown (self, &self->is_closing);
  for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
    {
      if (loop_subprocess_pipe_is_open (self->pipes[i]))
        loop_transport_close (LOOP_TRANSPORT (self->pipes[i]->transport));
    }
  loop_child_signal (&self->child, SIGKILL, NULL);
}

/**
 * loop_subprocess_transport_is_closing:
 * @self: a subprocess transport
 *
 * Tells whether the transport is closed or closing.
 *
 * Returns: %TRUE if it is
 */
gboolean
loop_subprocess_transport_is_closing (LoopSubprocessTransport *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), TRUE);

  return self->is_closing || self->is_lost;
}

/**
 * loop_subprocess_transport_set_protocol:
 * @self: a subprocess transport
 * @protocol: an object that implements [iface@SubprocessProtocol]
 *
 * Changes the protocol. The new one is told of what comes from now on;
 * `connection_made` is not called.
 */
void
loop_subprocess_transport_set_protocol (LoopSubprocessTransport *self, GObject *protocol)
{
  g_autoptr (GObject) old = NULL;

  g_return_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self));
  g_return_if_fail (LOOP_IS_SUBPROCESS_PROTOCOL (protocol));

  /* There is nothing that it could be told any more. */
  if (self->protocol == NULL)
    return;

  g_object_ref (protocol);
  loop_event_loop_enter (self->loop);
  old = self->protocol;
  self->protocol = protocol;
  self->iface = LOOP_SUBPROCESS_PROTOCOL_GET_IFACE (protocol);
  loop_event_loop_leave (self->loop);
}

/**
 * loop_subprocess_transport_get_protocol:
 * @self: a subprocess transport
 *
 * Gets the protocol.
 *
 * Returns: (transfer none) (nullable): the protocol; %NULL after `connection_lost`
 */
GObject *
loop_subprocess_transport_get_protocol (LoopSubprocessTransport *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_TRANSPORT (self), NULL);

  return self->protocol;
}
