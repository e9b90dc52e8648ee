/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <gmodule.h>

/* What a host can be asked to drive as a task: sleep and wait. Unlike an action, it does not block the loop. */

struct _CtlWork
{
  CtlHost *host;
  double seconds;
  GArray *ids;        /* of tasks to wait for; or NULL: it sleeps */
  GPtrArray *futures; /* the same, once they were found */
  char *name;
};

void
ctl_work_free (gpointer data)
{
  CtlWork *self = data;

  g_clear_pointer (&self->ids, g_array_unref);
  g_clear_pointer (&self->futures, g_ptr_array_unref);
  g_free (self->name);
  g_free (self);
}

static gboolean
parse_seconds (CtlWork *self, const char *word, GError **error)
{
  char *end = NULL;

  self->seconds = g_ascii_strtod (word, &end);
  if (end != word && *end == '\0' && self->seconds >= 0)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not a time to sleep", word);

  return FALSE;
}

static gboolean
parse_ids (CtlWork *self, const char *const *words, GError **error)
{
  self->ids = g_array_new (FALSE, FALSE, sizeof (guint64));

  for (; *words != NULL; words++)
    {
      const char *digits = **words == '#' ? *words + 1 : *words;
      guint64 id;

      if (!g_ascii_string_to_unsigned (digits, 10, 1, G_MAXUINT64, &id, NULL))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not the id of a task", *words);
          return FALSE;
        }
      g_array_append_val (self->ids, id);
    }

  return TRUE;
}

/* In any thread. */
CtlWork *
ctl_work_new (CtlHost *host, const char *const *words, GError **error)
{
  guint n_words = g_strv_length ((char **) words);
  CtlWork *self = g_new0 (CtlWork, 1);
  gboolean is_ok = FALSE;

  self->host = host;
  self->name = g_strjoinv (" ", (char **) words);
  if (n_words == 2 && g_str_equal (words[0], "sleep"))
    is_ok = parse_seconds (self, words[1], error);
  else if (n_words >= 2 && g_str_equal (words[0], "wait"))
    is_ok = parse_ids (self, words + 1, error);
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A task can do “sleep SECONDS” or “wait ID…”");

  if (is_ok)
    return self;

  ctl_work_free (self);

  return NULL;
}

static gboolean
find_tasks (CtlWork *self, GError **error)
{
  g_autoptr (GPtrArray) tasks = loop_event_loop_all_tasks (self->host->loop);

  self->futures = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; self->ids != NULL && i < self->ids->len; i++)
    {
      guint64 id = g_array_index (self->ids, guint64, i);
      guint j = 0;

      while (j < tasks->len && loop_future_get_id (g_ptr_array_index (tasks, j)) != id)
        j++;

      if (j == tasks->len)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no pending task #%" G_GUINT64_FORMAT,
                       id);
          return FALSE;
        }
      g_ptr_array_add (self->futures, g_object_ref (g_ptr_array_index (tasks, j)));
    }

  return TRUE;
}

/* Its name is shown. */
G_MODULE_EXPORT gboolean
ctl_work_run (GValue *result, gpointer data, GError **error)
{
  CtlWork *self = data;
  LoopEventLoop *loop = self->host->loop;

  if (self->futures->len == 0)
    return loop_await_result (loop_sleep (loop, self->seconds), NULL, error);
  if (self->futures->len == 1)
    return loop_await (g_ptr_array_index (self->futures, 0), error);

  return loop_await_result (loop_gather (loop, (LoopFuture *const *) self->futures->pdata, self->futures->len, FALSE),
                            NULL, error);
}

/* On the loop's thread. Takes @self. Returns: the id of a task; 0 with an error */
guint64
ctl_work_spawn (CtlWork *self, GError **error)
{
  g_autoptr (LoopTask) task = NULL;

  if (!find_tasks (self, error))
    {
      ctl_work_free (self);
      return 0;
    }

  task = loop_event_loop_spawn (self->host->loop, ctl_work_run, self, ctl_work_free);
  loop_task_set_name (task, self->name);

  return loop_future_get_id (LOOP_FUTURE (task));
}

/* Once the loop has stopped, on its thread: ends what it still drives, and the threads. */
void
ctl_host_end_work (CtlHost *self)
{
  g_autoptr (GPtrArray) tasks = loop_event_loop_all_tasks (self->loop);
  g_autoptr (LoopFuture) all_done = loop_gather (self->loop, (LoopFuture *const *) tasks->pdata, tasks->len, TRUE);
  g_autoptr (LoopFuture) shutdown = NULL;

  for (guint i = 0; i < tasks->len; i++)
    loop_future_cancel (g_ptr_array_index (tasks, i));
  loop_event_loop_run_until_complete (self->loop, all_done, NULL, NULL);

  shutdown = loop_event_loop_shutdown_default_executor (self->loop, -1);
  loop_event_loop_run_until_complete (self->loop, shutdown, NULL, NULL);
}
