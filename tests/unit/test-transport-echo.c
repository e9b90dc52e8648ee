/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>

/* Bytes there and back, in the ways in which protocols and loops come. */

static void
set_echo (TcpPeer *peer, gpointer user_data)
{
  peer->is_echo = TRUE;
}

static void
check_echo (Tcp *tcp, TcpPeer *client, GBytes *bytes)
{
  g_autoptr (GBytes) received = NULL;

  g_byte_array_set_size (client->received, 0);
  loop_transport_write (client->transport, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  tcp_run_until (tcp->loop, client->received->len >= g_bytes_get_size (bytes));
  received = g_bytes_new (client->received->data, client->received->len);
  ck_assert (g_bytes_equal (received, bytes));
}

START_TEST (test_sizes)
{
  static const gsize sizes[] = { 1, 2, 1000, 65535, 65536, 65537, 256 * 1024, 256 * 1024 + 1, 3 * 1000 * 1000 };
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client;

  tcp.set_up = set_echo;
  client = tcp_connect (&tcp);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) bytes = tcp_random_bytes (sizes[i]);

      check_echo (&tcp, client, bytes);
    }

  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1 && tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_str_eq (client->events->str, "made data lost");
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "made data eof lost");
}
END_TEST

START_TEST (test_many_connections)
{
  g_auto (Tcp) tcp = tcp_new ();

  tcp.set_up = set_echo;
  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *token = g_strdup_printf ("<token %u>", i);
      TcpPeer *client = tcp_connect (&tcp);

      loop_transport_write (client->transport, (const guint8 *) token, strlen (token));
    }
  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *token = g_strdup_printf ("<token %u>", i);
      TcpPeer *client = tcp_peer_at (tcp.clients, i);

      tcp_run_until (tcp.loop, client->n_bytes == strlen (token));
      tcp_assert_received (client, token);
    }
}
END_TEST

static void
count_round (TcpPeer *self, const guint8 *data, gsize length)
{
  if (++self->tag < 1000)
    loop_transport_write (self->transport, data, length);
}

START_TEST (test_ping_pong)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client;

  tcp.set_up = set_echo;
  client = tcp_connect (&tcp);
  client->data = count_round;
  loop_transport_write (client->transport, (const guint8 *) "ping", 4);
  tcp_run_until (tcp.loop, client->tag == 1000);
  ck_assert_uint_eq (client->n_bytes, 4000);
}
END_TEST

/* --- A protocol that is a GObject class, and implements but a part ------------------------------ */

#define TEST_TYPE_PROTOCOL (test_protocol_get_type ())
G_DECLARE_FINAL_TYPE (TestProtocol, test_protocol, TEST, PROTOCOL, GObject)

struct _TestProtocol
{
  GObject parent_instance;

  LoopTransport *transport;
};

static guint n_finalized;

static void
test_protocol_connection_made (LoopProtocol *protocol, LoopTransport *transport)
{
  TEST_PROTOCOL (protocol)->transport = transport;
}

static void
test_protocol_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  loop_transport_write (TEST_PROTOCOL (protocol)->transport, data, length);
}

static void
test_protocol_iface_init (LoopProtocolInterface *iface)
{
  iface->connection_made = test_protocol_connection_made;
  iface->data_received = test_protocol_data_received;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestProtocol,
                               test_protocol,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, test_protocol_iface_init))

static void
test_protocol_finalize (GObject *object)
{
  n_finalized++;
  G_OBJECT_CLASS (test_protocol_parent_class)->finalize (object);
}

static void
test_protocol_class_init (TestProtocolClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_protocol_finalize;
}

static void
test_protocol_init (TestProtocol *self)
{
}

static GObject *
make_test_protocol (gpointer user_data)
{
  return g_object_new (TEST_TYPE_PROTOCOL, NULL);
}

START_TEST (test_class)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, make_test_protocol, NULL, NULL);
  int fd;
  g_autofree char *answer = NULL;

  tcp.server = tcp_take_server (&tcp, future);
  fd = tcp_raw_connect (&tcp, tcp_server_port (tcp.server, 0));
  tcp_raw_send (fd, "hello");
  tcp_run_for (tcp.loop, 0.02);
  answer = tcp_raw_receive (fd, 5);
  ck_assert_str_eq (answer, "hello");

  /* By default an end of file closes, and the protocol goes with the connection. */
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, n_finalized == 1);
  ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

/* --- Other loops -------------------------------------------------------------------------------- */

/* Somebody else iterates the context; run_forever is never called. */
START_TEST (test_foreign_main_loop)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_auto (Tcp) tcp = tcp_new_for_context (context);
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) server = NULL;
  g_autoptr (LoopFuture) connection = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GBytes) bytes = tcp_random_bytes (1000 * 1000);
  TcpPeer *client = tcp_add_client (&tcp);

  tcp.set_up = set_echo;
  server = loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, tcp_accept_factory, &tcp, NULL);
  while (!loop_future_done (server))
    g_main_context_iteration (context, TRUE);
  ck_assert (loop_future_result (server, &value, NULL));

  connection = loop_event_loop_create_connection (
      tcp.loop, "127.0.0.1", tcp_server_port (g_value_get_object (&value), 0), NULL, tcp_client_factory, &tcp, NULL);
  while (client->n_made == 0)
    g_main_context_iteration (context, TRUE);
  loop_transport_write_bytes (client->transport, bytes);
  while (client->n_bytes < g_bytes_get_size (bytes))
    g_main_context_iteration (context, TRUE);
  ck_assert_int_eq (memcmp (client->received->data, g_bytes_get_data (bytes, NULL), client->n_bytes), 0);

  loop_transport_close (client->transport);
  while (client->n_lost == 0 || tcp_last_accepted (&tcp)->n_lost == 0)
    g_main_context_iteration (context, TRUE);
}
END_TEST

typedef struct
{
  guint16 port;
  int id;
} Job;

/* A client with a loop of its own, in its own thread. */
static gpointer
run_client (gpointer data)
{
  Job *job = data;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Tcp tcp = { .loop = loop, .clients = g_ptr_array_new () };
  TcpPeer *client = tcp_add_client (&tcp);
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_connection (loop, "127.0.0.1", job->port, NULL, tcp_client_factory, &tcp, NULL);
  g_autofree char *token = g_strdup_printf ("<thread %d>", job->id);

  g_object_unref (tcp_take_transport (&tcp, future));
  for (guint i = 1; i <= 50; i++)
    {
      loop_transport_write (client->transport, (const guint8 *) token, strlen (token));
      tcp_run_until (loop, client->n_bytes == i * strlen (token));
    }
  for (guint i = 0; i < client->n_bytes; i++)
    ck_assert_int_eq (client->received->data[i], token[i % strlen (token)]);

  loop_event_loop_close (loop);
  tcp_peer_unref (client);
  g_ptr_array_unref (tcp.clients);

  return NULL;
}

START_TEST (test_threads)
{
  g_auto (Tcp) tcp = tcp_new ();
  GThread *threads[4];
  Job jobs[G_N_ELEMENTS (threads)];
  gsize n_lost = 0;

  tcp.set_up = set_echo;
  /* Here, so that all types are known before the threads begin. */
  loop_transport_close (tcp_connect (&tcp)->transport);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      jobs[i] = (Job) { tcp.port, (int) i };
      threads[i] = g_thread_new ("client", run_client, &jobs[i]);
    }
  while (n_lost < G_N_ELEMENTS (threads) + 1)
    {
      tcp_run_for (tcp.loop, 0.005);
      n_lost = 0;
      for (guint i = 0; i < tcp.accepted->len; i++)
        n_lost += tcp_peer_at (tcp.accepted, i)->n_lost;
    }
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}
END_TEST

LOOP_TEST_MAIN ("transport-echo",
                test_sizes,
                test_many_connections,
                test_ping_pong,
                test_class,
                test_foreign_main_loop,
                test_threads)
