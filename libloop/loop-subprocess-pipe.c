/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-transport-private.h"

#define LOOP_TYPE_SUBPROCESS_PIPE (loop_subprocess_pipe_get_type ())
G_DECLARE_FINAL_TYPE (LoopSubprocessPipe, loop_subprocess_pipe, LOOP, SUBPROCESS_PIPE_OBJECT, GObject)

/* The protocol of a pipe to or from a process: it passes on to the protocol of the process. */

static void loop_subprocess_pipe_iface_init (LoopProtocolInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopSubprocessPipe,
                               loop_subprocess_pipe,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, loop_subprocess_pipe_iface_init))

static void
loop_subprocess_pipe_dispose (GObject *object)
{
  LoopSubprocessPipe *self = (LoopSubprocessPipe *) object;

  g_assert (self->process == NULL);
  g_clear_object (&self->transport);

  G_OBJECT_CLASS (loop_subprocess_pipe_parent_class)->dispose (object);
}

static void
loop_subprocess_pipe_class_init (LoopSubprocessPipeClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = loop_subprocess_pipe_dispose;
}

static void
loop_subprocess_pipe_init (LoopSubprocessPipe *self)
{
}

static void
pipe_connection_lost (LoopProtocol *protocol, const GError *exception)
{
  LoopSubprocessPipe *self = (LoopSubprocessPipe *) protocol;
  LoopSubprocessTransport *process = self->process;

  if (process->iface != NULL)
    process->iface->pipe_connection_lost (loop_subprocess_transport_get_own_protocol (process), self->fd, exception);
}

static void
pipe_pause_writing (LoopProtocol *protocol)
{
  LoopSubprocessTransport *process = ((LoopSubprocessPipe *) protocol)->process;

  if (process->iface != NULL)
    process->iface->pause_writing (loop_subprocess_transport_get_own_protocol (process));
}

static void
pipe_resume_writing (LoopProtocol *protocol)
{
  LoopSubprocessTransport *process = ((LoopSubprocessPipe *) protocol)->process;

  if (process->iface != NULL)
    process->iface->resume_writing (loop_subprocess_transport_get_own_protocol (process));
}

static void
pipe_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  LoopSubprocessPipe *self = (LoopSubprocessPipe *) protocol;
  LoopSubprocessTransport *process = self->process;

  if (process->iface != NULL)
    process->iface->pipe_data_received (loop_subprocess_transport_get_own_protocol (process), self->fd, data, length);
}

static void
loop_subprocess_pipe_iface_init (LoopProtocolInterface *iface)
{
  iface->connection_lost = pipe_connection_lost;
  iface->pause_writing = pipe_pause_writing;
  iface->resume_writing = pipe_resume_writing;
  iface->data_received = pipe_data_received;
}

/* The transport is lost, whatever its protocol is by now. */
static void
transport_lost (LoopTransport *transport, gpointer user_data)
{
  LoopSubprocessPipe *self = user_data;
  LoopEventLoop *loop = self->process->loop;
  g_autoptr (LoopSubprocessTransport) process = NULL;

  loop_event_loop_enter (loop);
  process = g_steal_pointer (&self->process);
  process->n_open_pipes--;
  loop_event_loop_leave (loop);

  loop_subprocess_transport_pipe_lost (process);
}

/* @fd is that of the process, and @our_fd the other end, which still is the caller's on error. */
LoopSubprocessPipe *
loop_subprocess_pipe_new (LoopSubprocessTransport *process, int fd, int our_fd, GError **error)
{
  g_autoptr (LoopSubprocessPipe) self = g_object_new (LOOP_TYPE_SUBPROCESS_PIPE, NULL);

  self->fd = fd;
  self->transport = loop_pipe_transport_new (process->loop, our_fd, fd == 0 ? LOOP_PIPE_WRITE_END : LOOP_PIPE_READ_END,
                                             G_OBJECT (self), error);
  if (self->transport == NULL)
    return NULL;

  self->process = g_object_ref (process);
  /* It is to be known from now on when the loop is closed. */
  self->transport->parent_instance.flow.lost_func = transport_lost;
  self->transport->parent_instance.flow.lost_data = g_object_ref (G_OBJECT (self));

  return g_steal_pointer (&self);
}

void
loop_subprocess_pipe_start (LoopSubprocessPipe *self)
{
  loop_pipe_transport_start (self->transport, NULL, transport_lost, self);
}
