/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "repl.h"

#include "command.h"
#include "line-editor.h"
#include "script.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <unistd.h>

/* The shell on a terminal. */

static gboolean
interrupted (gpointer user_data)
{
  CtlSession *session = user_data;

  /* The terminal shows ^C, and a command prints from the start of a line. */
  if (session->depth > 0)
    ctl_write (STDOUT_FILENO, "\n");
  g_cancellable_cancel (session->interrupt);

  return G_SOURCE_CONTINUE;
}

static gboolean
terminated (gpointer user_data)
{
  CtlSession *session = user_data;

  session->is_over = TRUE;
  g_cancellable_cancel (session->interrupt);

  return G_SOURCE_CONTINUE;
}

static void
announce (const char *text, gpointer user_data)
{
  ctl_line_editor_print_above (user_data, text);
}

/* Whom one talks to, and what its loops do. */
static void
greet (CtlSession *session)
{
  g_autoptr (GVariant) loops = ctl_session_list_loops (session, NULL);
  g_autofree char *name = ctl_session_describe (session);
  gsize n = loops != NULL ? g_variant_n_children (loops) : 0;

  ctl_output_begin (session->output);
  ctl_output_notice (session->output, CTL_STYLE_HEADING, _ ("%s, libloop %s%s"), name, session->version,
                     g_strcmp0 (session->access, "read") == 0 ? _ (" (read-only)") : "");
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) loop = g_variant_get_child_value (loops, i);
      g_autofree char *line = ctl_state_describe (loop);

      ctl_output_notice (session->output, CTL_STYLE_NONE, "%s", line);
    }
  if (n == 0)
    ctl_output_notice (session->output, CTL_STYLE_WARNING, "%s", _ ("It has no loop."));
  ctl_output_notice (session->output, CTL_STYLE_NONE, "%s",
                     _ ("“help” lists the commands, Tab completes them, Ctrl-D leaves."));
  ctl_output_end (session->output);
}

static char *
make_prompt (CtlSession *session)
{
  g_autofree char *name = ctl_session_describe (session);

  if (session->loop_id != 0)
    return g_strdup_printf ("%s/%" G_GUINT64_FORMAT "> ", name, session->loop_id);

  return g_strdup_printf ("%s> ", name);
}

CtlExit
ctl_repl_run (CtlSession *session)
{
  g_autoptr (CtlLineEditor) editor = ctl_line_editor_new (session);
  guint sources[] = {
    g_unix_signal_add (SIGINT, interrupted, session),
    g_unix_signal_add (SIGTERM, terminated, session),
    g_unix_signal_add (SIGHUP, terminated, session),
  };

  session->announce = announce;
  session->announce_data = editor;
  greet (session);

  while (!session->is_over)
    {
      g_autofree char *prompt = make_prompt (session);
      g_autofree char *line = NULL;

      g_cancellable_reset (session->interrupt);
      line = ctl_line_editor_read (editor, prompt);
      if (line == NULL && g_cancellable_is_cancelled (session->interrupt))
        continue;
      if (line == NULL)
        break;

      ctl_script_run_text (session, line);
    }

  session->announce = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);

  return CTL_EXIT_OK;
}
