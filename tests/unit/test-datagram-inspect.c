/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dgram-check.h"
#include "metrics-check.h"

#include "loop-inspector-views-private.h"

/* An endpoint is a transport as any other to an inspector. */

static LoopRow
get_row (LoopEventLoop *loop, guint64 id)
{
  g_autofree LoopRowPage *page = g_new0 (LoopRowPage, 1);
  const LoopView *view = loop_view_find ("transports");

  page->limit = LOOP_INSPECTOR_MAX_ROWS;
  ck_assert (loop_view_set_sort (view, page, "", NULL));
  ck_assert (loop_guard_hold (&loop->guard, G_USEC_PER_SEC));
  loop_view_collect (view, loop, page);
  loop_guard_release (&loop->guard);
  loop_row_page_sort (page);
  for (guint i = 0; i < page->n_rows; i++)
    {
      const LoopRow *row = loop_row_page_get (page, i);

      if (row->id == id)
        return *row;
    }
  ck_abort_msg ("transport %" G_GUINT64_FORMAT " is not listed", id);
}

START_TEST (test_row)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);
  guint64 id = loop_transport_get_id (LOOP_TRANSPORT (client->transport));
  LoopRow row;

  server->is_echo = TRUE;
  dgram_send (client, "four", NULL);
  tcp_run_until (tcp.loop, client->n_received == 1);
  row = get_row (tcp.loop, id);
  ck_assert_str_eq (row.kind, "datagram");
  ck_assert_str_eq (row.state, "open");
  ck_assert_int_eq (row.fd, g_socket_get_fd (dgram_get_socket (client)));
  ck_assert_uint_eq (row.numbers[0], 4);
  ck_assert_uint_eq (row.numbers[1], 4);
  ck_assert (row.flag);

  loop_transport_pause_reading (LOOP_TRANSPORT (client->transport));
  ck_assert (!get_row (tcp.loop, id).flag);
  loop_transport_close (LOOP_TRANSPORT (client->transport));
  ck_assert_str_eq (get_row (tcp.loop, id).state, "closing");
}
END_TEST

/* What has gone over it counts when it is gone. */
START_TEST (test_metrics)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (DgramPeer) server = dgram_open (&tcp, "127.0.0.1:0", NULL);
  g_autofree char *name = dgram_name (server);
  guint64 n = 0;

  server->is_echo = TRUE;
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (DgramPeer) client = dgram_open (&tcp, NULL, name);

      dgram_send (client, "four", NULL);
      tcp_run_until (tcp.loop, client->n_received == 1);
      n += 8;
      metrics_assert_moved (tcp.loop, n, n);

      /* One way to end it after another. */
      if (i == 0)
        loop_transport_close (LOOP_TRANSPORT (client->transport));
      else
        loop_transport_abort (LOOP_TRANSPORT (client->transport));
      tcp_run_until (tcp.loop, client->n_lost == 1);
      ck_assert_ptr_null (loop_transport_get_protocol (LOOP_TRANSPORT (client->transport)));
      metrics_assert_moved (tcp.loop, n, n);
    }

  tcp_run_for (tcp.loop, 0.01);
  loop_transport_close (LOOP_TRANSPORT (server->transport));
  tcp_run_until (tcp.loop, server->n_lost == 1);
  metrics_assert_moved (tcp.loop, n, n);
}
END_TEST

LOOP_TEST_MAIN ("datagram-inspect", test_row, test_metrics)
