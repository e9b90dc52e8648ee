/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "torture.h"

#include <libloop/loop.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#ifdef LOOP_WITH_ASAN
/* gcc has the function, and not the header. */
size_t __sanitizer_get_current_allocated_bytes (void);
#endif

/*
 * Connections are opened, used and closed, by the thousand and again and again: after the first rounds neither memory
 * nor descriptors become more. "soak" takes seconds, "soak --all" as many as it takes.
 */

#define N_CONNECTING 64
#define WARM_UP 3
/* What an array that grows once more may take: that is no slope. */
#define MAX_GROWTH (64 * 1024)

typedef struct
{
  LoopEventLoop *loop;
  LoopFuture *round_done;
  guint16 port;
  guint n; /* connections in each round */
  guint round;
  guint n_started;
  guint n_made;
  guint n_echoes;
  guint n_lost; /* on both sides */
  GPtrArray *clients;
} Soak;

static void connect_next (Soak *self);

static void
lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  Soak *self = user_data;

  if (error != NULL)
    g_error ("A connection was lost: %s", error->message);
  if (++self->n_lost == 2 * self->n)
    loop_future_set_result (self->round_done, NULL, NULL);
}

static void
echo (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  loop_transport_write (transport, data, length);
}

static const LoopProtocolVTable server_vtable = { .data_received = echo, .connection_lost = lost };

/* All are open at once, and then used at once, and then closed. */
static void
client_made (LoopTransport *transport, gpointer user_data)
{
  Soak *self = user_data;

  g_ptr_array_add (self->clients, g_object_ref (transport));
  self->n_made++;
  connect_next (self);
  if (self->n_made < self->n)
    return;

  for (guint i = 0; i < self->clients->len; i++)
    loop_transport_write (g_ptr_array_index (self->clients, i), (const guint8 *) "x", 1);
}

static void
client_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  Soak *self = user_data;

  if (++self->n_echoes < self->n)
    return;

  for (guint i = 0; i < self->clients->len; i++)
    loop_transport_close (g_ptr_array_index (self->clients, i));
  g_ptr_array_set_size (self->clients, 0);
}

static const LoopProtocolVTable client_vtable = {
  .connection_made = client_made,
  .data_received = client_data,
  .connection_lost = lost,
};

static GObject *
make_server_protocol (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&server_vtable, user_data, NULL));
}

static GObject *
make_client_protocol (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&client_vtable, user_data, NULL));
}

static void
connect_next (Soak *self)
{
  g_autofree char *host = NULL;

  if (self->n_started == self->n)
    return;

  self->n_started++;
  /* An address for each round: the ports of one wait for a minute before they are given out again. */
  host = g_strdup_printf ("127.0.0.%u", self->round + 1);
  g_object_unref (
      loop_event_loop_create_connection (self->loop, host, self->port, NULL, make_client_protocol, self, NULL));
}

static void
run_round (Soak *self)
{
  g_autoptr (GError) error = NULL;

  self->n_started = self->n_made = self->n_echoes = self->n_lost = 0;
  self->round_done = loop_event_loop_create_future (self->loop);
  for (guint i = 0; i < N_CONNECTING; i++)
    connect_next (self);
  if (!loop_event_loop_run_until_complete (self->loop, self->round_done, NULL, &error))
    g_error ("%s", error->message);
  g_clear_object (&self->round_done);
}

static LoopServer *
serve (Soak *self)
{
  static const char *const hosts[] = { "0.0.0.0", NULL };
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (self->loop, hosts, 0, NULL, make_server_protocol, self, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) sockets = NULL;
  g_autoptr (GSocketAddress) address = NULL;

  if (!loop_event_loop_run_until_complete (self->loop, future, &value, &error))
    g_error ("%s", error->message);

  sockets = loop_server_get_sockets (g_value_get_object (&value));
  address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);
  self->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address));

  return g_value_dup_object (&value);
}

/* As many connections at once as there may be descriptors. Who may have more than the limit is root. */
static guint
limit_connections (guint n)
{
  rlim_t wanted = 2 * n + 100;
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  if (setrlimit (RLIMIT_NOFILE, &(struct rlimit) { wanted, MAX (wanted, limit.rlim_max) }) == 0)
    return n;

  limit.rlim_cur = MIN (limit.rlim_max, wanted);
  setrlimit (RLIMIT_NOFILE, &limit);

  return MIN (n, (guint) (limit.rlim_cur - 100) / 2);
}

/* AddressSanitizer has a heap of its own, of which malloc's knows nothing. */
static gint64
count_bytes (void)
{
#ifdef LOOP_WITH_ASAN
  return (gint64) __sanitizer_get_current_allocated_bytes ();
#else
  return (gint64) mallinfo2 ().uordblks;
#endif
}

static gboolean
check (guint number, const char *what, const char *when, gint64 before, gint64 after, gint64 tolerance)
{
  gboolean is_good = after - before <= tolerance;

  printf ("%sok %u - %s: %" G_GINT64_FORMAT " %s, %" G_GINT64_FORMAT " at the end\n", is_good ? "" : "not ", number,
          what, before, when, after);

  return is_good;
}

int
main (int argc, char **argv)
{
  gboolean is_all = argc > 1 && g_str_equal (argv[1], "--all");
  guint n_rounds = is_all ? 20 : 8;
  Soak self = { .n = limit_connections (is_all ? 10000 : 300) };
  g_autoptr (LoopServer) server = NULL;
  guint n_fds;
  gint64 n_bytes = 0;
  gboolean is_good;

  self.loop = loop_event_loop_new ();
  self.clients = g_ptr_array_new_with_free_func (g_object_unref);
  server = serve (&self);
  n_fds = torture_count_fds ();
  for (self.round = 0; self.round < n_rounds; self.round++)
    {
      run_round (&self);
      if (self.round + 1 == WARM_UP)
        n_bytes = count_bytes ();
    }

  is_good = check (1, "bytes in use", "after the first rounds", n_bytes, count_bytes (), MAX_GROWTH);
  is_good = check (2, "descriptors", "before the first round", n_fds, torture_count_fds (), 0) && is_good;
  printf ("1..2\n# soak: %u connections, %u times\n", self.n, n_rounds);

  loop_server_close (server);
  loop_event_loop_close (self.loop);
  g_object_unref (self.loop);
  g_ptr_array_unref (self.clients);

  return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
