/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <string.h>

/* A protocol of plain functions is used again, and nobody can tell. */

#define N_CONNECTIONS 20

static guint n_made;
static guint n_lost;
static guint n_destroyed;
static GHashTable *seen; /* set of protocols */
static GPtrArray *kept;  /* those that somebody has a reference to */
static gboolean is_kept;
static gboolean is_marked; /* with data of somebody's */

static void
made (LoopTransport *transport, gpointer user_data)
{
  guint number = GPOINTER_TO_UINT (user_data);
  GObject *protocol = loop_transport_get_protocol (transport);

  ck_assert_uint_eq (number, n_made);
  ck_assert_ptr_null (g_object_get_data (protocol, "mark"));
  n_made++;
  g_hash_table_add (seen, protocol);
  if (is_kept)
    g_ptr_array_add (kept, g_object_ref (protocol));
  if (is_marked)
    g_object_set_data (protocol, "mark", protocol);
}

static void
lost (LoopTransport *transport, const GError *error, gpointer user_data)
{
  ck_assert_uint_eq (GPOINTER_TO_UINT (user_data), n_lost);
  n_lost++;
}

static void
destroy (gpointer user_data)
{
  ck_assert_uint_eq (GPOINTER_TO_UINT (user_data), n_destroyed);
  n_destroyed++;
}

static const LoopProtocolVTable vtable = { .connection_made = made, .connection_lost = lost };

static GObject *
make (gpointer unused)
{
  return G_OBJECT (loop_protocol_new (&vtable, GUINT_TO_POINTER (n_made), destroy));
}

/* One connection after another. Returns: how many protocols there were */
static guint
connect_all (void)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, make, NULL, NULL);
  g_autoptr (LoopServer) server = tcp_take_server (&tcp, future);

  n_made = n_lost = n_destroyed = 0;
  g_hash_table_remove_all (seen);
  for (guint i = 0; i < N_CONNECTIONS; i++)
    {
      int fd = tcp_raw_connect (&tcp, tcp_server_port (server, 0));

      tcp_run_until (tcp.loop, n_made == i + 1);
      tcp_raw_close (&tcp, fd);
      tcp_run_until (tcp.loop, n_lost == i + 1 && (is_kept || n_destroyed == i + 1));
    }
  ck_assert_uint_eq (n_destroyed, is_kept ? 0 : N_CONNECTIONS);

  return g_hash_table_size (seen);
}

static void
set_up (void)
{
  seen = g_hash_table_new (NULL, NULL);
  kept = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
tear_down (void)
{
  g_hash_table_unref (seen);
  g_ptr_array_unref (kept);
}

START_TEST (test_used_again)
{
  set_up ();
  ck_assert_uint_eq (connect_all (), 1);
  tear_down ();
}
END_TEST

/* Whoever has a reference has that protocol, and no other connection gets it. */
START_TEST (test_kept)
{
  set_up ();
  is_kept = TRUE;
  ck_assert_uint_eq (connect_all (), N_CONNECTIONS);
  tear_down ();
  ck_assert_uint_eq (n_destroyed, N_CONNECTIONS);
}
END_TEST

START_TEST (test_with_data)
{
  set_up ();
  is_marked = TRUE;
  connect_all ();
  tear_down ();
}
END_TEST

LOOP_TEST_MAIN ("protocol-reuse", test_used_again, test_kept, test_with_data)
