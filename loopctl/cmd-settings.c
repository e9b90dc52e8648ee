/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "error.h"
#include "outcome.h"
#include "value.h"
#include "words.h"

#include <glib/gi18n.h>

/* debug and slow_callback_duration: without an argument they show, with one they set. */

static gboolean
show_setting (CtlSession *session, const CtlCommand *command, GError **error)
{
  g_autoptr (GVariant) state = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_LOOP_INTERFACE, "GetState", NULL, "(a{sv})", error);

  if (reply == NULL)
    return FALSE;

  state = g_variant_get_child_value (reply, 0);
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, NULL, NULL));
      return TRUE;
    }

  value = g_variant_lookup_value (state, command->name, NULL);
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    text = g_strdup (g_variant_get_boolean (value) ? "on" : "off");
  else
    text = ctl_value_to_text (value, ctl_output_is_tsv (session->output) ? CTL_VALUE_EXACT : CTL_VALUE_TIME);
  ctl_output_printf (session->output, "%s\n", text);

  return TRUE;
}

gboolean
ctl_run_debug (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *text = ctl_arguments_get (arguments, 0);

  if (text == NULL)
    return show_setting (session, command, error);
  if (!g_str_equal (text, "on") && !g_str_equal (text, "off"))
    return ctl_usage_error (error, _ ("debug is “on” or “off”, not “%s”"), text);

  return ctl_outcome_call (session, "SetDebug", g_variant_new ("(b)", g_str_equal (text, "on")), error);
}

gboolean
ctl_run_slow_callback_duration (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *text = ctl_arguments_get (arguments, 0);
  double seconds;

  if (text == NULL)
    return show_setting (session, command, error);

  return ctl_words_parse_seconds (text, &seconds, error) &&
         ctl_outcome_call (session, "SetSlowCallbackDuration", g_variant_new ("(d)", seconds), error);
}
