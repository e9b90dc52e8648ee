/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file that is sent by libloop, over a transport */

#include "config.h"

#include <gio/gunixinputstream.h>
#include <libloop/loop.h>
#include <stdio.h>

#include "bench-sink.h"
#include "bench-util.h"

static const LoopProtocolVTable vtable = { NULL };

static GObject *
make_protocol (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&vtable, NULL, NULL));
}

static void
run (LoopEventLoop *loop, LoopFuture *future, GValue *result)
{
  g_autoptr (GError) error = NULL;

  if (loop_event_loop_run_until_complete (loop, future, result, &error))
    return;

  fprintf (stderr, "bench-sendfile-loop: %s\n", error->message);
  exit (1);
}

int
main (int argc, char **argv)
{
  uint64_t mib = sink_mib (argc > 1 ? argv[1] : NULL);
  BenchTime begin;
  g_autoptr (LoopEventLoop) loop = NULL;
  g_autoptr (LoopConnectionOptions) options = NULL;
  g_autoptr (LoopFuture) connecting = NULL;
  g_autoptr (LoopFuture) sending = NULL;
  g_autoptr (GInputStream) file = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_auto (GValue) transport = G_VALUE_INIT;
  g_auto (GValue) sent = G_VALUE_INIT;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  file = g_unix_input_stream_new (sink_open_file (mib), TRUE);
  socket = g_socket_new_from_fd (sink_connect (mib), NULL);
  loop = loop_event_loop_new ();
  options = loop_connection_options_new ();
  loop_connection_options_set_sock (options, socket);
  connecting = loop_event_loop_create_connection (loop, NULL, 0, options, make_protocol, NULL, NULL);
  run (loop, connecting, &transport);

  bench_begin (&begin);
  sending = loop_event_loop_sendfile (loop, g_value_get_object (&transport), file, 0, -1, FALSE);
  run (loop, sending, &sent);
  if ((uint64_t) g_value_get_int64 (&sent) != mib * SINK_MIB)
    return 1;
  sink_wait (g_socket_get_fd (socket));
  bench_report_time ("sendfile", mib, &begin);

  loop_transport_abort (g_value_get_object (&transport));
  loop_event_loop_close (loop);
  return 0;
}
