/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "session.h"
#include "value.h"

#include <glib/gi18n.h>
#include <inttypes.h>

/* What a loop is doing, in words. */

static const char *
translate_state (const char *state)
{
  static const struct
  {
    const char *state;
    const char *text;
  } states[] = {
    { "running", N_ ("running") }, { "polling", N_ ("waiting for events") },
    { "blocked", N_ ("blocked") }, { "stopped", N_ ("stopped") },
    { "closed", N_ ("closed") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    {
      if (g_strcmp0 (states[i].state, state) == 0)
        return _ (states[i].text);
    }

  return state != NULL ? state : "?";
}

/* Returns: a line such as "loop 1: blocked for 3.2 s in handle #17 on_read" */
char *
ctl_state_describe (GVariant *state)
{
  guint64 id = ctl_value_get_id (state, "id");
  guint64 handle = ctl_value_get_id (state, "handle");
  const char *word = ctl_value_get_string (state, "state");
  const char *name = ctl_value_get_string (state, "name");
  const char *kind = ctl_value_get_string (state, "kind");
  g_autofree char *seconds = ctl_value_from_seconds (ctl_value_get_double (state, "seconds"));

  if (handle == 0)
    return g_strdup_printf (_ ("loop %" PRIu64 ": %s"), id, translate_state (word));

  /* Translators: loop 1: blocked for 3.2 s in handle #17 on_read */
  return g_strdup_printf (_ ("loop %" PRIu64 ": %s for %s in %s #%" PRIu64 " %s"), id, translate_state (word), seconds,
                          kind != NULL ? kind : "handle", handle, name != NULL ? name : "");
}

/* Before what one sees of a loop: why it may not be what one expects. */
void
ctl_session_show_state (CtlSession *self, GVariant *state)
{
  const char *word = ctl_value_get_string (state, "state");
  const char *interpreter = ctl_value_get_string (state, "interpreter");
  g_autofree char *text = NULL;

  /* It does not answer, and what is its own is not shown. */
  if (interpreter != NULL)
    ctl_output_notice (self->output, CTL_STYLE_WARNING, "%s", interpreter);

  if (g_strcmp0 (word, "blocked") != 0 && g_strcmp0 (word, "stopped") != 0 && g_strcmp0 (word, "closed") != 0)
    return;

  text = ctl_state_describe (state);
  ctl_output_notice (self->output, CTL_STYLE_WARNING, "%s", text);
}
