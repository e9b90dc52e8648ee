/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "commands.h"
#include "error.h"
#include "outcome.h"
#include "signals.h"
#include "words.h"

/* What is done to one object, by its id, and stop. */

static const char *
get_method (const char *command)
{
  static const struct
  {
    const char *command;
    const char *method;
  } methods[] = {
    { "close", "Close" },
    { "abort", "AbortTransport" },
    { "pause_reading", "PauseReading" },
    { "resume_reading", "ResumeReading" },
    { "close_server", "CloseServer" },
    { "start_serving", "StartServer" },
    { "close_clients", "CloseClients" },
    { "abort_clients", "AbortClients" },
    { "terminate", "TerminateSubprocess" },
    { "kill", "KillSubprocess" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      if (g_str_equal (methods[i].command, command))
        return methods[i].method;
    }

  g_assert_not_reached ();
}

gboolean
ctl_run_id_action (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  guint64 id;

  return ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error) &&
         ctl_outcome_call (session, get_method (command->name), g_variant_new ("(t)", id), error);
}

/* Those that are older know of no messages. */
gboolean
ctl_run_cancel (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autofree char *message = g_strjoinv (" ", (char **) arguments->words->pdata + 1);
  guint64 id;

  if (!ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error))
    return FALSE;
  if (*message == '\0')
    return ctl_outcome_call (session, "Cancel", g_variant_new ("(t)", id), error);

  return ctl_outcome_call (session, "CancelWithMessage", g_variant_new ("(ts)", id, message), error);
}

gboolean
ctl_run_send_signal (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  guint64 id;
  int signum;

  if (!ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error))
    return FALSE;
  if (!ctl_signal_parse (ctl_arguments_get (arguments, 1), &signum, &local_error))
    return ctl_usage_error (error, "%s", local_error->message);

  return ctl_outcome_call (session, "SignalSubprocess", g_variant_new ("(ti)", id, signum), error);
}

/* When the loop stops the program may end, and be gone before it has answered. */
gboolean
ctl_run_stop (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GError) local_error = NULL;

  if (!ctl_session_connect (session, error))
    return FALSE;
  if (ctl_outcome_call (session, "Stop", NULL, &local_error))
    return TRUE;

  if (ctl_error_get_exit (local_error) == CTL_EXIT_CONNECTION)
    {
      ctl_outcome_print (session, "done", NULL);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local_error));

  return FALSE;
}
