/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>
#include <sys/socket.h>

/* What callbacks may do from inside: end themselves, each other, the server, the loop; run a main loop. */

static void
close_self (TcpPeer *self)
{
  loop_transport_close (self->transport);
}

static void
abort_self (TcpPeer *self)
{
  loop_transport_abort (self->transport);
}

static void
close_self_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_close (self->transport);
}

static void
abort_self_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_abort (self->transport);
}

static void
drop_self (TcpPeer *self)
{
  loop_transport_abort (self->transport);
  g_clear_object (&self->transport);
}

static void
set_made (TcpPeer *peer, gpointer user_data)
{
  peer->made = *(void (**) (TcpPeer *)) user_data;
}

START_TEST (test_end_in_connection_made)
{
  static void (*ways[]) (TcpPeer *) = { close_self, abort_self };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      TcpPeer *peer;
      int fd;

      tcp.set_up = set_made;
      tcp.user_data = &ways[i];
      peer = tcp_raw_pair (&tcp, &fd);
      tcp_raw_send (fd, "x");
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      ck_assert_str_eq (peer->events->str, "made lost");
      ck_assert_ptr_null (peer->error);
    }
}
END_TEST

/* A client that ends in connection_made is reported as connected all the same, and is closing. */
START_TEST (test_client_ends_in_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *client;

  tcp_connect (&tcp);
  client = tcp_add_client (&tcp);
  client->made = abort_self;
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  transport = tcp_take_transport (&tcp, future);
  ck_assert (loop_transport_is_closing (transport));
  tcp_run_until (tcp.loop, client->n_lost == 1);
  ck_assert_str_eq (client->events->str, "made lost");
}
END_TEST

START_TEST (test_end_in_data_received)
{
  static void (*ways[]) (TcpPeer *, const guint8 *, gsize) = { close_self_in_data, abort_self_in_data };
  g_autoptr (GBytes) bytes = tcp_random_bytes (2 * 1024 * 1024);

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      TcpPeer *client = tcp_connect (&tcp);
      TcpPeer *server = tcp_last_accepted (&tcp);

      server->data = ways[i];
      loop_transport_write_bytes (client->transport, bytes);
      tcp_run_until (tcp.loop, server->n_lost == 1 && client->n_lost == 1);
      ck_assert_str_eq (server->events->str, "made data lost");
      ck_assert_uint_eq (server->n_data, 1);
      ck_assert_ptr_null (server->error);
    }
}
END_TEST

START_TEST (test_end_in_eof_received)
{
  g_auto (Tcp) tcp = tcp_new ();

  /* Whatever it returns. */
  for (guint i = 0; i < 4; i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->eof = i < 2 ? close_self : abort_self;
      peer->keep_open = i % 2;
      tcp_raw_close (&tcp, fd);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_run_for (tcp.loop, 0.003);
      ck_assert_str_eq (peer->events->str, "made eof lost");
      ck_assert_ptr_null (peer->error);
    }
}
END_TEST

START_TEST (test_end_in_connection_lost)
{
  static void (*ways[]) (TcpPeer *) = { close_self, abort_self, drop_self };
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      int fd;
      TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

      peer->lost = ways[i];
      tcp_raw_close (&tcp, fd);
      tcp_run_until (tcp.loop, peer->n_lost == 1);
      tcp_run_for (tcp.loop, 0.003);
      ck_assert_str_eq (peer->events->str, "made eof lost");
    }
}
END_TEST

static void
drop_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  drop_self (self);
}

/* The loop's reference is enough: a protocol may drop its own at any time. */
START_TEST (test_drop_references)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  gpointer weak = peer->transport;

  g_object_add_weak_pointer (weak, &weak);
  peer->data = drop_in_data;
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  tcp_run_for (tcp.loop, 0.0);
  ck_assert_ptr_null (weak);
}
END_TEST

static void
abort_siblings (TcpPeer *self, const guint8 *data, gsize length)
{
  GPtrArray *peers = self->user_data;

  for (guint i = 0; i < peers->len; i++)
    if (g_ptr_array_index (peers, i) != self)
      loop_transport_abort (((TcpPeer *) g_ptr_array_index (peers, i))->transport);
}

/* All have data in the same batch: the first ends the rest, which hear nothing of their data. */
START_TEST (test_end_siblings)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[20];
  guint n_data = 0;

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      TcpPeer *peer = tcp_raw_pair (&tcp, &fds[i]);

      peer->data = abort_siblings;
      peer->user_data = tcp.accepted;
    }
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    tcp_raw_send (fds[i], "x");
  tcp_run_for (tcp.loop, 0.02);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      TcpPeer *peer = tcp_peer_at (tcp.accepted, i);

      n_data += peer->n_data;
      ck_assert_uint_eq (peer->n_data + peer->n_lost, 1);
    }
  ck_assert_uint_eq (n_data, 1);
}
END_TEST

static void
close_server (TcpPeer *self, const guint8 *data, gsize length)
{
  Tcp *tcp = self->user_data;

  loop_server_close (tcp->server);
  loop_server_abort_clients (tcp->server);
  g_clear_object (&tcp->server);
}

START_TEST (test_end_server)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[5];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      TcpPeer *peer = tcp_raw_pair (&tcp, &fds[i]);

      peer->data = close_server;
      peer->user_data = &tcp;
    }
  tcp_raw_connect (&tcp, tcp.port);
  tcp_raw_send (fds[3], "x");
  tcp_run_until (tcp.loop, tcp_peer_at (tcp.accepted, 3)->n_lost == 1);
  for (guint i = 0; i < tcp.accepted->len; i++)
    {
      TcpPeer *peer = tcp_peer_at (tcp.accepted, i);

      tcp_run_until (tcp.loop, peer->n_made == peer->n_lost);
    }
}
END_TEST

static void
stop_loop (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_event_loop_stop (loop_transport_get_loop (self->transport));
}

/* The loop stops after the batch, and goes on later as if nothing had been. */
START_TEST (test_stop_loop)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fds[2];
  TcpPeer *peers[2];

  for (guint i = 0; i < 2; i++)
    {
      peers[i] = tcp_raw_pair (&tcp, &fds[i]);
      peers[i]->data = stop_loop;
      tcp_raw_send (fds[i], "x");
    }
  ck_assert (loop_event_loop_run_forever (tcp.loop));
  ck_assert_uint_ge (peers[0]->n_data + peers[1]->n_data, 1);
  tcp_raw_send (fds[0], "y");
  ck_assert (loop_event_loop_run_forever (tcp.loop));
  tcp_run_until (tcp.loop, peers[0]->n_bytes == 2 && peers[1]->n_bytes == 1);
}
END_TEST

/* --- A main loop inside a callback -------------------------------------------------------------- */

static void
iterate_until (LoopEventLoop *loop, const gboolean *done)
{
  while (!g_atomic_int_get (done))
    g_main_context_iteration (loop_event_loop_get_context (loop), TRUE);
}

typedef struct
{
  TcpPeer *other;
  int other_fd;
  int own_fd;
  gboolean has_other_data;
  gboolean is_done;
} Nested;

static void
note_data (TcpPeer *self, const guint8 *data, gsize length)
{
  Nested *nested = self->user_data;

  nested->has_other_data = TRUE;
}

static void
nest_in_data (TcpPeer *self, const guint8 *data, gsize length)
{
  Nested *nested = self->user_data;
  g_autofree guint8 *copy = g_memdup2 (data, length);

  tcp_raw_send (nested->other_fd, "data of somebody else, longer than what came first");
  iterate_until (loop_transport_get_loop (self->transport), &nested->has_other_data);

  /* The bytes are valid until the call returns, whatever was read meanwhile. */
  ck_assert_int_eq (memcmp (copy, data, length), 0);
  nested->is_done = TRUE;
}

START_TEST (test_main_loop_in_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();
  Nested nested = { 0 };
  TcpPeer *peer = tcp_raw_pair (&tcp, &nested.own_fd);

  nested.other = tcp_raw_pair (&tcp, &nested.other_fd);
  nested.other->data = note_data;
  nested.other->user_data = &nested;
  peer->data = nest_in_data;
  peer->user_data = &nested;
  tcp_raw_send (nested.own_fd, "what came first");
  tcp_run_until (tcp.loop, nested.is_done);
  tcp_assert_received (peer, "what came first");
  tcp_assert_received (nested.other, "data of somebody else, longer than what came first");
}
END_TEST

static void
nest_for_more_of_own (TcpPeer *self, const guint8 *data, gsize length)
{
  Nested *nested = self->user_data;
  g_autofree guint8 *copy = g_memdup2 (data, length);

  if (++self->tag > 3)
    {
      nested->has_other_data = TRUE;
      return;
    }

  tcp_raw_send (nested->own_fd, "more");
  iterate_until (loop_transport_get_loop (self->transport), &nested->has_other_data);
  ck_assert_int_eq (memcmp (copy, data, length), 0);
}

/* The same connection goes on being read inside: in order, and four deep. */
START_TEST (test_main_loop_for_the_same_connection)
{
  g_auto (Tcp) tcp = tcp_new ();
  Nested nested = { 0 };
  TcpPeer *peer = tcp_raw_pair (&tcp, &nested.own_fd);

  peer->data = nest_for_more_of_own;
  peer->user_data = &nested;
  tcp_raw_send (nested.own_fd, "first");
  tcp_run_until (tcp.loop, peer->tag == 4);
  tcp_assert_received (peer, "firstmoremoremore");
  tcp_raw_send (nested.own_fd, "last");
  tcp_run_until (tcp.loop, peer->n_bytes == 21);
}
END_TEST

static void
note_lost (TcpPeer *self)
{
  ((Nested *) self->user_data)->is_done = TRUE;
}

static void
nest_until_lost (TcpPeer *self, const guint8 *data, gsize length)
{
  Nested *nested = self->user_data;

  if (nested->own_fd >= 0)
    loop_transport_abort (self->transport);
  iterate_until (loop_transport_get_loop (self->transport), &nested->is_done);
  g_clear_object (&self->transport);
}

static void
nest_until_lost_with_eof (TcpPeer *self, const guint8 *data, gsize length)
{
  Nested *nested = self->user_data;

  shutdown (nested->other_fd, SHUT_WR);
  nest_until_lost (self, data, length);
}

/* The whole life of the transport ends inside its own data_received. */
START_TEST (test_lost_inside_data_received)
{
  g_auto (Tcp) tcp = tcp_new ();

  for (guint i = 0; i < 2; i++)
    {
      Nested nested = { 0 };
      TcpPeer *peer = tcp_raw_pair (&tcp, &nested.other_fd);

      nested.own_fd = i == 0 ? 0 : -1;
      peer->data = i == 0 ? nest_until_lost : nest_until_lost_with_eof;
      peer->lost = note_lost;
      peer->user_data = &nested;
      tcp_raw_send (nested.other_fd, "x");
      tcp_run_until (tcp.loop, nested.is_done && peer->transport == NULL);
      ck_assert_uint_eq (peer->n_lost, 1);
      tcp_run_for (tcp.loop, 0.003);
    }
}
END_TEST

static void
nest_in_resume (TcpPeer *self)
{
  Nested *nested = self->user_data;

  loop_transport_abort (self->transport);
  iterate_until (loop_transport_get_loop (self->transport), &nested->is_done);
}

START_TEST (test_lost_inside_resume_writing)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (8 * 1024 * 1024);
  Nested nested = { 0 };
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_discarding = TRUE;
  client->resumed = nest_in_resume;
  client->lost = note_lost;
  client->user_data = &nested;
  loop_transport_write_bytes (client->transport, bytes);
  tcp_run_until (tcp.loop, nested.is_done);
  tcp_run_for (tcp.loop, 0.003);
  ck_assert_str_eq (client->events->str, "made lost");
}
END_TEST

static void
nest_in_made (TcpPeer *self)
{
  Nested *nested = self->user_data;

  loop_transport_abort (self->transport);
  iterate_until (loop_transport_get_loop (self->transport), &nested->is_done);
}

START_TEST (test_lost_inside_connection_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  Nested nested = { 0 };
  TcpPeer *client;

  tcp_connect (&tcp);
  client = tcp_add_client (&tcp);
  client->made = nest_in_made;
  client->lost = note_lost;
  client->user_data = &nested;
  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", tcp.port, NULL, tcp_client_factory, &tcp, NULL);
  tcp_run_until (tcp.loop, loop_future_done (future) && nested.is_done);
  ck_assert_str_eq (client->events->str, "made lost");
  /* Fulfilled or failed, but not left open. */
  loop_future_result (future, NULL, NULL);
}
END_TEST

LOOP_TEST_MAIN ("transport-reentrancy",
                test_end_in_connection_made,
                test_client_ends_in_connection_made,
                test_end_in_data_received,
                test_end_in_eof_received,
                test_end_in_connection_lost,
                test_drop_references,
                test_end_siblings,
                test_end_server,
                test_stop_loop,
                test_main_loop_in_data_received,
                test_main_loop_for_the_same_connection,
                test_lost_inside_data_received,
                test_lost_inside_resume_writing,
                test_lost_inside_connection_made)
