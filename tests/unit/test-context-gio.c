/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"
#include "tsan-gio.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/socket.h>

/*
 * What GIO starts in a callback of the loop comes back to it: the loop's context is the thread's
 * default one while it runs, also when it is a private one. What is meant for the default context of
 * the process, as g_timeout_add() is, waits for whoever iterates that.
 */

typedef struct
{
  LoopEventLoop *loop;
  GMainContext *context;
  GDBusConnection *client;
  GDBusConnection *server;
  GThread *thread;
  int fds[2];
  char *path;
  gboolean is_over;
} Fixture;

static void
set_up (Fixture *f, gboolean is_foreign)
{
  *f = (Fixture) { NULL };
  f->loop = new_loop (is_foreign, &f->context);
}

static void
tear_down (Fixture *f)
{
  g_object_unref (f->loop);
  g_main_context_unref (f->context);
}

static void
check_inside (Fixture *f)
{
  ck_assert_ptr_eq (loop_event_loop_get_running (), f->loop);
  ck_assert_ptr_eq (g_main_context_get_thread_default (), f->context);
  ck_assert (g_main_context_is_owner (f->context));
}

/* --- A file, which GIO reads in a thread, and a socket, which it polls ------------------------- */

static void
file_loaded (GObject *file, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;
  g_autofree char *contents = NULL;

  check_inside (f);
  ck_assert (g_file_load_contents_finish (G_FILE (file), result, &contents, NULL, NULL, NULL));
  ck_assert_str_eq (contents, "in a file");
  f->is_over = TRUE;
}

static void
load_file (gpointer data)
{
  Fixture *f = data;
  g_autoptr (GFile) file = g_file_new_for_path (f->path);

  check_inside (f);
  g_file_load_contents_async (file, NULL, file_loaded, f);
}

static void
check_file (gboolean is_foreign)
{
  Fixture f;
  int fd;

  set_up (&f, is_foreign);
  fd = g_file_open_tmp ("libloop-XXXXXX", &f.path, NULL);
  ck_assert_int_ge (fd, 0);
  ck_assert (g_file_set_contents (f.path, "in a file", -1, NULL));
  loop_event_loop_call_soon (f.loop, load_file, &f, NULL);
  run_until (f.loop, &f.is_over);

  g_unlink (f.path);
  g_free (f.path);
  g_close (fd, NULL);
  tear_down (&f);
}

static char received[8];

static void
stream_read (GObject *stream, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;

  check_inside (f);
  ck_assert_int_eq (g_input_stream_read_finish (G_INPUT_STREAM (stream), result, NULL), 5);
  ck_assert_str_eq (received, "hello");
  f->is_over = TRUE;
}

static void
write_to_stream (gpointer data)
{
  Fixture *f = data;

  ck_assert_int_eq (send (f->fds[1], "hello", 5, 0), 5);
}

static void
check_stream (gboolean is_foreign)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) connection = NULL;
  Fixture f;

  set_up (&f, is_foreign);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, f.fds), 0);
  socket = g_socket_new_from_fd (f.fds[0], NULL);
  connection = g_socket_connection_factory_create_connection (socket);

  /* Started before the loop runs, on its context all the same. */
  g_main_context_push_thread_default (f.context);
  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (connection)), received, sizeof received,
                             G_PRIORITY_DEFAULT, NULL, stream_read, &f);
  g_main_context_pop_thread_default (f.context);
  loop_event_loop_call_later (f.loop, 0.005, write_to_stream, &f, NULL);
  run_until (f.loop, &f.is_over);
  g_close (f.fds[1], NULL);
  tear_down (&f);
}

/* --- A D-Bus connection, both ends of which live on the loop ----------------------------------- */

static const char introspection[] =
    "<node><interface name='org.libloop.Test'>"
    "<method name='Double'><arg direction='in' type='i'/><arg direction='out' type='i'/>"
    "</method><signal name='Doubled'><arg type='i'/></signal></interface></node>";

static void
method_called (GDBusConnection *connection,
               const char *sender,
               const char *path,
               const char *interface,
               const char *method,
               GVariant *parameters,
               GDBusMethodInvocation *invocation,
               gpointer data)
{
  int number;

  check_inside (data);
  note_step ('m');
  g_variant_get (parameters, "(i)", &number);
  g_dbus_connection_emit_signal (connection, NULL, path, interface, "Doubled", g_variant_new ("(i)", number), NULL);
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(i)", 2 * number));
}

static void
signal_received (GDBusConnection *connection,
                 const char *sender,
                 const char *path,
                 const char *interface,
                 const char *signal,
                 GVariant *parameters,
                 gpointer data)
{
  check_inside (data);
  note_step ('s');
}

static void
call_returned (GObject *connection, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;
  g_autoptr (GVariant) value = g_dbus_connection_call_finish (G_DBUS_CONNECTION (connection), result, NULL);
  int number;

  check_inside (f);
  note_step ('r');
  g_variant_get (value, "(i)", &number);
  ck_assert_int_eq (number, 42);
  f->is_over = TRUE;
}

static GDBusConnection *
make_connection (int fd)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);
  g_autoptr (GSocketConnection) stream = g_socket_connection_factory_create_connection (socket);
  GDBusConnection *connection = g_dbus_connection_new_sync (
      G_IO_STREAM (stream), NULL, G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING, NULL, NULL, NULL);

  ck_assert_ptr_nonnull (connection);

  return connection;
}

static void
connect_and_call (gpointer data)
{
  static const GDBusInterfaceVTable vtable = { .method_call = method_called };
  g_autoptr (GDBusNodeInfo) info = g_dbus_node_info_new_for_xml (introspection, NULL);
  Fixture *f = data;

  f->server = make_connection (f->fds[0]);
  f->client = make_connection (f->fds[1]);
  ck_assert_uint_gt (g_dbus_connection_register_object (f->server, "/x", info->interfaces[0], &vtable, f, NULL, NULL),
                     0);
  g_dbus_connection_signal_subscribe (f->client, NULL, "org.libloop.Test", NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                      signal_received, f, NULL);
  g_dbus_connection_start_message_processing (f->server);
  g_dbus_connection_start_message_processing (f->client);
  g_dbus_connection_call (f->client, NULL, "/x", "org.libloop.Test", "Double", g_variant_new ("(i)", 21), NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, NULL, call_returned, f);
}

static void
check_dbus (gboolean is_foreign)
{
  Fixture f;

  set_up (&f, is_foreign);
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f.fds), 0);
  loop_event_loop_call_soon (f.loop, connect_and_call, &f, NULL);
  run_until (f.loop, &f.is_over);
  check_steps ("msr");
  g_object_unref (f.client);
  g_object_unref (f.server);
  run_for (f.loop, 0.02);
  tear_down (&f);
}

/* --- Whose context is whose -------------------------------------------------------------------- */

static gboolean
note_default (gpointer data)
{
  ck_assert_ptr_null (loop_event_loop_get_running ());
  note_step ('d');

  return G_SOURCE_REMOVE;
}

static void
add_to_default (gpointer data)
{
  g_timeout_add (0, note_default, NULL);
  g_idle_add (note_default, NULL);
}

/* g_timeout_add() and g_idle_add() mean the default context of the process, whatever runs. */
START_TEST (test_default_context)
{
  Fixture f;

  set_up (&f, FALSE);
  loop_event_loop_call_soon (f.loop, add_to_default, NULL, NULL);
  run_for (f.loop, 0.02);
  check_steps ("");
  while (g_main_context_iteration (NULL, FALSE))
    ;
  check_steps ("dd");
  ck_assert_ptr_null (g_main_context_get_thread_default ());
  tear_down (&f);
}
END_TEST

static gboolean
count_and_quit (gpointer data)
{
  return ++*(int *) data < 3 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* On a loop of the default context they are its neighbours. */
START_TEST (test_loop_on_default_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (NULL);
  int n_calls = 0;

  g_timeout_add (1, count_and_quit, &n_calls);
  run_for (loop, 0.1);
  ck_assert_int_eq (n_calls, 3);
}
END_TEST

/* Each thread has its own. */
static gpointer
run_in_thread (gpointer data)
{
  Fixture *f = data;
  GMainContext *own = g_main_context_new ();

  g_main_context_push_thread_default (own);
  loop_event_loop_call_soon (f->loop, load_file, f, NULL);
  run_until (f->loop, &f->is_over);
  ck_assert_ptr_eq (g_main_context_get_thread_default (), own);
  g_main_context_pop_thread_default (own);
  g_main_context_unref (own);

  return NULL;
}

START_TEST (test_threads)
{
  Fixture fixtures[4];
  char *path;
  int fd = g_file_open_tmp ("libloop-XXXXXX", &path, NULL);

  ck_assert (g_file_set_contents (path, "in a file", -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (fixtures); i++)
    {
      set_up (&fixtures[i], i % 2 == 1);
      fixtures[i].path = path;
      fixtures[i].thread = g_thread_new ("loop", run_in_thread, &fixtures[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (fixtures); i++)
    {
      g_thread_join (fixtures[i].thread);
      ck_assert (fixtures[i].is_over);
      tear_down (&fixtures[i]);
    }
  g_unlink (path);
  g_free (path);
  g_close (fd, NULL);
}
END_TEST

/* Each on a context of the loop's own and on a foreign one. */
#define BOTH(name)                                                                                                     \
  START_TEST (test_##name) { check_##name (FALSE); }                                                                   \
  END_TEST                                                                                                             \
  START_TEST (test_##name##_foreign) { check_##name (TRUE); }                                                          \
  END_TEST

BOTH (file)
BOTH (stream)
BOTH (dbus)

LOOP_TEST_MAIN ("context-gio",
                test_file,
                test_file_foreign,
                test_stream,
                test_stream_foreign,
                test_dbus,
                test_dbus_foreign,
                test_default_context,
                test_loop_on_default_context,
                test_threads)
