/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-private.h"

#include "loop-socket-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who is connected to the inspector, and how much each may cost. On its thread, but for what says otherwise. */

/*
 * What a client has asked for and has not been sent yet. GDBus would queue answers for
 * one that does not read them without a limit.
 */
typedef struct
{
  int n_calls;
  int n_bytes; /* of pages alone: all else is small */
  int is_dropped;
} ClientBacklog;

static ClientBacklog *
get_backlog (GDBusConnection *connection)
{
  return g_object_get_data (G_OBJECT (connection), "loop-backlog");
}

/*
 * On any thread. GDBus notices, and says that the connection is closed.
 *
 * Returns: whether @closed will be called, in the thread's context
 */
static gboolean
drop_client_then (GDBusConnection *connection, GAsyncReadyCallback closed, gpointer user_data)
{
  GSocketConnection *stream = G_SOCKET_CONNECTION (g_dbus_connection_get_stream (connection));

  __atomic_store_n (&get_backlog (connection)->is_dropped, TRUE, __ATOMIC_RELAXED);
  if (g_socket_shutdown (g_socket_connection_get_socket (stream), TRUE, TRUE, NULL))
    return FALSE;

  g_dbus_connection_close (connection, NULL, closed, user_data);

  return TRUE;
}

static void
drop_client (GDBusConnection *connection)
{
  drop_client_then (connection, NULL, NULL);
}

/*
 * A call whose caller expects no reply is answered like any other, so that each call is
 * counted out as it was counted in. It has this serial, by which its reply is known.
 */
#define UNEXPECTED_SERIAL G_MAXUINT32

/* Returns: (nullable): a reference to @message, or to a copy that expects a reply */
static GDBusMessage *
expect_reply (GDBusMessage *message)
{
  GDBusMessageFlags flags = g_dbus_message_get_flags (message);
  GDBusMessage *copy;

  if ((flags & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) == 0)
    return g_object_ref (message);

  /* Fails for descriptors that somebody sent along, when there is no room for more. */
  copy = g_dbus_message_copy (message, NULL);
  if (copy != NULL)
    {
      g_dbus_message_set_flags (copy, flags & ~G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED);
      g_dbus_message_set_serial (copy, UNEXPECTED_SERIAL);
    }

  return copy;
}

/* Takes @message. */
static GDBusMessage *
count_call (GDBusConnection *connection, GDBusMessage *message, ClientBacklog *backlog)
{
  g_autoptr (GDBusMessage) owned = message;
  GDBusMessage *counted = NULL;

  /* GDBus may read on after a failed write, and does not keep the connection alive for calls to a subtree. */
  if (g_dbus_connection_is_closed (connection))
    return NULL;

  if (g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
    return g_steal_pointer (&owned);

  if (__atomic_add_fetch (&backlog->n_calls, 1, __ATOMIC_RELAXED) <= LOOP_INSPECTOR_MAX_CALLS)
    counted = expect_reply (message);
  if (counted == NULL)
    drop_client (connection);

  return counted;
}

/* Takes @message. */
static GDBusMessage *
count_answer (GDBusMessage *message, ClientBacklog *backlog)
{
  if (g_strcmp0 (g_dbus_message_get_signature (message), LOOP_INSPECTOR_PAGE_SIGNATURE) == 0)
    __atomic_sub_fetch (&backlog->n_bytes, (int) g_variant_get_size (g_dbus_message_get_body (message)),
                        __ATOMIC_RELAXED);
  __atomic_sub_fetch (&backlog->n_calls, 1, __ATOMIC_RELAXED);

  if (g_dbus_message_get_reply_serial (message) == UNEXPECTED_SERIAL)
    g_clear_object (&message);

  return message;
}

/* On GDBus's thread: an answer comes by when it is about to be written, and those before it have been. */
static GDBusMessage *
count_message (GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer user_data)
{
  return incoming ? count_call (connection, message, user_data) : count_answer (message, user_data);
}

/* Whether to bother to answer. */
gboolean
loop_inspector_is_served (GDBusConnection *connection)
{
  return !__atomic_load_n (&get_backlog (connection)->is_dropped, __ATOMIC_RELAXED);
}

/* Called before a page is sent. */
void
loop_inspector_count_page (GDBusConnection *connection, GVariant *page)
{
  int size = (int) g_variant_get_size (page);

  if (__atomic_add_fetch (&get_backlog (connection)->n_bytes, size, __ATOMIC_RELAXED) >
      size + LOOP_INSPECTOR_MAX_UNSENT)
    drop_client (connection);
}

static void
client_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error, gpointer user_data)
{
  LoopInspector *self = user_data;

  g_ptr_array_remove_fast (self->clients, connection);
}

/* Whether there ever was a client: GDBus then has a thread. */
gboolean loop_inspector_has_served;

/*
 * With the first client GDBus makes a context for its thread, and GLib aborts the process when there is no
 * descriptor left for that: one is kept from before a client is accepted until then.
 */
static gboolean
keep_spare (LoopInspector *self)
{
  if (self->spare_fd < 0 && !loop_inspector_has_served)
    self->spare_fd = eventfd (0, EFD_CLOEXEC);

  return self->spare_fd >= 0 || loop_inspector_has_served;
}

/* Also in the child of a fork, wherever the thread was: what is closed is never still in the field. */
void
loop_inspector_drop_spare (LoopInspector *self)
{
  int fd = __atomic_exchange_n (&self->spare_fd, -1, __ATOMIC_SEQ_CST);

  if (fd >= 0)
    close (fd);
}

/* Hands an authenticated client over to GDBus. Takes @fd. */
static void
serve_client (LoopInspector *self, int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = loop_socket_wrap (fd, &error);
  g_autoptr (GSocketConnection) stream = NULL;
  g_autoptr (GDBusConnection) connection = NULL;
  ClientBacklog *backlog;

  if (socket == NULL)
    {
      g_debug ("A client of the inspector could not be served: %s", error->message);
      return;
    }

  /* Without a flag for authentication, which is done, this neither blocks nor reads. */
  stream = g_socket_connection_factory_create_connection (socket);
  __atomic_store_n (&loop_inspector_has_served, TRUE, __ATOMIC_RELAXED);
  loop_inspector_drop_spare (self);
  connection = g_dbus_connection_new_sync (G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                           NULL, NULL, &error);

  if (connection != NULL)
    {
      backlog = g_new0 (ClientBacklog, 1);
      g_object_set_data_full (G_OBJECT (connection), "loop-backlog", backlog, g_free);
      g_dbus_connection_add_filter (connection, count_message, backlog, NULL);
    }

  if (connection == NULL || !loop_inspector_export (self, connection, &error))
    {
      g_debug ("A client of the inspector could not be served: %s", error->message);
      return;
    }

  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (client_closed), self);
  g_ptr_array_add (self->clients, g_object_ref (connection));
  g_dbus_connection_start_message_processing (connection);
}

/* Somebody who has connected and not authenticated yet. */
typedef struct
{
  LoopInspector *inspector;
  LoopInspectorAuth auth;
  GSource *readable;
  GSource *deadline;
} PendingClient;

/* Takes the descriptor out of @client, or closes it. */
static void
pending_client_free (PendingClient *client)
{
  g_queue_remove (&client->inspector->pending, client);
  g_source_destroy (client->readable);
  g_source_unref (client->readable);
  g_source_destroy (client->deadline);
  g_source_unref (client->deadline);
  if (client->auth.fd >= 0)
    close (client->auth.fd);
  loop_inspector_auth_clear (&client->auth);
  if (client->inspector->pending.length == 0)
    loop_inspector_drop_spare (client->inspector);
  g_free (client);
}

static gboolean
pending_client_readable (int fd, GIOCondition condition, gpointer user_data)
{
  PendingClient *client = user_data;
  LoopInspector *self = client->inspector;

  switch (loop_inspector_auth_readable (&client->auth))
    {
    case LOOP_INSPECTOR_AUTH_PENDING:
      return G_SOURCE_CONTINUE;

    case LOOP_INSPECTOR_AUTH_DONE:
      if (self->clients->len < LOOP_INSPECTOR_MAX_CLIENTS)
        client->auth.fd = -1;
      else
        fd = -1;
      if (fd >= 0)
        serve_client (self, fd);
      pending_client_free (client);
      return G_SOURCE_REMOVE;

    case LOOP_INSPECTOR_AUTH_FAILED:
      pending_client_free (client);
      return G_SOURCE_REMOVE;

    default:
      g_assert_not_reached ();
    }
}

static gboolean
pending_client_is_late (gpointer user_data)
{
  pending_client_free (user_data);

  return G_SOURCE_REMOVE;
}

static GSource *
attach (LoopInspector *self, GSource *source, GSourceFunc function, gpointer user_data)
{
  g_source_set_callback (source, function, user_data, NULL);
  g_source_attach (source, self->context);

  return source;
}

/* Who authenticates in earnest is done at once: so it is the silent that are driven out, the oldest first. */
static PendingClient *
choose_victim (LoopInspector *self)
{
  for (GList *link = self->pending.head; link != NULL; link = link->next)
    {
      PendingClient *client = link->data;

      if (client->auth.n_bytes == 0)
        return client;
    }

  return self->pending.head->data;
}

/* Takes @fd. */
static void
add_pending (LoopInspector *self, int fd)
{
  PendingClient *client;

  if (self->pending.length >= LOOP_INSPECTOR_MAX_PENDING)
    pending_client_free (choose_victim (self));

  client = g_new0 (PendingClient, 1);
  client->inspector = self;
  loop_inspector_auth_init (&client->auth, fd);
  client->readable = attach (self, g_unix_fd_source_new (fd, G_IO_IN), G_SOURCE_FUNC (pending_client_readable), client);
  client->deadline =
      attach (self, g_timeout_source_new_seconds (LOOP_INSPECTOR_AUTH_SECONDS), pending_client_is_late, client);
  g_queue_push_tail (&self->pending, client);

  /* What it has sent already, while it was queued, counts for it. */
  pending_client_readable (fd, G_IO_IN, client);
}

static gboolean
client_connected (int listener_fd, GIOCondition condition, gpointer user_data)
{
  LoopInspector *self = user_data;
  int fd = keep_spare (self) ? accept4 (listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
  int saved_errno = errno;

  if (fd >= 0 && loop_inspector_auth_check_peer (fd) && self->clients->len < LOOP_INSPECTOR_MAX_CLIENTS)
    {
      add_pending (self, fd);
      return G_SOURCE_CONTINUE;
    }

  if (self->pending.length == 0)
    loop_inspector_drop_spare (self);
  if (fd >= 0)
    close (fd);
  /* Out of descriptors: the process is in trouble enough without a spinning inspector. */
  else if (saved_errno == EMFILE || saved_errno == ENFILE || saved_errno == ENOMEM || saved_errno == ENOBUFS)
    g_usleep (G_USEC_PER_SEC / 10);

  return G_SOURCE_CONTINUE;
}

void
loop_inspector_listen (LoopInspector *self)
{
  self->listener =
      attach (self, g_unix_fd_source_new (self->socket.fd, G_IO_IN), G_SOURCE_FUNC (client_connected), self);
}

/* Nor are those waited for that have not authenticated yet. */
void
loop_inspector_stop_listening (LoopInspector *self)
{
  g_source_destroy (self->listener);
  g_clear_pointer (&self->listener, g_source_unref);
  while (self->pending.length > 0)
    pending_client_free (self->pending.head->data);
}

static void
client_dropped (GObject *connection, GAsyncResult *result, gpointer user_data)
{
  guint *n_left = user_data;

  (*n_left)--;
}

/* The last call for @context, in which nothing is left behind: it would keep the context, and that it, for ever. */
void
loop_inspector_drop_clients (LoopInspector *self)
{
  guint n_left = 0;

  for (guint i = 0; i < self->clients->len; i++)
    n_left += drop_client_then (g_ptr_array_index (self->clients, i), client_dropped, &n_left) ? 1 : 0;

  while (self->clients->len > 0 || n_left > 0)
    g_main_context_iteration (self->context, TRUE);
}
