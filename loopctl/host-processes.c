/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

/* What a host can have a process do: actions again, but for stop. */

#define TYPE "as"

static GVariant *
echo (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autofree const char **words = g_variant_get_strv (parameters, NULL);

  return g_variant_new_take_string (g_strjoinv (" ", (char **) words + 1));
}

/* The host has checked that it is a time. */
static GVariant *
nap (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autofree const char **words = g_variant_get_strv (parameters, NULL);

  g_usleep ((gulong) (g_ascii_strtod (words[1], NULL) * G_USEC_PER_SEC));

  return g_variant_new_string ("");
}

/* While there is one thread. Should it fail, the first job tells. */
void
ctl_host_prepare_processes (void)
{
  loop_process_pool_executor_register ("echo", G_VARIANT_TYPE (TYPE), echo, NULL, NULL, NULL);
  loop_process_pool_executor_register ("sleep", G_VARIANT_TYPE (TYPE), nap, NULL, NULL, NULL);
  loop_process_pool_executor_start_zygote (NULL);
}

static void
print_result (LoopFuture *future, gpointer user_data)
{
  CtlHost *host = user_data;
  g_auto (GValue) result = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  const char *text;

  if (loop_future_cancelled (future))
    return;
  if (!loop_future_result (future, &result, &error))
    {
      ctl_host_print (host, error->message);
      return;
    }

  text = g_variant_get_string (g_value_get_variant (&result), NULL);
  if (*text != '\0')
    ctl_host_print (host, text);
}

/* On the loop's thread. Returns: the id of a future, or 0 with an error */
guint64
ctl_host_run_in_process (CtlHost *self, const char *const *words, GError **error)
{
  g_autoptr (LoopFuture) future = NULL;

  if (self->processes == NULL)
    self->processes = loop_process_pool_executor_new (0, error);
  if (self->processes == NULL)
    return 0;

  future = loop_process_pool_executor_submit (self->processes, self->loop, words[0], g_variant_new_strv (words, -1));
  loop_future_add_done_callback (future, print_result, self, NULL);

  return loop_future_get_id (future);
}

/* On the loop's thread, once it has stopped. What they still do ends with the host. */
void
ctl_host_end_processes (CtlHost *self)
{
  if (self->processes != NULL)
    loop_executor_shutdown (LOOP_EXECUTOR (self->processes), FALSE, TRUE);
  g_clear_object (&self->processes);
}
