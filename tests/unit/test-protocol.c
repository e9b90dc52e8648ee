/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

/* Protocols by themselves: what they do about calls that they do not implement. */

#define TEST_TYPE_BARE (test_bare_get_type ())
G_DECLARE_FINAL_TYPE (TestBare, test_bare, TEST, BARE, GObject)

struct _TestBare
{
  GObject parent_instance;
};

static void
test_bare_iface_init (LoopProtocolInterface *iface)
{
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestBare,
                               test_bare,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, test_bare_iface_init))

static void
test_bare_class_init (TestBareClass *klass)
{
}

static void
test_bare_init (TestBare *self)
{
}

static void
call_all (LoopProtocol *protocol, LoopTransport *transport)
{
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "no reason");

  loop_protocol_connection_made (protocol, transport);
  loop_protocol_data_received (protocol, (const guint8 *) "x", 1);
  loop_protocol_pause_writing (protocol);
  loop_protocol_resume_writing (protocol);
  ck_assert (!loop_protocol_eof_received (protocol));
  loop_protocol_connection_lost (protocol, error);
}

START_TEST (test_defaults)
{
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopProtocol) protocol = g_object_new (TEST_TYPE_BARE, NULL);

  ck_assert (LOOP_IS_PROTOCOL (protocol));
  call_all (protocol, client->transport);
}
END_TEST

START_TEST (test_empty_vtable)
{
  static const LoopProtocolVTable vtable = { 0 };
  g_auto (Tcp) tcp = tcp_new ();
  TcpPeer *client = tcp_connect (&tcp);
  g_autoptr (LoopProtocol) protocol = loop_protocol_new (&vtable, NULL, NULL);

  call_all (protocol, client->transport);
}
END_TEST

static void
count (gpointer data)
{
  ++*(guint *) data;
}

START_TEST (test_vtable_data)
{
  static const LoopProtocolVTable vtable = { 0 };
  guint n_destroyed = 0;
  LoopProtocol *protocol = loop_protocol_new (&vtable, &n_destroyed, count);

  ck_assert_uint_eq (n_destroyed, 0);
  g_object_unref (protocol);
  ck_assert_uint_eq (n_destroyed, 1);
}
END_TEST

static GObject *
make_bare (gpointer user_data)
{
  return g_object_new (TEST_TYPE_BARE, NULL);
}

/* A server whose protocol does nothing takes data, and closes at the end of it. */
START_TEST (test_bare_connection)
{
  g_auto (Tcp) tcp = tcp_new ();
  const char *const hosts[] = { "127.0.0.1", NULL };
  g_autoptr (LoopFuture) future = loop_event_loop_create_server (tcp.loop, hosts, 0, NULL, make_bare, NULL, NULL);
  g_autoptr (LoopFuture) closed = NULL;
  int fd;

  tcp.server = tcp_take_server (&tcp, future);
  fd = tcp_raw_connect (&tcp, tcp_server_port (tcp.server, 0));
  tcp_raw_send (fd, "to the winds");
  tcp_run_for (tcp.loop, 0.005);
  shutdown (fd, SHUT_WR);
  loop_server_close (tcp.server);
  closed = loop_server_wait_closed (tcp.server);
  ck_assert (loop_event_loop_run_until_complete (tcp.loop, closed, NULL, NULL));
  ck_assert (tcp_raw_is_eof (fd));
}
END_TEST

START_TEST (test_misuse)
{
  g_autoptr (GCancellable) other = g_cancellable_new ();
  LoopProtocol *protocol = (LoopProtocol *) other;

  loop_check_expect_critical ("*vtable != NULL*");
  ck_assert_ptr_null (loop_protocol_new (NULL, NULL, NULL));
  for (guint i = 0; i < 6; i++)
    loop_check_expect_critical ("*LOOP_IS_PROTOCOL (self)*");
  call_all (protocol, NULL);
}
END_TEST

LOOP_TEST_MAIN ("protocol", test_defaults, test_empty_vtable, test_vtable_data, test_bare_connection, test_misuse)
