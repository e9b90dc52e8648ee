/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A connection on which there always is more does not keep the others waiting. One descriptor never runs
 * dry in this program: its recv() returns whatever is asked for.
 */

typedef ssize_t (*Recv) (int fd, void *data, size_t length, int flags);

static int endless_fd = -1;
static guint n_reads;

ssize_t
recv (int fd, void *data, size_t length, int flags)
{
  if (fd == endless_fd)
    {
      n_reads++;
      memset (data, 'x', 100);
      return (ssize_t) length;
    }

  return ((Recv) dlsym (RTLD_NEXT, "recv")) (fd, data, length, flags);
}

static int
get_fd (TcpPeer *peer)
{
  g_auto (GValue) value = G_VALUE_INIT;

  ck_assert (loop_transport_get_extra_info (peer->transport, "socket", &value));

  return g_socket_get_fd (g_value_get_object (&value));
}

static TcpPeer *
make_endless (Tcp *tcp)
{
  int fd;
  TcpPeer *peer = tcp_raw_pair (tcp, &fd);

  peer->is_discarding = TRUE;
  endless_fd = get_fd (peer);
  tcp_raw_send (fd, "x");

  return peer;
}

static void
count_tick (gpointer data)
{
  ++*(guint *) data;
}

START_TEST (test_beside_connections)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  make_endless (&tcp);
  for (guint i = 1; i <= 20; i++)
    {
      guint before = n_reads;

      loop_transport_write (client->transport, (const guint8 *) "x", 1);
      tcp_run_until (tcp.loop, client->n_bytes == i);
      /* There and back takes a few turns of the loop, each with its share of the endless one. */
      ck_assert_uint_lt (n_reads - before, 40 * 32);
    }
  ck_assert_uint_gt (n_reads, 20);
}
END_TEST

START_TEST (test_beside_callbacks)
{
  g_auto (Tcp) tcp = tcp_new ();
  guint n_ticks = 0;

  make_endless (&tcp);
  for (guint i = 0; i < 10; i++)
    {
      loop_event_loop_call_later (tcp.loop, 0.001 * i, count_tick, &n_ticks, NULL);
      loop_event_loop_call_soon (tcp.loop, count_tick, &n_ticks, NULL);
    }
  tcp_run_until (tcp.loop, n_ticks == 20);
}
END_TEST

static gboolean
count_idle (gpointer data)
{
  ++*(guint *) data;

  return G_SOURCE_CONTINUE;
}

/* Sources of lower priority, such as what draws a window, have their turn too. */
START_TEST (test_beside_idle_source)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GSource) source = g_idle_source_new ();
  guint n_idles = 0;

  make_endless (&tcp);
  g_source_set_callback (source, count_idle, &n_idles, NULL);
  g_source_attach (source, loop_event_loop_get_context (tcp.loop));
  tcp_run_for (tcp.loop, 0.1);
  ck_assert_uint_ge (n_idles, 3);
  g_source_destroy (source);
}
END_TEST

static void
stop_endless (TcpPeer *self, const guint8 *data, gsize length)
{
  loop_transport_abort (self->transport);
  endless_fd = -1;
}

START_TEST (test_end_of_it)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = make_endless (&tcp);

  peer->data = stop_endless;
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_uint_eq (peer->n_data, 1);
  ck_assert_uint_eq (n_reads, 1);
}
END_TEST

/* Real senders, as fast as they can, and one that sends a byte now and then. */
typedef struct
{
  int fd;
  gboolean is_done;
} Flood;

static gpointer
flood (gpointer data)
{
  Flood *self = data;
  g_autofree char *buffer = g_malloc0 (65536);

  while (!g_atomic_int_get (&self->is_done) && send (self->fd, buffer, 65536, MSG_NOSIGNAL) > 0)
    continue;

  return NULL;
}

START_TEST (test_beside_flood)
{
  g_auto (Tcp) tcp = tcp_new ();
  Flood floods[2] = { 0 };
  GThread *threads[2];
  TcpPeer *client = tcp_connect (&tcp);

  tcp_last_accepted (&tcp)->is_echo = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (floods); i++)
    {
      TcpPeer *peer = tcp_raw_pair (&tcp, &floods[i].fd);

      peer->is_discarding = TRUE;
      threads[i] = g_thread_new ("flood", flood, &floods[i]);
    }
  for (guint i = 1; i <= 50; i++)
    {
      loop_transport_write (client->transport, (const guint8 *) "x", 1);
      tcp_run_until (tcp.loop, client->n_bytes == i);
    }
  for (guint i = 0; i < G_N_ELEMENTS (floods); i++)
    {
      g_atomic_int_set (&floods[i].is_done, TRUE);
      /* A sender that waits for room needs a reader. */
      shutdown (floods[i].fd, SHUT_RDWR);
      g_thread_join (threads[i]);
    }
}
END_TEST

LOOP_TEST_MAIN ("transport-fairness",
                test_beside_connections,
                test_beside_callbacks,
                test_beside_idle_source,
                test_end_of_it,
                test_beside_flood)
