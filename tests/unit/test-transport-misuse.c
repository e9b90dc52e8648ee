/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <sys/socket.h>

/* Calls at the wrong time: they are reported, and harm nobody. */

static const guint8 *const x = (const guint8 *) "x";

/* asyncio warns and goes on; uvloop raises, which users complain about. */
START_TEST (test_write_after_close)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *text = NULL;

  loop_transport_write (peer->transport, (const guint8 *) "before", 6);
  loop_transport_close (peer->transport);

  /* Once, however often it happens. */
  loop_check_expect_warning ("*transport #*after it was closed*");
  loop_transport_write (peer->transport, x, 1);
  loop_check_assert_expected ();
  loop_check_forbid_warnings ();
  loop_transport_write (peer->transport, x, 1);
  loop_transport_write_bytes (peer->transport, bytes);
  loop_transport_writelines (peer->transport, &bytes, 1);

  tcp_run_until (tcp.loop, peer->n_lost == 1);
  loop_transport_write (peer->transport, x, 1);
  tcp_run_for (tcp.loop, 0.005);
  text = tcp_raw_receive (fd, 100);
  ck_assert_str_eq (text, "before");
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
}
END_TEST

START_TEST (test_write_after_abort)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_abort (peer->transport);
  loop_check_expect_warning ("*after it was closed*");
  loop_transport_write (peer->transport, x, 1);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
}
END_TEST

static void
write_in_lost (TcpPeer *self)
{
  loop_transport_write (self->transport, x, 1);
}

START_TEST (test_write_in_connection_lost)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  peer->lost = write_in_lost;
  tcp_raw_close (&tcp, fd);
  loop_check_expect_warning ("*after it was closed*");
  tcp_run_until (tcp.loop, peer->n_lost == 1);
}
END_TEST

/* After a write that failed, further ones are dropped until the loop has told of it. */
START_TEST (test_write_after_failed_write)
{
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  tcp_raw_reset (&tcp, fd);
  loop_transport_write (peer->transport, x, 1);
  loop_check_expect_warning ("*lost its connection*");
  loop_check_forbid_warnings ();
  for (guint i = 0; i < 10; i++)
    loop_transport_write (peer->transport, x, 1);
  ck_assert_uint_eq (loop_transport_get_write_buffer_size (peer->transport), 0);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
}
END_TEST

/* That is a mistake of the program's own, in asyncio a RuntimeError. */
START_TEST (test_write_after_write_eof)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  g_autofree char *text = NULL;

  loop_transport_write (peer->transport, (const guint8 *) "before", 6);
  loop_transport_write_eof (peer->transport);
  loop_check_expect_critical ("*write_eof*");
  loop_transport_write (peer->transport, x, 1);
  loop_check_expect_critical ("*write_eof*");
  loop_transport_write_bytes (peer->transport, bytes);
  loop_check_expect_critical ("*write_eof*");
  loop_transport_writelines (peer->transport, &bytes, 1);
  text = tcp_raw_receive (fd, 100);
  ck_assert_str_eq (text, "before");

  tcp_raw_send (fd, "still here");
  tcp_run_until (tcp.loop, peer->n_bytes == 10);
}
END_TEST

START_TEST (test_not_a_transport)
{
  g_autoptr (GCancellable) other = g_cancellable_new ();
  LoopTransport *transport = (LoopTransport *) other;
  g_auto (GValue) value = G_VALUE_INIT;
  gsize low;

  for (guint i = 0; i < 18; i++)
    loop_check_expect_critical ("*assertion*failed*");
  loop_transport_close (transport);
  loop_transport_abort (transport);
  loop_transport_is_closing (transport);
  loop_transport_get_extra_info (transport, "socket", &value);
  loop_transport_set_protocol (transport, G_OBJECT (other));
  loop_transport_get_protocol (transport);
  loop_transport_pause_reading (transport);
  loop_transport_resume_reading (transport);
  loop_transport_is_reading (transport);
  loop_transport_write (transport, x, 1);
  loop_transport_write_bytes (transport, NULL);
  loop_transport_writelines (transport, NULL, 0);
  loop_transport_write_eof (transport);
  loop_transport_can_write_eof (transport);
  loop_transport_get_write_buffer_size (transport);
  loop_transport_set_write_buffer_limits (transport, -1, -1, NULL);
  loop_transport_get_write_buffer_limits (transport, &low, NULL);
  loop_transport_get_loop (transport);
}
END_TEST

START_TEST (test_missing_arguments)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *peer = tcp_connect (&tcp);
  g_auto (GValue) value = G_VALUE_INIT;

  loop_check_expect_critical ("*data != NULL*");
  loop_transport_write (peer->transport, NULL, 1);
  loop_check_expect_critical ("*bytes != NULL*");
  loop_transport_write_bytes (peer->transport, NULL);
  loop_check_expect_critical ("*lines != NULL*");
  loop_transport_writelines (peer->transport, NULL, 1);
  loop_check_expect_critical ("*name != NULL*");
  ck_assert (!loop_transport_get_extra_info (peer->transport, NULL, &value));
  loop_check_expect_critical ("*value != NULL*");
  ck_assert (!loop_transport_get_extra_info (peer->transport, "socket", NULL));
  loop_check_expect_critical ("*loop_transport_accepts*");
  loop_transport_set_protocol (peer->transport, NULL);
  loop_check_expect_critical ("*loop_transport_accepts*");
  loop_transport_set_protocol (peer->transport, G_OBJECT (tcp.loop));
  ck_assert_ptr_eq (loop_transport_get_protocol (peer->transport), peer->protocol);
}
END_TEST

START_TEST (test_not_a_server)
{
  g_autoptr (GCancellable) other = g_cancellable_new ();
  LoopServer *server = (LoopServer *) other;

  for (guint i = 0; i < 10; i++)
    loop_check_expect_critical ("*LOOP_IS_SERVER (self)*");
  loop_server_close (server);
  loop_server_close_clients (server);
  loop_server_abort_clients (server);
  ck_assert_ptr_null (loop_server_get_loop (server));
  ck_assert_uint_eq (loop_server_get_id (server), 0);
  ck_assert (!loop_server_is_serving (server));
  ck_assert_ptr_null (loop_server_get_sockets (server));
  ck_assert_ptr_null (loop_server_start_serving (server));
  ck_assert_ptr_null (loop_server_serve_forever (server));
  ck_assert_ptr_null (loop_server_wait_closed (server));
}
END_TEST

LOOP_TEST_MAIN ("transport-misuse",
                test_write_after_close,
                test_write_after_abort,
                test_write_in_connection_lost,
                test_write_after_failed_write,
                test_write_after_write_eof,
                test_not_a_transport,
                test_missing_arguments,
                test_not_a_server)
