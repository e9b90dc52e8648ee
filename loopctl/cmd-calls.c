/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "error.h"
#include "signals.h"
#include "words.h"

#include <glib/gi18n.h>
#include <inttypes.h>

/* call_soon, create_task, create_server and so on: what only a host does. */

/* Prints the id that came of it: alone where programs read it. */
static void
print_id (CtlSession *session, GVariant *state, const char *kind, guint64 id)
{
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "id", g_variant_new_uint64 (id)));
      return;
    }

  if (ctl_output_is_tsv (session->output))
    {
      ctl_output_printf (session->output, "%" G_GUINT64_FORMAT "\n", id);
      return;
    }

  ctl_session_show_state (session, state);
  ctl_output_printf (session->output, "%s #%" G_GUINT64_FORMAT "\n", kind, id);
}

static gboolean
call (CtlSession *session, const char *method, const char *kind, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, "(ta{sv})", error);
  g_autoptr (GVariant) state = NULL;
  guint64 id;

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(t@a{sv})", &id, &state);
  print_id (session, state, kind, id);

  return TRUE;
}

gboolean
ctl_run_call_soon (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return call (session, "CallSoon", "handle", g_variant_new ("(^as)", arguments->words->pdata), error);
}

/* call_at as well. */
gboolean
ctl_run_call_later (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *method = g_str_equal (command->name, "call_at") ? "CallAt" : "CallLater";
  double seconds;

  if (!ctl_words_parse_seconds (ctl_arguments_get (arguments, 0), &seconds, error))
    return FALSE;

  return call (session, method, "timer", g_variant_new ("(d^as)", seconds, arguments->words->pdata + 1), error);
}

gboolean
ctl_run_create_task (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return call (session, "CreateTask", "task", g_variant_new ("(^as)", arguments->words->pdata), error);
}

gboolean
ctl_run_run_in_executor (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return call (session, "RunInExecutor", "future", g_variant_new ("(^as)", arguments->words->pdata), error);
}

gboolean
ctl_run_run_in_process (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return call (session, "RunInProcess", "future", g_variant_new ("(^as)", arguments->words->pdata), error);
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

static gboolean
parse_port (const char *text, guint16 *port, GError **error)
{
  guint64 number;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT16, &number, NULL))
    return ctl_usage_error (error, _ ("“%s” is not a port: ports are numbers up to 65535"), text);

  *port = (guint16) number;

  return TRUE;
}

gboolean
ctl_run_create_server (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) state = NULL;
  const char *host = ctl_arguments_get (arguments, 0);
  GVariantBuilder object;
  guint16 port;
  guint64 id;

  if (!parse_port (ctl_arguments_get (arguments, 1), &port, error))
    return FALSE;

  reply = ctl_session_call (session, CTL_HOST_INTERFACE, "CreateServer",
                            g_variant_new ("(sqs)", host, port, ctl_arguments_get (arguments, 2)), "(tqa{sv})", error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(tq@a{sv})", &id, &port, &state);
  if (ctl_output_is_json (session->output))
    {
      g_variant_builder_init (&object, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&object, "{sv}", "loop", state);
      g_variant_builder_add (&object, "{sv}", "id", g_variant_new_uint64 (id));
      g_variant_builder_add (&object, "{sv}", "port", g_variant_new_uint16 (port));
      ctl_output_json (session->output, g_variant_builder_end (&object));
    }
  else if (ctl_output_is_tsv (session->output))
    {
      ctl_output_printf (session->output, "%" G_GUINT64_FORMAT "\t%u\n", id, port);
    }
  else
    {
      ctl_session_show_state (session, state);
      ctl_output_printf (session->output, _ ("server #%" PRIu64 " on port %u"), id, port);
      g_string_append_c (session->output->text, '\n');
    }

  return TRUE;
}

gboolean
ctl_run_create_connection (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *host = ctl_arguments_get (arguments, 0);
  guint16 port;

  if (!parse_port (ctl_arguments_get (arguments, 1), &port, error))
    return FALSE;

  return call (session, "CreateConnection", "transport",
               g_variant_new ("(sqs)", host, port, ctl_arguments_get (arguments, 2)), error);
}
