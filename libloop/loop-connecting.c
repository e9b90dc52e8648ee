/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-connecting-private.h"
#include "loop-socket-private.h"
#include "loop-socket-transport-private.h"

#include <unistd.h>

void
loop_connecting_unref (gpointer data)
{
  LoopConnecting *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->future);
  g_free (self);
}

static void
connecting_end (LoopConnecting *self)
{
  loop_close_hook_remove (&self->hook);
  if (self->end != NULL)
    self->end (self);

  loop_destroy_user_data (self->factory_data, self->factory_notify);
  g_clear_object (&self->transport);
  loop_connecting_unref (self);
}

static void
connecting_loop_closed (LoopCloseHook *hook)
{
  LoopConnecting *self = (LoopConnecting *) ((char *) hook - G_STRUCT_OFFSET (LoopConnecting, hook));

  /* The factory may close the loop, if that is called before it runs. */
  if (self->is_in_factory)
    self->is_abandoned = TRUE;
  else
    connecting_end (self);
}

static void
connecting_done (LoopFuture *future, gpointer user_data)
{
  LoopConnecting *self = user_data;

  if (self->is_in_factory)
    {
      self->is_abandoned = TRUE;
      return;
    }

  if (loop_future_cancelled (future) && self->transport != NULL)
    loop_transport_abort (self->transport);

  connecting_end (self);
}

/*
 * loop_connecting_new:
 * @size: of the structure that begins with a LoopConnecting; the rest of it is zero
 * @name: what an inspector calls the future
 * @end: (nullable): see #LoopConnecting
 */
gpointer
loop_connecting_new (gsize size,
                     LoopEventLoop *loop,
                     const char *name,
                     void (*end) (LoopConnecting *self),
                     LoopProtocolFactory factory,
                     gpointer factory_data,
                     GDestroyNotify factory_notify)
{
  LoopConnecting *self = g_malloc0 (size);

  self->ref_count = 1;
  self->loop = loop;
  self->future = loop_future_new (loop, name);
  self->end = end;
  self->factory = factory;
  self->factory_data = factory_data;
  self->factory_notify = factory_notify;
  self->hook.closed = connecting_loop_closed;
  loop_event_loop_add_close_hook (loop, &self->hook);
  loop_future_add_done_callback (self->future, connecting_done, self, NULL);

  return self;
}

/* Takes @error. */
void
loop_connecting_fail (LoopConnecting *self, GError *error)
{
  loop_future_fail (self->future, error);
}

static void
end_abandoned (gpointer data)
{
  connecting_end (data);
}

/* Asks for the protocol, and makes the transport, which fulfils the future. */
static void
make_transport (LoopConnecting *self, int fd, GSocket *socket)
{
  g_autoptr (GObject) protocol = NULL;
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  GError *error = NULL;

  if (getpeername (fd, (struct sockaddr *) &peer, &length) < 0)
    length = 0;

  self->is_in_factory = TRUE;
  protocol = self->factory (self->factory_data);
  self->is_in_factory = FALSE;

  if (self->is_abandoned)
    {
      if (socket == NULL)
        close (fd);
      if (loop_event_loop_is_closed (self->loop))
        connecting_end (self);
      else
        loop_event_loop_schedule (self->loop, end_abandoned, self, NULL, self->future->name);
      return;
    }

  self->transport = (LoopTransport *) loop_socket_transport_new (self->loop, fd, socket, (struct sockaddr *) &peer,
                                                                 length, protocol, &error);
  if (self->transport == NULL)
    {
      if (socket == NULL)
        close (fd);
      loop_connecting_fail (self, error);
      return;
    }

  loop_flow_transport_start ((LoopFlowTransport *) self->transport, self->future, NULL, NULL);
}

/* The end of a successful attempt: with a connected, non-blocking socket, which is closed if nothing comes of it. */
void
loop_connecting_take_fd (LoopConnecting *self, int fd)
{
  loop_socket_set_nodelay (fd);
  make_transport (self, fd, NULL);
}

/* The same with a socket of the caller's. */
void
loop_connecting_set_socket (LoopConnecting *self, GSocket *socket)
{
  g_socket_set_blocking (socket, FALSE);
  loop_socket_set_nodelay (g_socket_get_fd (socket));
  make_transport (self, g_socket_get_fd (socket), socket);
}
