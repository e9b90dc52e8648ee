/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Descriptors that are closed and given out again, thousands of times, in the middle of events (uvloop#645:
 * answers that went to other users). Each connection has a token of its own, and no other's bytes may turn up.
 */

#define N_CONNECTIONS 2000
#define N_AT_ONCE 60
#define TOKEN_LENGTH 16

typedef struct
{
  Tcp *tcp;
  GRand *rand;
  guint n_started;
  guint n_running;
  guint n_cancelled;
  gsize n_echoed;
} Storm;

static void start_next (Storm *storm);

static void
make_token (char *token, guint id)
{
  g_snprintf (token, TOKEN_LENGTH + 1, "<%06u>abcdefgh", id % 1000000);
}

/* All that a peer receives is its own token, over and over. */
static void
check_token (TcpPeer *self, guint id, const guint8 *data, gsize length)
{
  gsize start = self->n_bytes - length;
  char token[TOKEN_LENGTH + 1];

  make_token (token, id);
  for (gsize i = 0; i < length; i++)
    ck_assert_msg (data[i] == (guint8) token[(start + i) % TOKEN_LENGTH], "foreign byte in connection %u: %.*s", id,
                   (int) length, data);
}

static void
end_somehow (Storm *storm, TcpPeer *self)
{
  switch (g_rand_int_range (storm->rand, 0, 4))
    {
    case 0:
      loop_transport_close (self->transport);
      break;
    case 1:
      loop_transport_abort (self->transport);
      break;
    case 2:
      loop_transport_write_eof (self->transport);
      break;
    default:
      {
        g_auto (GValue) value = G_VALUE_INIT;
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };

        ck_assert (loop_transport_get_extra_info (self->transport, "socket", &value));
        setsockopt (g_socket_get_fd (g_value_get_object (&value)), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        loop_transport_abort (self->transport);
      }
    }
}

static void
send_token (TcpPeer *self, guint id)
{
  char token[TOKEN_LENGTH + 1];

  make_token (token, id);
  loop_transport_write (self->transport, (const guint8 *) token, TOKEN_LENGTH);
}

static void
client_made (TcpPeer *self)
{
  send_token (self, (guint) self->tag);
}

static void
client_data (TcpPeer *self, const guint8 *data, gsize length)
{
  Storm *storm = self->user_data;

  check_token (self, (guint) self->tag, data, length);
  storm->n_echoed += length;
  if (g_rand_int_range (storm->rand, 0, 3) == 0)
    end_somehow (storm, self);
  else
    send_token (self, (guint) self->tag);
}

static void
server_data (TcpPeer *self, const guint8 *data, gsize length)
{
  Storm *storm = self->user_data;

  if (self->tag < 0)
    {
      ck_assert_uint_ge (length, 7);
      ck_assert_int_eq (data[0], '<');
      self->tag = (gint) g_ascii_strtoull ((const char *) data + 1, NULL, 10);
    }
  check_token (self, (guint) self->tag, data, length);
  if (g_rand_int_range (storm->rand, 0, 12) == 0)
    end_somehow (storm, self);
  else
    loop_transport_write (self->transport, data, length);
}

static void
set_server (TcpPeer *peer, gpointer user_data)
{
  peer->tag = -1;
  peer->is_discarding = TRUE;
  peer->user_data = user_data;
  peer->data = server_data;
}

static void
connection_ended (Storm *storm)
{
  storm->n_running--;
  start_next (storm);
}

static void
client_lost (TcpPeer *self)
{
  connection_ended (self->user_data);
}

static void
client_reported (LoopFuture *future, gpointer user_data)
{
  TcpPeer *self = user_data;
  Storm *storm = self->user_data;
  g_autoptr (GError) error = NULL;

  if (loop_future_result (future, NULL, &error))
    return;

  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  storm->n_cancelled++;
  if (self->n_made == 0)
    connection_ended (storm);
}

static void
cancel_future (gpointer future)
{
  loop_future_cancel (future);
}

static void
start_next (Storm *storm)
{
  TcpPeer *peer;
  LoopFuture *future;

  /* A plain descriptor that comes and goes mixes up the numbers further. */
  if (g_rand_boolean (storm->rand))
    close (dup (STDERR_FILENO));
  if (storm->n_started == N_CONNECTIONS)
    return;

  peer = tcp_add_client (storm->tcp);
  peer->tag = (gint) storm->n_started++;
  peer->is_discarding = TRUE;
  peer->user_data = storm;
  peer->made = client_made;
  peer->data = client_data;
  peer->lost = client_lost;
  storm->n_running++;
  future = loop_event_loop_create_connection (storm->tcp->loop, "127.0.0.1", storm->tcp->port, NULL, tcp_peer_factory,
                                              peer, NULL);
  loop_future_add_done_callback (future, client_reported, peer, NULL);
  if (g_rand_int_range (storm->rand, 0, 8) == 0)
    loop_event_loop_call_later (storm->tcp->loop, g_rand_double (storm->rand) * 0.0005, cancel_future,
                                g_object_ref (future), g_object_unref);
  g_object_unref (future);
}

static void
run_storm (guint32 seed)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  Storm storm = { .tcp = &tcp, .rand = rand };
  guint n_server_data = 0;

  tcp.set_up = set_server;
  tcp.user_data = &storm;
  tcp_connect (&tcp);
  for (guint i = 0; i < N_AT_ONCE; i++)
    start_next (&storm);
  tcp_run_until (tcp.loop, storm.n_started == N_CONNECTIONS && storm.n_running == 0);

  for (guint i = 0; i < tcp.accepted->len; i++)
    {
      TcpPeer *peer = tcp_peer_at (tcp.accepted, i);

      n_server_data += peer->n_data;
      if (i > 0)
        tcp_run_until (tcp.loop, peer->n_lost == 1);
    }
  ck_assert_uint_gt (n_server_data, N_CONNECTIONS);
  ck_assert_uint_gt (storm.n_echoed, N_CONNECTIONS * TOKEN_LENGTH);
  ck_assert_uint_gt (storm.n_cancelled, 0);
}

START_TEST (test_storm) { run_storm (1); }
END_TEST

/* A number that belonged to a connection is watched for something else, and back again. */
static void
count (gpointer data)
{
  ++*(guint *) data;
}

START_TEST (test_number_changes_hands)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  guint n_ready = 0;
  int pair[2];
  int number;
  g_auto (GValue) value = G_VALUE_INIT;
  TcpPeer *again;

  ck_assert (loop_transport_get_extra_info (client->transport, "socket", &value));
  number = g_socket_get_fd (g_value_get_object (&value));
  loop_transport_abort (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);

  /* The same number, for a pair of our own, and with the same interest. */
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  if (pair[0] != number)
    {
      ck_assert_int_eq (dup3 (pair[0], number, O_CLOEXEC), number);
      close (pair[0]);
      pair[0] = number;
    }
  ck_assert (loop_event_loop_add_reader (tcp.loop, number, count, &n_ready, NULL));
  tcp_run_for (tcp.loop, 0.003);
  ck_assert_uint_eq (n_ready, 0);
  tcp_raw_send (pair[1], "x");
  tcp_run_until (tcp.loop, n_ready > 0);
  ck_assert (loop_event_loop_remove_reader (tcp.loop, number));
  close (pair[0]);
  close (pair[1]);

  again = tcp_connect (&tcp);
  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_transport_write (again->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, again->n_bytes == 1);
}
END_TEST

/*
 * A child process has a copy of a descriptor that was closed: what still comes for it is not for the connection that
 * has its number by now, nor for the loop.
 */
START_TEST (test_copy_lives_on)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  TcpPeer *server = tcp_last_accepted (&tcp);
  TcpPeer *again;
  int number = loop_transport_get_fd (client->transport);
  int copy = fcntl (number, F_DUPFD_CLOEXEC, 500);
  guint64 n;

  ck_assert_int_ge (copy, 500);
  tcp_run_for (tcp.loop, 0.005);
  loop_transport_abort (client->transport);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  again = tcp_connect (&tcp);
  ck_assert_int_eq (loop_transport_get_fd (again->transport), number);
  loop_transport_write (server->transport, (const guint8 *) "for nobody", 10);
  tcp_run_for (tcp.loop, 0.02);

  n = tcp_count_iterations (tcp.loop);
  tcp_run_for (tcp.loop, 0.05);
  ck_assert_uint_le (tcp_count_iterations (tcp.loop) - n, 5);
  ck_assert_uint_eq (again->n_data, 0);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_transport_write (again->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, again->n_bytes == 1);
  close (copy);
}
END_TEST

/* Whoever closes a descriptor that is watched is told, and the connection that gets its number works. */
START_TEST (test_number_closed_while_watched)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopExceptionContext) report = NULL;
  TcpPeer *client;
  guint n_ready = 0;
  int pair[2];

  tcp_connect (&tcp);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  ck_assert (loop_event_loop_add_reader (tcp.loop, pair[0], count, &n_ready, NULL));
  tcp_run_for (tcp.loop, 0.0);
  close (pair[0]);

  client = tcp_connect (&tcp);
  tcp_last_accepted (&tcp)->is_echo = TRUE;
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, client->n_bytes == 1);
  ck_assert_uint_eq (n_ready, 0);
  ck_assert_uint_eq (tcp.reports->len, 1);
  report = tcp_take_report (&tcp);
  tcp_assert_error (loop_exception_context_get_exception (report), G_IO_ERROR, G_IO_ERROR_CLOSED);
  close (pair[1]);
}
END_TEST

/* The same when it is the server that is given the number. */
START_TEST (test_number_closed_while_watched_then_accepted)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint n_ready = 0;
  int pair[2];
  int fd;

  tcp_connect (&tcp);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  ck_assert (loop_event_loop_add_reader (tcp.loop, pair[0], count, &n_ready, NULL));
  fd = tcp_raw_connect (&tcp, tcp.port);
  close (pair[0]);

  tcp_run_until (tcp.loop, tcp.accepted->len == 2);
  tcp_raw_send (fd, "x");
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
  ck_assert_uint_eq (n_ready, 0);
  loop_exception_context_unref (tcp_take_report (&tcp));
  close (pair[1]);
}
END_TEST

/* The descriptor of a transport is its own: nobody else may watch it. */
START_TEST (test_number_in_use)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (tcp.server);
  g_autoptr (GError) error = NULL;
  int fds[2];

  ck_assert (loop_transport_get_extra_info (client->transport, "socket", &value));
  fds[0] = g_socket_get_fd (g_value_get_object (&value));
  fds[1] = g_socket_get_fd (g_ptr_array_index (sockets, 0));
  for (guint i = 0; i < 2; i++)
    {
      ck_assert (!loop_event_loop_add_reader_full (tcp.loop, fds[i], count, NULL, NULL, &error));
      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);
      g_clear_error (&error);
      ck_assert (!loop_event_loop_add_writer_full (tcp.loop, fds[i], count, NULL, NULL, &error));
      tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE);
      g_clear_error (&error);
      ck_assert (!loop_event_loop_remove_reader (tcp.loop, fds[i]));
      ck_assert (!loop_event_loop_remove_writer (tcp.loop, fds[i]));
    }
  loop_transport_write (client->transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_bytes == 1);
}
END_TEST

LOOP_TEST_MAIN ("transport-fd-reuse",
                test_storm,
                test_number_changes_hands,
                test_copy_lives_on,
                test_number_closed_while_watched,
                test_number_closed_while_watched_then_accepted,
                test_number_in_use)
