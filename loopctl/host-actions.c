/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include <gmodule.h>
#include <math.h>

/* What a host can be asked to call: echo, sleep and stop. */

/* Names are interned by the library, so there must not be a new one for every call. */
#define MAX_NAMES 256

#define MAX_SLEEP 1e6

struct _CtlAction
{
  CtlHost *host;
  void (*run) (CtlAction *self);
  const char *name;
  char *text;
  double seconds;
};

static void
run_echo (CtlAction *self)
{
  ctl_host_print (self->host, self->text);
}

/* Blocks the loop, which is the point; but not the end of the host. */
static void
run_sleep (CtlAction *self)
{
  CtlHost *host = self->host;
  gint64 end = g_get_monotonic_time () + (gint64) (self->seconds * G_USEC_PER_SEC);

  g_mutex_lock (&host->mutex);
  while (!host->is_ending && g_cond_wait_until (&host->ending, &host->mutex, end))
    ;
  g_mutex_unlock (&host->mutex);
}

static void
run_stop (CtlAction *self)
{
  loop_event_loop_stop (self->host->loop);
}

/* Returns: @words as one, as long as there are few that differ; then only the first of them */
static const char *
make_name (const char *const *words)
{
  static guint n_names;
  static GHashTable *names;
  static GMutex mutex;
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);
  g_autofree char *text = g_strjoinv (" ", (char **) words);
  const char *name;

  if (names == NULL)
    names = g_hash_table_new (g_str_hash, g_str_equal);

  name = g_hash_table_lookup (names, text);
  if (name != NULL)
    return name;
  if (n_names >= MAX_NAMES)
    return g_intern_string (words[0]);

  n_names++;
  name = g_intern_string (text);
  g_hash_table_add (names, (gpointer) name);

  return name;
}

CtlAction *
ctl_action_new (CtlHost *host, const char *const *words, GError **error)
{
  guint n_words = g_strv_length ((char **) words);
  const char *kind = n_words > 0 ? words[0] : "";
  g_autofree CtlAction *self = g_new0 (CtlAction, 1);
  char *end = NULL;

  self->host = host;
  if (g_str_equal (kind, "echo"))
    {
      self->run = run_echo;
    }
  else if (g_str_equal (kind, "stop") && n_words == 1)
    {
      self->run = run_stop;
    }
  else if (g_str_equal (kind, "sleep") && n_words == 2)
    {
      self->run = run_sleep;
      self->seconds = g_ascii_strtod (words[1], &end);
      if (end == words[1] || *end != '\0' || isnan (self->seconds) || self->seconds < 0 || self->seconds > MAX_SLEEP)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not a time to sleep", words[1]);
          return NULL;
        }
    }
  else
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           "An action is “echo WORD…”, “sleep SECONDS” or “stop”");
      return NULL;
    }

  self->text = g_strjoinv (" ", (char **) words + 1);
  self->name = make_name (words);

  return g_steal_pointer (&self);
}

void
ctl_action_free (gpointer data)
{
  CtlAction *self = data;

  g_free (self->text);
  g_free (self);
}

/* Its name is shown as that of a signal's callback. */
G_MODULE_EXPORT void
ctl_action_run (gpointer data)
{
  CtlAction *self = data;

  self->run (self);
}

/* For an executor, among whose jobs its name is shown. Only the loop's own thread may stop that. */
G_MODULE_EXPORT gboolean
ctl_action_run_in_thread (GValue *result, gpointer data, GError **error)
{
  CtlAction *self = data;
  LoopEventLoop *loop = self->host->loop;

  if (self->run == run_stop)
    return loop_event_loop_call_soon_threadsafe (loop, (LoopCallback) loop_event_loop_stop, loop, NULL, NULL, error);

  self->run (self);

  return TRUE;
}

/* A process has no loop to stop. */
gboolean
ctl_action_can_run_in_process (CtlAction *self, GError **error)
{
  if (self->run != run_stop)
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "A process cannot stop the loop");

  return FALSE;
}

/* Returns: an interned string */
const char *
ctl_action_get_name (CtlAction *self)
{
  return self->name;
}
