/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>

/* Changing the protocol in the middle of a connection, as after a negotiation. */

typedef struct
{
  GString *text;
  guint n_made, n_lost, n_eof, n_paused, n_resumed;
  gboolean is_destroyed;
} Second;

static void
second_made (LoopTransport *transport, gpointer user_data)
{
  ((Second *) user_data)->n_made++;
}

static void
second_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  g_string_append_len (((Second *) user_data)->text, (const char *) data, (gssize) length);
}

static gboolean
second_eof (LoopTransport *transport, gpointer user_data)
{
  ((Second *) user_data)->n_eof++;

  return FALSE;
}

static void
second_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  ((Second *) user_data)->n_lost++;
}

static void
second_paused (LoopTransport *transport, gpointer user_data)
{
  ((Second *) user_data)->n_paused++;
}

static void
second_resumed (LoopTransport *transport, gpointer user_data)
{
  ((Second *) user_data)->n_resumed++;
}

static void
second_destroy (gpointer user_data)
{
  ((Second *) user_data)->is_destroyed = TRUE;
}

static const LoopProtocolVTable second_vtable = {
  second_made, second_lost, second_paused, second_resumed, second_data, second_eof,
};

static void
switch_to (LoopTransport *transport, Second *second)
{
  g_autoptr (LoopProtocol) protocol = loop_protocol_new (&second_vtable, second, second_destroy);

  second->text = g_string_new (NULL);
  loop_transport_set_protocol (transport, G_OBJECT (protocol));
  ck_assert_ptr_eq (loop_transport_get_protocol (transport), protocol);
}

START_TEST (test_switch)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_send (fd, "first");
  tcp_run_until (tcp.loop, peer->n_bytes == 5);
  switch_to (peer->transport, &second);
  ck_assert_ptr_null (peer->protocol);

  tcp_raw_send (fd, "second");
  tcp_run_until (tcp.loop, second.text->len == 6);
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, second.is_destroyed);
  ck_assert_str_eq (second.text->str, "second");
  ck_assert_uint_eq (second.n_made, 0);
  ck_assert_uint_eq (second.n_eof, 1);
  ck_assert_uint_eq (second.n_lost, 1);
  ck_assert_str_eq (peer->events->str, "made data");
  g_string_free (second.text, TRUE);
}
END_TEST

static void
switch_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  switch_to (self->transport, self->user_data);
}

/* From inside data_received, with more to come in the same event. */
START_TEST (test_in_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (2 * 1024 * 1024);
  Second second = { 0 };
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);

  server->data = switch_in_data;
  server->user_data = &second;
  loop_transport_write_bytes (client->transport, bytes);
  tcp_run_until (tcp.loop, second.text != NULL && server->n_bytes + second.text->len == g_bytes_get_size (bytes));
  ck_assert_uint_eq (server->n_data, 1);
  ck_assert_int_eq (memcmp (server->received->data, g_bytes_get_data (bytes, NULL), server->n_bytes), 0);
  ck_assert_int_eq (
      memcmp (second.text->str, (const char *) g_bytes_get_data (bytes, NULL) + server->n_bytes, second.text->len), 0);
  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, second.n_lost == 1);
  g_string_free (second.text, TRUE);
}
END_TEST

static void
switch_plainly (TcpPeer *self)
{
  switch_to (self->transport, self->user_data);
}

/* From inside any other call: what comes next is the new one's. */
START_TEST (test_in_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *client;

  tcp_connect (&tcp);
  client = tcp_add_client (&tcp);
  client->made = switch_plainly;
  client->user_data = &second;
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  transport = tcp_take_transport (&tcp, future);
  loop_transport_close (transport);
  tcp_run_until (tcp.loop, second.n_lost == 1);
  ck_assert_str_eq (client->events->str, "made");
  g_string_free (second.text, TRUE);
}
END_TEST

START_TEST (test_in_eof_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->eof = switch_plainly;
  peer->user_data = &second;
  tcp_raw_close (&tcp, fd);
  tcp_run_until (tcp.loop, second.n_lost == 1);
  ck_assert_uint_eq (second.n_eof, 0);
  ck_assert_str_eq (peer->events->str, "made eof");
  g_string_free (second.text, TRUE);
}
END_TEST

/* The old one was told to pause, the new one is told to resume. */
START_TEST (test_while_paused)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  Second second = { 0 };
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_discarding = TRUE;
  loop_transport_write_bytes (client->transport, bytes);
  ck_assert_uint_eq (client->n_paused, 1);
  switch_to (client->transport, &second);
  tcp_run_until (tcp.loop, second.n_resumed == 1);
  ck_assert_uint_eq (second.n_paused, 0);
  ck_assert_uint_eq (client->n_resumed, 0);
  loop_transport_abort (client->transport);
  tcp_run_until (tcp.loop, second.n_lost == 1);
  g_string_free (second.text, TRUE);
}
END_TEST

/* After close() there still is connection_lost to be told. */
START_TEST (test_while_closing)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  TcpPeer *client = tcp_connect (&tcp);

  loop_transport_close (client->transport);
  switch_to (client->transport, &second);
  tcp_run_until (tcp.loop, second.n_lost == 1 && second.is_destroyed);
  ck_assert_str_eq (client->events->str, "made");
  g_string_free (second.text, TRUE);
}
END_TEST

/* A transport that has lost its connection has no use for a protocol, and must not keep one for ever. */
START_TEST (test_after_loss)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  TcpPeer *client = tcp_connect (&tcp);
  GString *text;

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  switch_to (client->transport, &second);
  text = second.text;
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (second.n_made + second.n_lost, 0);
  g_clear_object (&client->transport);
  ck_assert (second.is_destroyed);
  g_string_free (text, TRUE);
}
END_TEST

#define TEST_TYPE_PROTOCOL (test_protocol_get_type ())
G_DECLARE_FINAL_TYPE (TestProtocol, test_protocol, TEST, PROTOCOL, GObject)

struct _TestProtocol
{
  GObject parent_instance;

  gsize n_bytes;
};

static void
test_protocol_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  TEST_PROTOCOL (protocol)->n_bytes += length;
}

static void
test_protocol_iface_init (LoopProtocolInterface *iface)
{
  iface->data_received = test_protocol_data_received;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestProtocol,
                               test_protocol,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, test_protocol_iface_init))

static void
test_protocol_class_init (TestProtocolClass *klass)
{
}

static void
test_protocol_init (TestProtocol *self)
{
}

/* The new one is of another class than the old. */
START_TEST (test_another_class)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (TestProtocol) protocol = g_object_new (TEST_TYPE_PROTOCOL, NULL);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_set_protocol (peer->transport, G_OBJECT (protocol));
  tcp_raw_send (fd, "hello");
  tcp_run_until (tcp.loop, protocol->n_bytes == 5);
  ck_assert_str_eq (peer->events->str, "made");
}
END_TEST

START_TEST (test_property)
{
  g_auto (Tcp) tcp = tcp_new ();
  Second second = { 0 };
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (GObject) protocol = NULL;
  guint n_notified = 0;

  g_signal_connect_swapped (client->transport, "notify::protocol", G_CALLBACK (g_atomic_int_inc), &n_notified);
  g_object_get (client->transport, "protocol", &protocol, NULL);
  ck_assert_ptr_eq (protocol, client->protocol);
  loop_transport_set_protocol (client->transport, protocol);
  ck_assert_uint_eq (n_notified, 0);
  switch_to (client->transport, &second);
  ck_assert_uint_eq (n_notified, 1);
  g_object_set (client->transport, "protocol", protocol, NULL);
  ck_assert_uint_eq (n_notified, 2);
  ck_assert (second.is_destroyed);
  ck_assert_ptr_eq (loop_transport_get_protocol (client->transport), protocol);
  g_string_free (second.text, TRUE);
}
END_TEST

LOOP_TEST_MAIN ("transport-set-protocol",
                test_switch,
                test_in_data_received,
                test_in_connection_made,
                test_in_eof_received,
                test_while_paused,
                test_while_closing,
                test_after_loss,
                test_another_class,
                test_property)
