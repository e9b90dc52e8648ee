/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <string.h>

/*
 * A server that answers line by line, in fibers, and a client in one. The last line is followed by a block over all
 * limits, which the other side has to be paused for.
 */

#define N_LINES 10
#define N_BLOCK 4000
#define LIMIT 1000

static guint8 *block;
static guint n_served;
static gboolean is_complete;

static GBytes *
make_line (guint i)
{
  char *line = g_strnfill (i * 17, 'x');
  g_autofree char *text = g_strconcat (line, "\n", NULL);

  g_free (line);

  return g_bytes_new (text, strlen (text));
}

static gboolean
answer (LoopStreamReader *reader, LoopStreamWriter *writer, gpointer user_data, GError **error)
{
  g_auto (GValue) rest = G_VALUE_INIT;

  for (guint i = 0; i < N_LINES; i++)
    {
      g_auto (GValue) line = G_VALUE_INIT;

      if (!loop_await_result (loop_stream_reader_readline (reader), &line, error))
        return FALSE;
      loop_stream_writer_write_bytes (writer, g_value_get_boxed (&line));
      if (!loop_await_result (loop_stream_writer_drain (writer), NULL, error))
        return FALSE;
    }

  if (!loop_await_result (loop_stream_reader_readexactly (reader, N_BLOCK), &rest, error))
    return FALSE;
  loop_stream_writer_write_bytes (writer, g_value_get_boxed (&rest));
  loop_stream_writer_close (writer);
  n_served++;

  return loop_await_result (loop_stream_writer_wait_closed (writer), NULL, error);
}

static gboolean
expect (LoopFuture *read, GBytes *wanted, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;
  gsize length;
  gsize wanted_length;
  const guint8 *data;

  if (!loop_await_result (read, &value, error))
    return FALSE;

  /* An end that comes early is one that was told; but what did come has to be right. */
  data = g_bytes_get_data (g_value_get_boxed (&value), &length);
  if (length > g_bytes_get_size (wanted) || (length > 0 && memcmp (data, g_bytes_get_data (wanted, NULL), length) != 0))
    torture_fail ("what was read is not what was sent");

  g_bytes_get_data (wanted, &wanted_length);
  if (length == wanted_length)
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the end came early");

  return FALSE;
}

static gboolean
ask (LoopStreamResult *connection, GError **error)
{
  LoopStreamReader *reader = loop_stream_result_get_reader (connection);
  LoopStreamWriter *writer = loop_stream_result_get_writer (connection);
  g_autoptr (GBytes) whole = g_bytes_new_static (block, N_BLOCK);

  for (guint i = 0; i < N_LINES; i++)
    {
      g_autoptr (GBytes) line = make_line (i);

      loop_stream_writer_write_bytes (writer, line);
      if (!expect (loop_stream_reader_readline (reader), line, error))
        return FALSE;
    }

  loop_stream_writer_write (writer, block, N_BLOCK);
  if (!loop_await_result (loop_stream_writer_drain (writer), NULL, error) ||
      !expect (loop_stream_reader_read (reader, -1), whole, error))
    return FALSE;
  is_complete = TRUE;
  loop_stream_writer_close (writer);

  return loop_await_result (loop_stream_writer_wait_closed (writer), NULL, error);
}

static gboolean
run_client (GValue *result, gpointer user_data, GError **error)
{
  Scene *scene = user_data;
  g_auto (GValue) connection = G_VALUE_INIT;
  gboolean success = loop_await_result (
      loop_open_connection (scene->loop, "127.0.0.1", scene_get_port (scene), LIMIT, NULL), &connection, error);

  success = success && ask (g_value_get_boxed (&connection), error);
  loop_server_close (scene->server);

  return success;
}

static void
served (Scene *self, const GValue *result, gpointer user_data)
{
  LoopTask *task;

  self->server = g_value_dup_object (result);
  scene_take_future (self, loop_server_wait_closed (self->server), NULL, NULL);
  task = loop_event_loop_spawn (self->loop, run_client, self, NULL);
  if (task != NULL)
    scene_take_future (self, LOOP_FUTURE (task), NULL, NULL);
}

static void
run (void)
{
  const char *const hosts[] = { "127.0.0.1", NULL };
  Scene *scene = scene_new ();

  block = g_malloc (N_BLOCK);
  for (gsize i = 0; i < N_BLOCK; i++)
    block[i] = (guint8) (i ^ i >> 8);

  scene_take_future (scene, loop_start_fiber_server (scene->loop, answer, NULL, NULL, hosts, 0, LIMIT, NULL), served,
                     NULL);
  scene_run (scene);
  torture_expect (is_complete && n_served == 1, "all was answered");
  scene_end (scene);
  g_free (block);
}

TORTURE_MAIN ("stream", run)
