/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "host-client.h"
#include "signals.h"
#include "words.h"

#include <glib/gi18n.h>

/* call_soon, create_task and so on: what only a host does. */

gboolean
ctl_run_call_soon (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return ctl_host_call (session, "CallSoon", "handle", g_variant_new ("(^as)", arguments->words->pdata), error);
}

/* call_at as well. */
gboolean
ctl_run_call_later (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *method = g_str_equal (command->name, "call_at") ? "CallAt" : "CallLater";
  double seconds;

  if (!ctl_words_parse_seconds (ctl_arguments_get (arguments, 0), &seconds, error))
    return FALSE;

  return ctl_host_call (session, method, "timer", g_variant_new ("(d^as)", seconds, arguments->words->pdata + 1),
                        error);
}

gboolean
ctl_run_create_task (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return ctl_host_call (session, "CreateTask", "task", g_variant_new ("(^as)", arguments->words->pdata), error);
}

gboolean
ctl_run_run_in_executor (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return ctl_host_call (session, "RunInExecutor", "future", g_variant_new ("(^as)", arguments->words->pdata), error);
}

gboolean
ctl_run_run_in_process (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return ctl_host_call (session, "RunInProcess", "future", g_variant_new ("(^as)", arguments->words->pdata), error);
}

/* The signal's number comes of it. Takes @parameters. */
static gboolean
change_signal_handler (CtlSession *session, const char *method, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, "(ia{sv})", error);
  g_autoptr (GVariant) state = NULL;
  g_autofree char *name = NULL;
  gint32 number;

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(i@a{sv})", &number, &state);
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "number", g_variant_new_int32 (number)));
    }
  else if (ctl_output_is_tsv (session->output))
    {
      ctl_output_printf (session->output, "%d\n", number);
    }
  else
    {
      ctl_session_show_state (session, state);
      name = ctl_signal_get_name (number);
      ctl_output_printf (session->output, _ ("signal %d, %s"), number, name);
      g_string_append_c (session->output->text, '\n');
    }

  return TRUE;
}

gboolean
ctl_run_add_signal_handler (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return change_signal_handler (session, "AddSignalHandler",
                                g_variant_new ("(s^as)", ctl_arguments_get (arguments, 0), arguments->words->pdata + 1),
                                error);
}

gboolean
ctl_run_remove_signal_handler (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return change_signal_handler (session, "RemoveSignalHandler", g_variant_new ("(s)", ctl_arguments_get (arguments, 0)),
                                error);
}
