/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-end.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <sys/socket.h>
#include <unistd.h>

static GIOStream *
make_pipes (int *in, int *out)
{
  g_autoptr (GInputStream) input = NULL;
  g_autoptr (GOutputStream) output = NULL;
  int from[2];
  int to[2];

  ck_assert_int_eq (pipe2 (from, O_CLOEXEC) | pipe2 (to, O_CLOEXEC), 0);
  *in = to[0];
  *out = from[1];
  input = g_unix_input_stream_new (from[0], TRUE);
  output = g_unix_output_stream_new (to[1], TRUE);

  return g_simple_io_stream_new (input, output);
}

static GIOStream *
make_socket (int *fd)
{
  g_autoptr (GSocket) socket = NULL;
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  socket = g_socket_new_from_fd (fds[0], NULL);
  *fd = fds[1];

  return G_IO_STREAM (g_socket_connection_factory_create_connection (socket));
}

IOEnd
io_end_new (Tcp *tcp, IOEndKind kind)
{
  IOEnd self = { 0 };

  switch (kind)
    {
    case IO_END_SOCKET:
      self.stream = make_socket (&self.in);
      self.out = self.in;
      break;
    case IO_END_PIPES:
      self.stream = make_pipes (&self.in, &self.out);
      break;
    case IO_END_BUFFERED:
      {
        g_autoptr (GIOStream) pipes = make_pipes (&self.in, &self.out);
        g_autoptr (GInputStream) input = g_buffered_input_stream_new (io_input (pipes));
        g_autoptr (GOutputStream) output = g_buffered_output_stream_new (io_output (pipes));

        self.stream = g_simple_io_stream_new (input, output);
        /* It would close its streams when it goes. */
        g_object_set_data_full (G_OBJECT (self.stream), "pipes", g_steal_pointer (&pipes), g_object_unref);
      }
      break;
    case IO_END_TRANSPORT:
    default:
      self.stream = G_IO_STREAM (io_stream_new (tcp, &self.in));
      self.out = self.in;
      self.owner = tcp;
    }

  return self;
}

void
io_end_close (IOEnd *self)
{
  if (self->in >= 0 && self->owner != NULL)
    tcp_raw_close (self->owner, self->in);
  else if (self->in >= 0)
    close (self->in);
  if (self->out >= 0 && self->out != self->in)
    close (self->out);
  self->in = self->out = -1;
}

void
io_end_shut_down (IOEnd *self)
{
  if (self->out == self->in)
    shutdown (self->out, SHUT_WR);
  else
    {
      close (self->out);
      self->out = -1;
    }
}

void
io_end_clear (IOEnd *self)
{
  io_end_close (self);
  g_clear_object (&self->stream);
}
TcpPeer *
io_connect (Tcp *tcp, GIOStream *stream)
{
  TcpPeer *peer = tcp_add_client (tcp);
  g_autoptr (LoopFuture) future = loop_event_loop_connect_io_stream (tcp->loop, stream, tcp_peer_factory, peer, NULL);
  g_autoptr (LoopTransport) transport = tcp_take_transport (tcp, future);

  ck_assert_ptr_eq (transport, peer->transport);

  return peer;
}
