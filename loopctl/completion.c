/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "completion.h"

#include "client.h"
#include "command.h"
#include "signals.h"
#include "text.h"
#include "value.h"
#include "words.h"

/* Completion, from the command table and from what lives in the target now. */

/* How long a Tab may take. */
#define TIMEOUT 0.5
#define MAX_IDS 256

typedef struct
{
  CtlSession *session;
  const char *word; /* that is being typed */
  GPtrArray *candidates;
} Completer;

static void
candidate_free (gpointer data)
{
  CtlCandidate *self = data;

  g_free (self->text);
  g_free (self->hint);
  g_free (self);
}

static void
propose (Completer *self, const char *text, const char *hint)
{
  CtlCandidate *candidate;

  if (!g_str_has_prefix (text, self->word))
    return;

  candidate = g_new (CtlCandidate, 1);
  candidate->text = g_strdup (text);
  candidate->hint = hint != NULL && *hint != '\0' ? ctl_text_escape (hint, CTL_ESCAPE_CONTROLS) : NULL;
  g_ptr_array_add (self->candidates, candidate);
}

static void
propose_words (Completer *self, const char *const *words)
{
  for (; *words != NULL; words++)
    propose (self, *words, NULL);
}

static void
propose_commands (Completer *self)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      if (!(command->flags & CTL_COMMAND_NO_SHELL))
        propose (self, command->name, NULL);
    }
}

static void
propose_rows (Completer *self, GVariant *rows)
{
  gsize n = g_variant_n_children (rows);

  for (gsize i = 0; i < n; i++)
    {
      static const char *const hints[] = { "name", "program", "peer", "address", "kind", "state" };
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      g_autofree char *id = g_strdup_printf ("%" G_GUINT64_FORMAT, ctl_value_get_id (row, "id"));
      const char *hint = NULL;

      for (guint j = 0; j < G_N_ELEMENTS (hints) && (hint == NULL || *hint == '\0'); j++)
        hint = ctl_value_get_string (row, hints[j]);
      propose (self, id, hint);
    }
}

/* What is proposed of a view: those in one of the states, or all. */
typedef struct
{
  CtlComplete complete;
  const char *kind;
  const char *const *states; /* or NULL */
} Proposal;

static const char *const cancellable_handles[] = { "ready", "incoming", NULL };
static const char *const pending[] = { "pending", NULL };
static const char *const pending_tasks[] = { "running", "ready", "waiting", "cancelling", NULL };
static const char *const open_servers[] = { "serving", "throttled", "idle", NULL };
static const char *const idle[] = { "idle", NULL };
static const char *const running[] = { "running", NULL };

static const Proposal proposals[] = {
  { CTL_COMPLETE_CALL, "handles", cancellable_handles },
  { CTL_COMPLETE_CALL, "timers", NULL },
  { CTL_COMPLETE_CALL, "futures", pending },
  { CTL_COMPLETE_CALL, "tasks", pending_tasks },
  { CTL_COMPLETE_TASK, "tasks", NULL },
  { CTL_COMPLETE_PENDING_TASK, "tasks", pending_tasks },
  { CTL_COMPLETE_SERVER, "servers", open_servers },
  { CTL_COMPLETE_IDLE_SERVER, "servers", idle },
  { CTL_COMPLETE_ANY_SERVER, "servers", NULL },
  { CTL_COMPLETE_TRANSPORT, "transports", NULL },
  { CTL_COMPLETE_SUBPROCESS, "subprocesses", running },
  { CTL_COMPLETE_WRITABLE, "transports", NULL },
  { CTL_COMPLETE_WRITABLE, "subprocesses", running },
  { CTL_COMPLETE_CLOSABLE, "transports", NULL },
  { CTL_COMPLETE_CLOSABLE, "servers", open_servers },
  { CTL_COMPLETE_CLOSABLE, "subprocesses", running },
};

/* The newest ones. Returns: (nullable): NULL of a target that does not answer soon */
static GVariant *
list_rows (Completer *self, const char *kind, const char *state)
{
  g_autoptr (GVariant) reply = NULL;
  GVariantBuilder filter;

  g_variant_builder_init (&filter, G_VARIANT_TYPE_VARDICT);
  if (state != NULL)
    g_variant_builder_add (&filter, "{sv}", "state", g_variant_new_string (state));

  reply = ctl_session_call (self->session, CTL_LOOP_INTERFACE, "List",
                            g_variant_new ("(sa{sv}ssu)", kind, &filter, "-id", "", MAX_IDS), "(aa{sv}sta{sv})", NULL);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

static void
propose_view (Completer *self, const Proposal *proposal)
{
  static const char *const all[] = { NULL, NULL };
  const char *const *state = proposal->states != NULL ? proposal->states : all;

  do
    {
      g_autoptr (GVariant) rows = list_rows (self, proposal->kind, *state);

      if (rows == NULL)
        return;
      propose_rows (self, rows);
    }
  while (*state != NULL && *++state != NULL);
}

static void
propose_loops (Completer *self)
{
  g_autoptr (GVariant) rows = ctl_session_list_loops (self->session, NULL);

  if (rows != NULL)
    propose_rows (self, rows);
}

/* Without "SIG" only when it is typed so: else all would be there twice. */
static void
propose_signal (const char *name, gpointer user_data)
{
  Completer *self = user_data;

  propose (self, name, NULL);
  if (*self->word != '\0' && !g_str_has_prefix (name, self->word))
    propose (self, name + strlen ("SIG"), NULL);
}

static void
propose_handled_signals (Completer *self)
{
  g_autoptr (GVariant) rows = list_rows (self, "signals", NULL);
  gsize n = rows != NULL ? g_variant_n_children (rows) : 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      const char *name = ctl_value_get_string (row, "signal");

      if (name != NULL)
        propose (self, name, ctl_value_get_string (row, "callback"));
    }
}

/* What lives in the target now. */
static void
propose_live (Completer *self, CtlComplete kind)
{
  double timeout = self->session->timeout;

  self->session->timeout = MIN (timeout, TIMEOUT);
  if (kind == CTL_COMPLETE_LOOP)
    propose_loops (self);
  else if (kind == CTL_COMPLETE_HANDLED_SIGNAL)
    propose_handled_signals (self);
  for (guint i = 0; i < G_N_ELEMENTS (proposals); i++)
    {
      if (proposals[i].complete == kind)
        propose_view (self, &proposals[i]);
    }
  self->session->timeout = timeout;
}

static void
propose_kind (Completer *self, CtlComplete kind)
{
  static const char *const on_off[] = { "on", "off", NULL };
  static const char *const actions[] = { "echo", "sleep", "stop", NULL };
  static const char *const task_actions[] = { "sleep", "wait", NULL };
  static const char *const addresses[] = { "local_addr=", "remote_addr=", NULL };
  static const char *const services[] = { "echo", "discard", "print", NULL };

  switch (kind)
    {
    case CTL_COMPLETE_NOTHING:
      return;
    case CTL_COMPLETE_COMMAND:
      propose_commands (self);
      return;
    case CTL_COMPLETE_CALL:
    case CTL_COMPLETE_TASK:
    case CTL_COMPLETE_PENDING_TASK:
    case CTL_COMPLETE_SERVER:
    case CTL_COMPLETE_IDLE_SERVER:
    case CTL_COMPLETE_ANY_SERVER:
    case CTL_COMPLETE_TRANSPORT:
    case CTL_COMPLETE_SUBPROCESS:
    case CTL_COMPLETE_WRITABLE:
    case CTL_COMPLETE_CLOSABLE:
    case CTL_COMPLETE_LOOP:
    case CTL_COMPLETE_HANDLED_SIGNAL:
      propose_live (self, kind);
      return;
    case CTL_COMPLETE_SIGNAL:
    case CTL_COMPLETE_CATCHABLE_SIGNAL:
      ctl_signal_foreach_name (kind == CTL_COMPLETE_CATCHABLE_SIGNAL, propose_signal, self);
      return;
    case CTL_COMPLETE_ON_OFF:
      propose_words (self, on_off);
      return;
    case CTL_COMPLETE_ACTION:
      propose_words (self, actions);
      return;
    case CTL_COMPLETE_TASK_ACTION:
      propose_words (self, task_actions);
      return;
    case CTL_COMPLETE_ENDPOINT:
      propose_words (self, addresses);
      propose_words (self, services);
      return;
    case CTL_COMPLETE_SERVICE:
      propose_words (self, services);
      return;
    default:
      g_assert_not_reached ();
    }
}

static gboolean
is_sortable (const char *column)
{
  static const char *const others[] = { "name",      "kind",    "state",    "events",     "peer",         "protocol",
                                        "address",   "reading", "seconds",  "waiter",     "cancelled_by", "canceller",
                                        "coroutine", "awaits",  "awaited",  "stack_used", "stack_size",   "function",
                                        "executor",  "signal",  "callback", "created",    "pid",          "job",
                                        "local",     "paused",  "owner",    "program",    "returncode",   "stdin",
                                        "stdout",    "stderr",  NULL };

  return !g_strv_contains (others, column);
}

static void
propose_columns (Completer *self, const CtlCommand *command)
{
  const char *sort = g_str_has_prefix (self->word, "--sort=-") ? "--sort=-" : "--sort=";

  for (const char *const *column = command->columns; *column != NULL; column++)
    {
      g_autofree char *sorting = g_strconcat (sort, *column, NULL);
      g_autofree char *filter = g_strdup_printf ("--filter=%s=", *column);

      if (is_sortable (*column))
        propose (self, sorting, NULL);
      if (!g_str_equal (*column, "seconds"))
        propose (self, filter, NULL);
    }
}

static void
propose_options (Completer *self, const CtlCommand *command)
{
  if (command->columns != NULL &&
      (g_str_has_prefix (self->word, "--sort=") || g_str_has_prefix (self->word, "--filter=")))
    {
      propose_columns (self, command);
      return;
    }

  for (const CtlArgumentOption *option = ctl_argument_options; option->name != NULL; option++)
    {
      gboolean has_value = option->metavar != NULL && option->metavar[0] != '[';
      g_autofree char *text = g_strdup_printf ("--%s%s", option->name, has_value ? "=" : "");

      if (!option->is_for_views || (command->flags & CTL_COMMAND_VIEW))
        propose (self, text, NULL);
    }
}

static void
propose_argument (Completer *self, const CtlCommand *command, char **words, guint n_words)
{
  guint position = 0;

  if (g_str_has_prefix (self->word, "--"))
    {
      propose_options (self, command);
      return;
    }

  for (guint i = 1; i + 1 < n_words; i++)
    position += !g_str_has_prefix (words[i], "--");
  if (position < G_N_ELEMENTS (command->complete))
    propose_kind (self, command->complete[position]);
}

static gboolean
is_watch (char **words)
{
  return g_strcmp0 (words[0], "watch") == 0 && words[1] != NULL;
}

/* Leaves out "watch i=1", behind which everything starts anew. */
static char **
skip_watch (char **words)
{
  if (!is_watch (words))
    return words;

  for (words++; words[1] != NULL; words++)
    {
      if (!g_str_has_prefix (*words, "i=") && !g_str_has_prefix (*words, "c="))
        break;
    }

  return words;
}

static int
compare_candidates (gconstpointer a, gconstpointer b)
{
  const CtlCandidate *first = *(CtlCandidate *const *) a;
  const CtlCandidate *second = *(CtlCandidate *const *) b;
  guint64 first_id = g_ascii_strtoull (first->text, NULL, 10);
  guint64 second_id = g_ascii_strtoull (second->text, NULL, 10);

  if (first_id != second_id)
    return first_id < second_id ? -1 : 1;

  return strcmp (first->text, second->text);
}

/*
 * What the last word of @typed can become. @word is set to that word as typed.
 *
 * Returns: (element-type CtlCandidate): sorted
 */
GPtrArray *
ctl_completion_get (CtlSession *session, const char *typed, char **word)
{
  g_auto (GStrv) all_words = ctl_words_split_unfinished (typed);
  char **words = skip_watch (all_words);
  guint n_words = g_strv_length (words);
  Completer self = { session, words[n_words - 1], g_ptr_array_new_with_free_func (candidate_free) };
  const CtlCommand *command = n_words > 1 ? ctl_command_find (words[0]) : NULL;

  if (*self.word == '#')
    self.word++;
  *word = g_strdup (self.word);

  if (n_words == 1)
    propose_commands (&self);
  else if (command != NULL)
    propose_argument (&self, command, words, n_words);

  g_ptr_array_sort (self.candidates, compare_candidates);

  return self.candidates;
}

/* Returns: what all candidates start with; there is at least one */
char *
ctl_completion_get_common (GPtrArray *candidates)
{
  const CtlCandidate *first = g_ptr_array_index (candidates, 0);
  gsize length = strlen (first->text);

  for (guint i = 1; i < candidates->len; i++)
    {
      const CtlCandidate *other = g_ptr_array_index (candidates, i);
      gsize common = 0;

      while (common < length && first->text[common] == other->text[common])
        common++;
      length = common;
    }

  return g_strndup (first->text, length);
}
