/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "client.h"
#include "commands.h"
#include "table.h"
#include "value.h"
#include "words.h"

#include <glib/gi18n.h>

/* loops, loop, stack and metrics: what there is to say of a loop as a whole. */

static const char *const loop_columns[] = { "id",   "state", "seconds", "handle",
                                            "kind", "name",  "debug",   "slow_callback_duration",
                                            NULL };

static GVariant *
without_path (GVariant *loop)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, loop);
  g_variant_dict_remove (&dict, "path");

  return g_variant_dict_end (&dict);
}

gboolean
ctl_run_loops (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GVariant) loops = ctl_session_list_loops (session, error);
  g_autoptr (CtlTable) table = NULL;
  gsize n;

  if (loops == NULL)
    return FALSE;

  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (NULL, "rows", loops));
      return TRUE;
    }

  table = ctl_table_new (loop_columns);
  n = g_variant_n_children (loops);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) loop = g_variant_get_child_value (loops, i);

      ctl_table_add (table, without_path (loop));
    }
  ctl_table_print (table, session->output);

  return TRUE;
}

static void
print_loop (CtlSession *session, GVariant *state)
{
  CtlOutput *output = session->output;
  g_autofree char *line = NULL;

  if (ctl_output_is_json (output))
    {
      ctl_output_json (output, ctl_reply_new (state, NULL, NULL));
      return;
    }

  if (!ctl_output_is_tsv (output))
    {
      line = ctl_state_describe (state);
      ctl_output_notice (output,
                         g_strcmp0 (ctl_value_get_string (state, "state"), "blocked") == 0 ? CTL_STYLE_WARNING
                                                                                           : CTL_STYLE_NONE,
                         "%s", line);
    }
  ctl_record_print (state, output);
}

gboolean
ctl_run_loop (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) state = NULL;
  const char *text = ctl_arguments_get (arguments, 0);
  guint64 loop_id = session->loop_id;

  if (text != NULL && !ctl_words_parse_id (text, &session->loop_id, error))
    return FALSE;

  reply = ctl_session_call (session, CTL_LOOP_INTERFACE, "GetState", NULL, "(a{sv})", error);
  if (reply == NULL)
    {
      session->loop_id = loop_id;
      return FALSE;
    }

  state = g_variant_get_child_value (reply, 0);
  print_loop (session, state);

  return TRUE;
}

gboolean
ctl_run_metrics (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GVariant) metrics = NULL;
  g_autoptr (GVariant) state = NULL;
  g_autoptr (GVariant) reply =
      ctl_session_call (session, CTL_LOOP_INTERFACE, "GetMetrics", NULL, "(a{sv}a{sv})", error);

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(@a{sv}@a{sv})", &metrics, &state);
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "metrics", metrics));
      return TRUE;
    }

  ctl_session_show_state (session, state);
  ctl_record_print (metrics, session->output);

  return TRUE;
}

static const char *const stack_columns[] = { "function", "file", "line", NULL };

static void
print_stack (CtlSession *session, GVariant *stack)
{
  g_autoptr (CtlTable) table = ctl_table_new (stack_columns);

  ctl_table_add_all (table, stack);
  if (g_variant_n_children (stack) == 0 && !ctl_output_is_tsv (session->output))
    ctl_output_printf (session->output, "%s\n", _ ("none"));
  else
    ctl_table_print (table, session->output);
}

gboolean
ctl_run_stack (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_autoptr (GVariant) stack = NULL;
  g_autoptr (GVariant) state = NULL;
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_LOOP_INTERFACE, "GetStack", NULL, "(aa{sv}a{sv})", error);

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(@aa{sv}@a{sv})", &stack, &state);
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "rows", stack));
      return TRUE;
    }

  ctl_session_show_state (session, state);
  print_stack (session, stack);

  return TRUE;
}
