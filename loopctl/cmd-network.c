/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "error.h"
#include "host-client.h"
#include "table.h"
#include "words.h"

#include <glib/gi18n.h>
#include <inttypes.h>

/* create_server, create_connection, write and so on: the network, and the programs, of a host. */

static gboolean
parse_port (const char *text, guint16 *port, GError **error)
{
  guint64 number;

  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT16, &number, NULL))
    return ctl_usage_error (error, _ ("“%s” is not a port: ports are numbers up to 65535"), text);

  *port = (guint16) number;

  return TRUE;
}

static const char *
get_service (CtlArguments *arguments, guint index, const char *otherwise)
{
  const char *service = ctl_arguments_get (arguments, index);

  return service != NULL ? service : otherwise;
}

static char *
describe_server (guint64 id, guint port)
{
  return g_strdup_printf (_ ("server #%" PRIu64 " on port %u"), id, port);
}

gboolean
ctl_run_create_server (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *host = ctl_arguments_get (arguments, 0);
  guint16 port;

  return parse_port (ctl_arguments_get (arguments, 1), &port, error) &&
         ctl_host_call_for_number (session, "CreateServer", "port", describe_server,
                                   g_variant_new ("(sqs)", host, port, get_service (arguments, 2, "echo")), "(tqa{sv})",
                                   error);
}

gboolean
ctl_run_create_connection (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  const char *host = ctl_arguments_get (arguments, 0);
  guint16 port;

  return parse_port (ctl_arguments_get (arguments, 1), &port, error) &&
         ctl_host_call (session, "CreateConnection", "transport",
                        g_variant_new ("(sqs)", host, port, get_service (arguments, 2, "print")), error);
}

/* create_unix_server and create_unix_connection. */
gboolean
ctl_run_create_unix (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  gboolean is_server = g_str_equal (command->name, "create_unix_server");
  const char *path = ctl_arguments_get (arguments, 0);
  g_autofree char *directory = g_get_current_dir ();
  /* The host may have another directory. */
  g_autofree char *absolute =
      *path == '@' || *path == '\0' ? g_strdup (path) : g_canonicalize_filename (path, directory);

  return ctl_host_call (
      session, is_server ? "CreateUnixServer" : "CreateUnixConnection", is_server ? "server" : "transport",
      g_variant_new ("(ss)", absolute, get_service (arguments, 1, is_server ? "echo" : "print")), error);
}

gboolean
ctl_run_create_datagram_endpoint (CtlSession *session,
                                  const CtlCommand *command,
                                  CtlArguments *arguments,
                                  GError **error)
{
  const char *local = "";
  const char *remote = "";
  const char *service = "print";

  for (guint i = 0; i < arguments->n_words; i++)
    {
      const char *word = ctl_arguments_get (arguments, i);

      if (g_str_has_prefix (word, "local_addr="))
        local = word + strlen ("local_addr=");
      else if (g_str_has_prefix (word, "remote_addr="))
        remote = word + strlen ("remote_addr=");
      else
        service = word;
    }

  return ctl_host_call (session, "CreateDatagramEndpoint", "transport", g_variant_new ("(sss)", local, remote, service),
                        error);
}

/* Takes @parameters, and prints the rows that come. */
static gboolean
look_up (CtlSession *session, const char *method, GVariant *parameters, const char *const *columns, GError **error)
{
  g_autoptr (CtlTable) table = ctl_table_new (columns);
  g_autoptr (GVariant) rows = NULL;
  g_autoptr (GVariant) state = NULL;
  g_autoptr (GVariant) reply =
      ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, "(aa{sv}a{sv})", error);

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(@aa{sv}@a{sv})", &rows, &state);
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "rows", rows));
      return TRUE;
    }

  ctl_table_add_all (table, rows);
  ctl_table_print (table, session->output);

  return TRUE;
}

gboolean
ctl_run_getaddrinfo (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  static const char *const columns[] = { "family", "address", NULL };

  return look_up (session, "Getaddrinfo",
                  g_variant_new ("(ss)", ctl_arguments_get (arguments, 0), get_service (arguments, 1, "")), columns,
                  error);
}

gboolean
ctl_run_getnameinfo (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  static const char *const columns[] = { "host", "service", NULL };
  guint16 port;

  return parse_port (get_service (arguments, 1, "0"), &port, error) &&
         look_up (session, "Getnameinfo", g_variant_new ("(sq)", ctl_arguments_get (arguments, 0), port), columns,
                  error);
}

static char *
describe_subprocess (guint64 id, guint pid)
{
  return g_strdup_printf (_ ("subprocess #%" PRIu64 ", process %u"), id, pid);
}

gboolean
ctl_run_subprocess_exec (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  return ctl_host_call_for_number (session, "SubprocessExec", "pid", describe_subprocess,
                                   g_variant_new ("(^as)", arguments->words->pdata), "(tua{sv})", error);
}

gboolean
ctl_run_subprocess_shell (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autofree char *text = g_strjoinv (" ", (char **) arguments->words->pdata);

  return ctl_host_call_for_number (session, "SubprocessShell", "pid", describe_subprocess, g_variant_new ("(s)", text),
                                   "(tua{sv})", error);
}

/* Takes @parameters. */
static gboolean
call_write (CtlSession *session, const char *method, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, "(ta{sv})", error);
  g_autoptr (GVariant) state = NULL;
  guint64 n_buffered;

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(t@a{sv})", &n_buffered, &state);
  if (ctl_output_is_json (session->output))
    ctl_output_json (session->output, ctl_reply_new (state, "buffered", g_variant_new_uint64 (n_buffered)));
  else if (ctl_output_is_tsv (session->output))
    ctl_output_printf (session->output, "%" G_GUINT64_FORMAT "\n", n_buffered);
  else if (n_buffered > 0)
    ctl_output_notice (session->output, CTL_STYLE_NONE,
                       g_dngettext (GETTEXT_PACKAGE, "%" PRIu64 " byte waits for the other side to read",
                                    "%" PRIu64 " bytes wait for the other side to read", (gulong) n_buffered),
                       n_buffered);

  return TRUE;
}

gboolean
ctl_run_write (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autofree char *text = g_strjoinv (" ", (char **) arguments->words->pdata + 1);
  g_autoptr (GBytes) data = ctl_words_unescape (text, error);
  guint64 id;

  if (data == NULL || !ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error))
    return FALSE;

  return call_write (session, "Write",
                     g_variant_new ("(t@ay)", id, g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, data, TRUE)),
                     error);
}

gboolean
ctl_run_sendto (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autofree char *text = g_strjoinv (" ", (char **) arguments->words->pdata + 2);
  g_autoptr (GBytes) data = ctl_words_unescape (text, error);
  guint64 id;

  if (data == NULL || !ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error))
    return FALSE;

  return call_write (session, "Sendto",
                     g_variant_new ("(ts@ay)", id, ctl_arguments_get (arguments, 1),
                                    g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, data, TRUE)),
                     error);
}

gboolean
ctl_run_write_eof (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  guint64 id;

  return ctl_words_parse_id (ctl_arguments_get (arguments, 0), &id, error) &&
         call_write (session, "WriteEof", g_variant_new ("(t)", id), error);
}
