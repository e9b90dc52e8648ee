/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * An inspector shows transports and servers, and asks the kernel for their addresses and for who waits to be accepted.
 * The client is another process, whose own calls do not fail.
 */

#define TIMEOUT_MS 3000

/* --- The client ------------------------------------------------------------------------------------ */

static GVariant *
call (GDBusConnection *bus, const char *path, const char *interface, const char *method, GVariant *parameters)
{
  return g_dbus_connection_call_sync (bus, NULL, path, interface, method, parameters, NULL, G_DBUS_CALL_FLAGS_NONE,
                                      TIMEOUT_MS, NULL, NULL);
}

/*
 * Asks for a view, in which what could not be accepted is missing, and by then its other end, too; each address that
 * can be told is the right one.
 */
static gboolean
check_view (GDBusConnection *bus, guint64 loop_id, const char *kind, guint n_least, guint n_most)
{
  g_autofree char *path = g_strdup_printf ("/org/libloop/Loop1/%" G_GUINT64_FORMAT, loop_id);
  g_autoptr (GVariant) reply =
      call (bus, path, "org.libloop.Loop1", "List", g_variant_new ("(sa{sv}ssu)", kind, NULL, "", "", 0));
  g_autoptr (GVariant) rows = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
  guint n_rows;

  if (rows == NULL)
    return FALSE;

  n_rows = (guint) g_variant_n_children (rows);
  if (n_rows < n_least || n_rows > n_most)
    torture_fail ("%s: %u rows", kind, n_rows);
  for (guint i = 0; i < n_rows; i++)
    {
      static const char *const columns[] = { "peer", "local", "address" };
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      for (guint j = 0; j < G_N_ELEMENTS (columns); j++)
        {
          const char *address;

          if (g_variant_lookup (row, columns[j], "&s", &address) && !g_str_equal (address, "?") &&
              !g_str_has_prefix (address, "127.0.0.1:"))
            torture_fail ("%s: an address of %s", kind, address);
        }
    }

  return TRUE;
}

static GDBusConnection *
connect_to_inspector (const char *path)
{
  g_autofree char *address = g_strdup_printf ("unix:path=%s", path);

  return g_dbus_connection_new_for_address_sync (address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL,
                                                 NULL);
}

/* Lines are paths to connect to, and then empty ones, at each of which it asks and answers with a byte. */
static void
run_client (FILE *questions, int answers)
{
  g_autoptr (GDBusConnection) bus = NULL;
  char line[256];

  while (fgets (line, sizeof line, questions) != NULL)
    {
      guint64 loop_id = g_ascii_strtoull (line, NULL, 10);
      const char *answer = "y";

      g_strchomp (line);
      if (*line == '/')
        {
          g_clear_object (&bus);
          bus = connect_to_inspector (line);
        }
      if (bus == NULL || (loop_id != 0 && !(check_view (bus, loop_id, "transports", 0, 2) &&
                                            check_view (bus, loop_id, "servers", 1, 1))))
        answer = "n";
      if (write (answers, answer, 1) != 1)
        break;
    }

  _exit (0);
}

/* --- The process that is looked at ----------------------------------------------------------------- */

static struct
{
  pid_t pid;
  int questions;
  int answers;
} client;

static void
client_start (void)
{
  int questions[2];
  int answers[2];

  if (pipe (questions) < 0 || pipe (answers) < 0 || (client.pid = fork ()) < 0)
    g_error ("the scenario has no client");
  if (client.pid == 0)
    {
      torture_leave_alone ();
      close (questions[1]);
      run_client (fdopen (questions[0], "r"), answers[1]);
    }

  close (questions[0]);
  close (answers[1]);
  client.questions = questions[1];
  client.answers = answers[0];
}

static void
client_ask (const char *question)
{
  if (dprintf (client.questions, "%s\n", question) < 0)
    g_error ("the client is gone");
}

static char
client_take_answer (void)
{
  char answer = 0;
  gssize n;

  do
    n = read (client.answers, &answer, 1);
  while (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (n < 0)
    torture_report ("the answer could not be read");
  else if (n == 0)
    torture_fail ("the client is gone");

  return answer;
}

static void
client_end (void)
{
  int status;

  close (client.questions);
  close (client.answers);
  if (waitpid (client.pid, &status, 0) != client.pid || status != 0)
    torture_fail ("the client failed");
}

static LoopInspector *
start_inspector (void)
{
  g_autoptr (GError) error = NULL;
  LoopInspector *self = loop_inspector_start (LOOP_INSPECTOR_ACCESS_READ, &error);

  if (self == NULL)
    g_error ("the scenario has no inspector: %s", error->message);
  client_ask (loop_inspector_get_path (self));
  if (client_take_answer () != 'y')
    g_error ("the scenario has no connection to its inspector");

  return self;
}

static void
stop_inspector (LoopInspector *self)
{
  loop_inspector_stop (self);
  g_object_unref (self);
}

static void
answered (gpointer user_data)
{
  Scene *self = user_data;

  loop_event_loop_remove_reader (self->loop, client.answers);
  if (client_take_answer () == 'n')
    torture_report ("the inspector did not answer");
  scene_release (self);
  scene_give_up (self);
}

static void
ask (ScenePeer *peer)
{
  Scene *self = peer->scene;
  g_autofree char *question = g_strdup_printf ("%" G_GUINT64_FORMAT, loop_event_loop_get_id (self->loop));
  g_autoptr (GError) error = NULL;

  if (!loop_event_loop_add_reader_full (self->loop, client.answers, answered, self, NULL, &error))
    {
      scene_report (self, "add_reader", error);
      return;
    }
  scene_hold (self);
  client_ask (question);
}

static void
connect_client (Scene *self, const GValue *result, gpointer user_data)
{
  guint16 port = scene_get_port (self);
  ScenePeer *peer;

  if (port == 0)
    return;

  peer = scene_peer_new (self);
  peer->made = ask;
  scene_peer_connect (peer, "127.0.0.1", port);
}

static void
run (void)
{
  g_autofree char *folder = g_dir_make_tmp ("loop-XXXXXX", NULL);
  g_autofree char *sockets = g_build_filename (folder, "libloop", NULL);
  LoopInspector *inspector;
  Scene *scene;

  client_start ();
  /* How GDBus fares when it begins is its own affair, and it keeps open what it opens. */
  g_setenv ("XDG_RUNTIME_DIR", folder, TRUE);
  stop_inspector (start_inspector ());
  torture_keep_open ();
  inspector = start_inspector ();

  scene = scene_new ();
  scene_serve (scene, scene_accept_echo, connect_client);
  scene_run (scene);
  stop_inspector (inspector);
  scene_end (scene);

  client_end ();
  g_rmdir (sockets);
  g_rmdir (folder);
}

TORTURE_MAIN ("inspector", run)
