/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The end of an endpoint: by its user, before it is there, and with its loop. */

START_TEST (test_send_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

  loop_transport_close (LOOP_TRANSPORT (client->transport));
  loop_transport_close (LOOP_TRANSPORT (client->transport));
  loop_check_expect_warning ("*after it was closed*");
  dgram_send (client, "lost", NULL);
  /* Once is enough. */
  loop_check_forbid_warnings ();
  dgram_send (client, "lost", NULL);
  tcp_run_until (tcp.loop, client->n_lost == 1);
  dgram_send (client, "lost", NULL);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (server->n_received, 0);
  ck_assert_ptr_null (loop_transport_get_protocol (LOOP_TRANSPORT (client->transport)));
}
END_TEST

static void
close_when_made (DgramPeer *self)
{
  loop_transport_abort (LOOP_TRANSPORT (self->transport));
}

START_TEST (test_close_when_made)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) peer = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options ("127.0.0.1:0", NULL);

  peer->made = close_when_made;
  dgram_open_full (&tcp, peer, options);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_str_eq (peer->events->str, "made lost");
}
END_TEST

/* At each of its steps; a descriptor that is left open fails the test. */
START_TEST (test_cancel)
{
  static const char *const targets[] = { "127.0.0.1:1", "localhost:1", "no-such-host.invalid:1" };

  for (guint i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_auto (Tcp) tcp = tcp_new ();
      g_autoptr (DgramPeer) peer = dgram_peer_new ();
      g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, targets[i]);
      g_autoptr (LoopFuture) future =
          loop_event_loop_create_datagram_endpoint (tcp.loop, options, dgram_peer_factory, peer, NULL);
      g_autoptr (GError) error = NULL;

      ck_assert (loop_future_cancel (future));
      error = tcp_take_error (&tcp, future);
      tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      tcp_run_for (tcp.loop, 0.01);
      /* A number needs no lookup: then there is an endpoint, which ends at once. */
      ck_assert_uint_eq (peer->n_made, i == 0);
      ck_assert_uint_eq (peer->n_lost, i == 0);
    }
}
END_TEST

static LoopFuture *cancelled;

static GObject *
cancel_in_factory (gpointer peer)
{
  g_main_context_iteration (NULL, FALSE);
  loop_future_cancel (cancelled);

  return dgram_peer_factory (peer);
}

START_TEST (test_cancel_in_factory)
{
  g_auto (Tcp) tcp = tcp_new_for_context (g_main_context_default ());
  g_autoptr (DgramPeer) peer = dgram_peer_new ();
  g_autoptr (LoopDatagramOptions) options = dgram_options ("localhost:0", NULL);
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_datagram_endpoint (tcp.loop, options, cancel_in_factory, peer, NULL);
  g_autoptr (GError) error = NULL;

  cancelled = future;
  error = tcp_take_error (&tcp, future);
  tcp_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_eq (peer->n_made, 0);
}
END_TEST

START_TEST (test_loop_closed)
{
  g_auto (Tcp) tcp = tcp_new ();
  DgramPeer *peer = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autoptr (LoopDatagramOptions) options = dgram_options (NULL, "localhost:1");
  g_autoptr (LoopFuture) future G_GNUC_UNUSED =
      loop_event_loop_create_datagram_endpoint (tcp.loop, options, dgram_peer_factory, NULL, NULL);

  tcp_close_loop (&tcp);
  ck_assert_str_eq (peer->events->str, "made");
  dgram_peer_free (peer);
}
END_TEST

typedef struct
{
  Tcp *tcp;
  DgramPeer *server;
  guint n_answers;
} Storm;

static void
check_token (DgramPeer *self, const guint8 *data, gsize length, GSocketAddress *addr)
{
  Storm *storm = self->user_data;
  guint32 token;

  ck_assert_uint_eq (length, sizeof token);
  memcpy (&token, data, sizeof token);
  ck_assert_uint_eq (token, self->tag);
  storm->n_answers++;
}

/* C7: numbers of descriptors that are used again at once. No answer reaches another endpoint than the one that asked. */
START_TEST (test_fd_reuse)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  Storm storm = { &tcp, server, 0 };
  DgramPeer *clients[20] = { NULL };

  server->is_echo = server->is_discarding = TRUE;
  for (guint32 token = 0; token < 1000; token++)
    {
      DgramPeer **client = &clients[(token * 7) % G_N_ELEMENTS (clients)];

      if (*client != NULL)
        {
          loop_transport_abort (LOOP_TRANSPORT ((*client)->transport));
          tcp_run_until (tcp.loop, (*client)->n_lost == 1);
          dgram_peer_free (*client);
        }
      *client = dgram_open (&tcp, NULL, name);
      (*client)->tag = token;
      (*client)->user_data = &storm;
      (*client)->datagram = check_token;
      for (guint i = 0; i < 3; i++)
        ck_assert (
            loop_datagram_transport_sendto ((*client)->transport, (const guint8 *) &token, sizeof token, NULL, NULL));
    }
  tcp_run_for (tcp.loop, 0.01);
  ck_assert_uint_gt (storm.n_answers, 100);
  for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
    dgram_peer_free (clients[i]);
}
END_TEST

LOOP_TEST_MAIN ("datagram-close",
                test_send_after_close,
                test_close_when_made,
                test_cancel,
                test_cancel_in_factory,
                test_loop_closed,
                test_fd_reuse)
