/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"

#include "command.h"
#include "repl.h"
#include "script.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

/* "loopctl host": a loop as a service, whose shell talks to it as any other client does. */

#define DEFAULT_HOST "127.0.0.1"
#define DIRECTORY_TEMPLATE "/tmp/loopctl-XXXXXX"

/* The one host of the process, for the log writer, which is given nothing. */
static CtlHost *the_host;

/* Inspectors need a private place for their sockets; where the system gives none, it is made. */
static gboolean
prepare_directory (CtlHost *self, GError **error)
{
  const char *directory = g_getenv ("XDG_RUNTIME_DIR");

  if (directory != NULL && g_file_test (directory, G_FILE_TEST_IS_DIR))
    return TRUE;

  self->private_directory = g_mkdtemp_full (g_strdup (DIRECTORY_TEMPLATE), 0700);
  if (self->private_directory == NULL)
    return ctl_usage_error (error, _ ("Cannot make a directory in /tmp: %s"), g_strerror (errno));

  g_setenv ("XDG_RUNTIME_DIR", self->private_directory, TRUE);

  return TRUE;
}

static void
remove_directory (CtlHost *self)
{
  g_autofree char *sockets = NULL;

  if (self->private_directory == NULL)
    return;

  sockets = g_build_filename (self->private_directory, "libloop", NULL);
  g_rmdir (sockets);
  g_rmdir (self->private_directory);
}

/* What the library warns of belongs above the prompt too. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  CtlHost *host = g_atomic_pointer_get (&the_host);
  const char *domain = NULL;
  const char *message = NULL;
  g_autofree char *text = NULL;

  for (gsize i = 0; i < n_fields; i++)
    {
      if (g_strcmp0 (fields[i].key, "GLIB_DOMAIN") == 0)
        domain = fields[i].value;
      else if (g_strcmp0 (fields[i].key, "MESSAGE") == 0)
        message = fields[i].value;
    }

  if (host == NULL || host->prints_directly || (level & G_LOG_FLAG_FATAL))
    return g_log_writer_default (level, fields, n_fields, user_data);
  if (g_log_writer_default_would_drop (level, domain))
    return G_LOG_WRITER_HANDLED;

  text = g_strdup_printf ("%s: %s", domain != NULL ? domain : "loopctl", message != NULL ? message : "");
  ctl_host_print (host, text);

  return G_LOG_WRITER_HANDLED;
}

/* "HOST:PORT", "[HOST]:PORT" or "PORT". */
static gboolean
parse_echo (const char *text, char **host, guint16 *port, GError **error)
{
  const char *colon = strrchr (text, ':');
  guint64 number;

  if (!g_ascii_string_to_unsigned (colon != NULL ? colon + 1 : text, 10, 0, G_MAXUINT16, &number, NULL))
    return ctl_usage_error (error, _ ("“%s” is not an address: write --echo=HOST:PORT"), text);

  *port = (guint16) number;
  if (colon == NULL)
    *host = g_strdup (DEFAULT_HOST);
  else if (*text == '[' && colon > text + 1 && colon[-1] == ']')
    *host = g_strndup (text + 1, (gsize) (colon - text - 2));
  else
    *host = g_strndup (text, (gsize) (colon - text));

  return TRUE;
}

/* Where the host is to be found. */
static void
print_banner (CtlHost *self, CtlOptions *options, const char *host, guint16 port)
{
  g_autoptr (CtlOutput) output = ctl_output_new (options->format, options->color);
  const char *path = loop_inspector_get_path (self->inspector);
  GVariantBuilder details;

  if (ctl_output_is_json (output))
    {
      g_variant_builder_init (&details, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&details, "{sv}", "pid", g_variant_new_uint32 ((guint32) getpid ()));
      g_variant_builder_add (&details, "{sv}", "host", g_variant_new_string (host));
      g_variant_builder_add (&details, "{sv}", "port", g_variant_new_uint16 (port));
      g_variant_builder_add (&details, "{sv}", "socket", g_variant_new_take_string (g_filename_display_name (path)));
      ctl_output_json (output, ctl_reply_new (NULL, "host", g_variant_builder_end (&details)));
    }
  else
    {
      ctl_output_printf (output,
                         strchr (host, ':') != NULL ? _ ("echo server on [%s]:%u\n") : _ ("echo server on %s:%u\n"),
                         *host != '\0' ? host : "*", port);
      ctl_output_printf (output, _ ("process %u, inspector on %s\n"), (guint) getpid (), path);
      if (self->private_directory != NULL)
        ctl_output_printf (output, _ ("XDG_RUNTIME_DIR is not set; for other terminals: export XDG_RUNTIME_DIR=%s\n"),
                           self->private_directory);
    }

  ctl_write (STDOUT_FILENO, output->text->str);
}

static gboolean
start (CtlHost *self, CtlOptions *options, GError **error)
{
  g_autofree char *host = NULL;
  guint16 port = 0;

  if (!parse_echo (options->echo != NULL ? options->echo : DEFAULT_HOST ":0", &host, &port, error) ||
      !prepare_directory (self, error))
    return FALSE;

  self->inspector =
      loop_inspector_start (options->is_read_only ? LOOP_INSPECTOR_ACCESS_READ : LOOP_INSPECTOR_ACCESS_CONTROL, error);
  if (self->inspector == NULL)
    return FALSE;

  self->loop = loop_event_loop_new ();
  loop_inspector_add_interface (self->inspector, ctl_host_rpc_get_info (), ctl_host_rpc_method, self, NULL);
  if (!ctl_host_start_loop (self, error))
    return FALSE;

  port = ctl_host_serve (self, host, port, "echo", error);
  if (port == 0)
    return FALSE;

  print_banner (self, options, host, port);

  return TRUE;
}

static void
host_clear (CtlHost *self)
{
  g_clear_pointer (&self->session, ctl_session_free);
  if (self->loop != NULL)
    ctl_host_stop_loop (self);
  if (self->inspector != NULL)
    loop_inspector_stop (self->inspector);

  g_clear_object (&self->inspector);
  g_clear_pointer (&self->connections, g_hash_table_unref);
  g_clear_object (&self->loop);
  g_clear_pointer (&self->service, g_main_loop_unref);
  remove_directory (self);
  g_free (self->private_directory);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->ending);
}

static gboolean
terminated (gpointer user_data)
{
  CtlHost *self = user_data;

  if (self->service != NULL)
    g_main_loop_quit (self->service);
  if (self->session != NULL)
    {
      self->session->is_over = TRUE;
      g_cancellable_cancel (self->session->interrupt);
    }

  return G_SOURCE_CONTINUE;
}

/* But not for a signal that whoever started us has switched off, as nohup does. */
static guint
add_signal (int signum, CtlHost *self)
{
  struct sigaction action;

  if (sigaction (signum, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
    return 0;

  return g_unix_signal_add (signum, terminated, self);
}

static CtlExit
run_shell (CtlHost *self, CtlOptions *options, gboolean is_terminal)
{
  CtlExit result;

  if (options->scripts->len > 0)
    result = ctl_script_run_all (self->session, options->scripts);
  else if (is_terminal)
    result = ctl_repl_run (self->session);
  else
    result = ctl_script_run_file (self->session, "-");

  /* That a signal cut short what was under way is no failure of it. */
  return g_cancellable_is_cancelled (self->session->interrupt) ? CTL_EXIT_OK : result;
}

static CtlExit
serve (CtlHost *self, CtlOptions *options, CtlOutput *output, gboolean is_terminal)
{
  if (options->has_no_shell)
    {
      g_main_loop_run (self->service);
      return CTL_EXIT_OK;
    }

  self->session = ctl_session_new (loop_inspector_get_path (self->inspector), options->timeout, output);
  self->session->loop_id = options->loop_id;

  return run_shell (self, options, is_terminal);
}

static void
host_init (CtlHost *self, CtlOptions *options, gboolean is_terminal)
{
  g_mutex_init (&self->mutex);
  g_cond_init (&self->ending);
  self->service = options->has_no_shell ? g_main_loop_new (NULL, FALSE) : NULL;
  self->prints_directly = !is_terminal;
  ctl_write_outlives_reader ();
}

CtlExit
ctl_host_run (CtlOptions *options)
{
  gboolean is_terminal =
      !options->has_no_shell && options->scripts->len == 0 && isatty (STDIN_FILENO) && isatty (STDOUT_FILENO);
  CtlHost self = { NULL };
  g_autoptr (CtlOutput) output = ctl_output_new (options->format, options->color);
  g_autoptr (GError) error = NULL;
  CtlExit result = CTL_EXIT_USAGE;
  guint terminate;
  guint hang_up;
  guint interrupt;

  /* Before GLib starts its thread for signals. */
  ctl_host_prepare_processes ();
  terminate = add_signal (SIGTERM, &self);
  hang_up = add_signal (SIGHUP, &self);
  /* The shell on a terminal has its own idea of what Ctrl-C is. */
  interrupt = is_terminal ? 0 : add_signal (SIGINT, &self);

  /* The inspector is to be as the options say. */
  g_unsetenv ("LOOP_INSPECT");
  host_init (&self, options, is_terminal);

  if (start (&self, options, &error))
    {
      g_atomic_pointer_set (&the_host, &self);
      g_log_set_writer_func (write_log, NULL, NULL);
      result = serve (&self, options, output, is_terminal);
      g_atomic_pointer_set (&the_host, NULL);
    }
  else
    {
      ctl_output_error_object (output, error);
      ctl_output_error (output, error);
    }

  g_clear_handle_id (&terminate, g_source_remove);
  g_clear_handle_id (&hang_up, g_source_remove);
  g_clear_handle_id (&interrupt, g_source_remove);
  host_clear (&self);

  return result;
}
