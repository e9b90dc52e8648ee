/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "outcome.h"

#include "client.h"
#include "command.h"
#include "error.h"

#include <glib/gi18n.h>

static const char *
explain (const char *outcome)
{
  if (g_str_equal (outcome, "done"))
    return _ ("done");
  if (g_str_equal (outcome, "queued"))
    return _ ("queued: the loop will do it as soon as the callback that blocks it returns");
  if (g_str_equal (outcome, "timeout"))
    return _ ("the loop did not get to it, because nobody runs it; it stays queued");

  return outcome;
}

/* Of a loop that is gone, @state is NULL. */
void
ctl_outcome_print (CtlSession *session, const char *outcome, GVariant *state)
{
  CtlOutput *output = session->output;

  if (ctl_output_is_json (output))
    {
      g_autoptr (GVariant) gone = g_variant_ref_sink (g_variant_new_parsed ("{'state': <'closed'>}"));

      ctl_output_json (output, ctl_reply_new (state != NULL ? state : gone, "outcome", g_variant_new_string (outcome)));
    }
  else if (ctl_output_is_tsv (output))
    {
      ctl_output_printf (output, "%s\n", outcome);
    }
  else if (!g_str_equal (outcome, "timeout"))
    {
      ctl_output_printf (output, "%s\n", explain (outcome));
    }
}

/*
 * Has the loop's thread do something, and tells what came of it. An action that nobody is there to
 * do counts as failed.
 */
gboolean
ctl_outcome_call (CtlSession *session, const char *method, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_CONTROL_INTERFACE, method, parameters, "(sa{sv})", error);
  g_autoptr (GVariant) state = NULL;
  const char *outcome;

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(&s@a{sv})", &outcome, &state);
  ctl_outcome_print (session, outcome, state);
  if (!g_str_equal (outcome, "timeout"))
    return TRUE;

  g_set_error_literal (error, CTL_ERROR, CTL_EXIT_FAILED, explain (outcome));

  return FALSE;
}
