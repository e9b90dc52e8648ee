/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"
#include "loop-resolver-private.h"
#include "loop-server-private.h"

#include <errno.h>
#include <unistd.h>

/* Accepts the connections that come to one socket of a server. */

/* How long accepting pauses when the process has no descriptors or no memory left. */
#define ACCEPT_RETRY_NS (LOOP_NSEC_PER_SEC / 4)

/* Accepts nothing any more, and is not watched. */
void
loop_listener_stop (LoopListener *self)
{
  LoopEventLoop *loop = self->server->loop;

  if (self->retry != NULL)
    {
      loop_timer_handle_cancel (self->retry);
      g_clear_pointer (&self->retry, loop_timer_handle_unref);
    }

  loop_event_loop_enter (loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&loop->poller, &self->watch);
  loop_event_loop_leave (loop);
}

/* Lets go of the socket, and of the listener once no event of it is being handled. */
static void
listener_unref (gpointer data)
{
  LoopListener *self = data;

  if (--self->ref_count > 0)
    return;

  g_object_unref (self->socket);
  g_free (self);
}

/* Takes @error. */
static void
report (LoopListener *self, const char *message, GError *error)
{
  LoopExceptionContext *context = loop_exception_context_new (message, error);

  loop_exception_context_set_socket (context, self->socket);
  loop_exception_context_take_source_traceback (context, loop_traceback_to_string (self->server->node.id));
  loop_event_loop_report (self->server->loop, context);
  g_error_free (error);
}

/* Closes the socket. */
void
loop_listener_close (gpointer data)
{
  LoopListener *self = data;
  GError *error = NULL;

  if (!loop_unix_file_remove (&self->file, &error))
    report (self, "The file of a server's socket was left behind", error);
  g_socket_close (self->socket, NULL);
  listener_unref (self);
}

static LoopListener *
from_watch (const LoopWatch *watch)
{
  return (LoopListener *) ((char *) watch - G_STRUCT_OFFSET (LoopListener, watch));
}

static void
serve_connection (LoopListener *self, int fd, const struct sockaddr *peer, socklen_t peer_length)
{
  GError *error = NULL;

  if (loop_server_serve_connection (self->server, fd, peer, peer_length, &error))
    return;

  close (fd);
  report (self, "A connection was accepted but could not be served", error);
}

static void
retry_accepting (gpointer data)
{
  LoopListener *self = data;
  LoopEventLoop *loop = self->server->loop;

  g_clear_pointer (&self->retry, loop_timer_handle_unref);

  loop_event_loop_enter (loop);
  loop_poller_set_interest (&loop->poller, &self->watch, LOOP_INTEREST_READ);
  loop_event_loop_leave (loop);
}

/*
 * Out of descriptors or memory: the connection stays in the kernel's queue, and the
 * socket readable. Look again a little later rather than at once, and for ever.
 */
static void
pause_accepting (LoopListener *self, int saved_errno)
{
  LoopEventLoop *loop = self->server->loop;
  LoopTimerHandle *retry;

  loop_event_loop_enter (loop);
  loop_poller_set_interest (&loop->poller, &self->watch, LOOP_INTEREST_NONE);
  loop_event_loop_leave (loop);

  retry = loop_event_loop_schedule_at (loop, loop_clock_now () + ACCEPT_RETRY_NS, retry_accepting, self, NULL,
                                       "retry accept");
  self->retry = loop_timer_handle_ref (retry);

  if (!self->has_reported)
    {
      GError *error = NULL;

      self->has_reported = TRUE;
      loop_set_error_from_errno (&error, saved_errno, "Could not accept a connection");
      report (self, "Accepting connections is paused", error);
    }
}

/* Returns: whether there may be more to accept */
static gboolean
accept_one (LoopListener *self)
{
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  int fd = accept4 (self->watch.fd, (struct sockaddr *) &peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd >= 0)
    {
      self->has_reported = FALSE;
      serve_connection (self, fd, (const struct sockaddr *) &peer, length);
      return TRUE;
    }

  switch (errno)
    {
    case EAGAIN:
      return FALSE;

    /* Errors of the connection that was to be accepted, which is gone: see accept(2). */
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
      return TRUE;

    default:
      pause_accepting (self, errno);
      return FALSE;
    }
}

/* While an event is being handled, the server may be closed and dropped: see listener_done(). */
static void
listener_hold (LoopListener *self)
{
  self->ref_count++;
  g_object_ref (self->server);
}

static void
listener_readable (LoopWatch *watch)
{
  LoopListener *self = from_watch (watch);
  LoopServer *server = self->server;

  listener_hold (self);

  for (int i = 0; i < MAX (server->backlog, 1); i++)
    {
      /* The factory, or an exception handler, may close the server. */
      if (server->listeners == NULL || !accept_one (self))
        break;
    }
}

static void
listener_failed (LoopWatch *watch, GError *error)
{
  LoopListener *self = from_watch (watch);

  listener_hold (self);
  report (self, "A server cannot accept connections any more", g_error_copy (error));
  loop_server_close (self->server);
}

static void
listener_done (LoopWatch *watch)
{
  LoopListener *self = from_watch (watch);
  LoopServer *server = self->server;

  listener_unref (self);
  g_object_unref (server);
}

static void
listener_closed (LoopWatch *watch)
{
  LoopServer *server = from_watch (watch)->server;

  loop_event_loop_warn_of_open (server->loop, "server", server->node.id);
  loop_server_close (server);
}

static void
listener_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  description->id = from_watch (watch)->server->node.id;
  description->kind = "server";
  description->name = "accept";
  description->fd = watch->fd;
}

static const LoopWatchClass listener_watch_class = {
  .readable = listener_readable,
  .writable = listener_readable,
  .failed = listener_failed,
  .closed = listener_closed,
  .done = listener_done,
  .describe = listener_describe,
};

/*
 * loop_listener_new:
 * @socket: is bound
 *
 * Makes a listener, which does not listen yet. The server's socket is its own from then on.
 */
LoopListener *
loop_listener_new (LoopServer *server, GSocket *socket, GError **error)
{
  LoopEventLoop *loop = server->loop;
  LoopListener *self = g_new0 (LoopListener, 1);
  int fd = g_socket_get_fd (socket);
  gboolean is_watched;

  self->ref_count = 1;
  self->server = server;
  self->socket = g_object_ref (socket);
  loop_watch_init (&self->watch, &listener_watch_class, server->node.id);
  loop_fd_watcher_evict (loop, fd);

  loop_event_loop_enter (loop);
  is_watched = loop_poller_add (&loop->poller, &self->watch, fd, LOOP_INTEREST_NONE, error);
  loop_event_loop_leave (loop);

  if (!is_watched)
    g_clear_pointer (&self, listener_unref);

  return self;
}

static void
set_listen_error (int fd, int saved_errno, GError **error)
{
  g_autofree char *text = NULL;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;

  if (getsockname (fd, (struct sockaddr *) &address, &length) == 0)
    text = loop_resolved_address_to_string ((struct sockaddr *) &address, length);

  loop_set_error_from_errno (error, saved_errno, "Could not listen on %s", text != NULL ? text : "a socket");
}

gboolean
loop_listener_listen (LoopListener *self, GError **error)
{
  if (listen (self->watch.fd, self->server->backlog) == 0)
    return TRUE;

  set_listen_error (self->watch.fd, errno, error);

  return FALSE;
}
