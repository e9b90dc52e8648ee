/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "docs.h"

/* The completion script for bash, from the command table and the lists of options. */

static const char script_head[] = "# SPDX-License-Identifier: LGPL-2.1-or-later\n"
                                  "# bash completion for loopctl, which wrote it: loopctl --completion bash\n"
                                  "\n"
                                  "_loopctl_options ()\n"
                                  "{\n"
                                  "  case $1 in\n";

/* Targets and ids come from loopctl itself. Options before the target are skipped. */
static const char script_tail[] =
    "  esac\n"
    "}\n"
    "\n"
    "# _loopctl_ids VIEW [STATES]: the newest that are in one of the states.\n"
    "_loopctl_ids ()\n"
    "{\n"
    "  loopctl \"$target\" \"$1\" --sort=-id 2>/dev/null | awk -F '\\t' -v states=\"^(${2-.*})\\$\" '\n"
    "    NR == 1 { for (i = 1; i <= NF; i++) if ($i == \"state\") column = i; next }\n"
    "    !column || $column ~ states { print $1 }'\n"
    "}\n"
    "\n"
    "_loopctl ()\n"
    "{\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} i=1 target='' command='' first=0 words=''\n"
    "  COMPREPLY=()\n"
    "  while [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n"
    "    case ${COMP_WORDS[i]} in\n"
    "    -c|-f|-l|-t|--command|--file|--loop|--timeout|--color|--completion|--echo)\n"
    "      i=$((i + 1)); [ \"${COMP_WORDS[i]}\" != = ] || i=$((i + 1)) ;;\n"
    "    -*|=) ;;\n"
    "    *)\n"
    "      if [ -z \"$target\" ]; then target=${COMP_WORDS[i]}\n"
    "      elif [ -z \"$command\" ]; then command=${COMP_WORDS[i]} first=$((i + 1))\n"
    "      fi ;;\n"
    "    esac\n"
    "    i=$((i + 1))\n"
    "  done\n"
    "  case $target:$command in\n"
    "  :)\n"
    "    case $cur in\n"
    "    -*) words=$(_loopctl_options global) ;;\n"
    "    *) words=\"ls host help $(loopctl ls 2>/dev/null | awk -F '\\t' 'NR > 1 { print $1; print $2 }' | sort -u)\" ;;\n"
    "    esac ;;\n"
    "  host:*) words=$(_loopctl_options host) ;;\n"
    "  help:) words=$(_loopctl_options commands) ;;\n"
    "  ls:*) words=$(_loopctl_options ls) ;;\n"
    "  *:)\n"
    "    case $cur in\n"
    "    -*) words=$(_loopctl_options global) ;;\n"
    "    *) words=$(_loopctl_options commands) ;;\n"
    "    esac ;;\n"
    "  *)\n"
    "    case $cur in\n"
    "    -*) words=$(_loopctl_options \"$command\") ;;\n"
    "    *)\n"
    "      [ \"$COMP_CWORD\" -ne \"$first\" ] || case $(_loopctl_options \"$command-argument\") in\n"
    "      call) words=$(_loopctl_ids handles 'ready|incoming'; _loopctl_ids timers; _loopctl_ids futures pending\n"
    "        _loopctl_ids tasks 'running|ready|waiting|cancelling') ;;\n"
    "      task) words=$(_loopctl_ids tasks) ;;\n"
    "      server) words=$(_loopctl_ids servers 'serving|idle') ;;\n"
    "      idle-server) words=$(_loopctl_ids servers idle) ;;\n"
    "      signal) words=$(compgen -A signal SIG | grep -vE '^SIG(KILL|STOP|JUNK.*)$') ;;\n"
    "      handled-signal) words=$(loopctl \"$target\" signals 2>/dev/null | tail -n +2 | cut -f 2) ;;\n"
    "      transport) words=$(_loopctl_ids transports) ;;\n"
    "      loop) words=$(loopctl \"$target\" loops 2>/dev/null | tail -n +2 | cut -f 1) ;;\n"
    "      command) words=$(_loopctl_options commands) ;;\n"
    "      on-off) words='on off' ;;\n"
    "      action) words='echo sleep stop' ;;\n"
    "      task-action) words='sleep wait' ;;\n"
    "      esac ;;\n"
    "    esac ;;\n"
    "  esac\n"
    "  # shellcheck disable=SC2207\n"
    "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "\n"
    "complete -F _loopctl loopctl\n";

static void
append_case (GString *out, const char *name, const char *words)
{
  g_string_append_printf (out, "  %s) echo '%s' ;;\n", name, words);
}

static void
append_entries (GString *out, const GOptionEntry *entry)
{
  for (; entry->long_name != NULL; entry++)
    g_string_append_printf (out, "--%s%s ", entry->long_name,
                            entry->arg_description != NULL && !(entry->flags & G_OPTION_FLAG_OPTIONAL_ARG) ? "=" : "");
  g_string_append (out, "--help");
}

static void
append_command_options (GString *out, const CtlCommand *command)
{
  g_autoptr (GString) words = g_string_new (NULL);

  for (const CtlArgumentOption *option = ctl_argument_options; option->name != NULL; option++)
    {
      if (!option->is_for_views || (command->flags & CTL_COMMAND_VIEW))
        g_string_append_printf (words, "%s--%s%s", words->len > 0 ? " " : "", option->name,
                                option->metavar != NULL && option->metavar[0] != '[' ? "=" : "");
    }
  append_case (out, command->name, words->str);
}

static void
append_argument_kind (GString *out, const CtlCommand *command)
{
  static const char *const kinds[] = {
    [CTL_COMPLETE_COMMAND] = "command", [CTL_COMPLETE_CALL] = "call",
    [CTL_COMPLETE_SERVER] = "server",   [CTL_COMPLETE_TRANSPORT] = "transport",
    [CTL_COMPLETE_LOOP] = "loop",       [CTL_COMPLETE_ON_OFF] = "on-off",
    [CTL_COMPLETE_ACTION] = "action",   [CTL_COMPLETE_SERVICE] = NULL,
    [CTL_COMPLETE_TASK] = "task",       [CTL_COMPLETE_TASK_ACTION] = "task-action",
    [CTL_COMPLETE_SIGNAL] = "signal",   [CTL_COMPLETE_IDLE_SERVER] = "idle-server",
    [CTL_COMPLETE_PENDING_TASK] = NULL, [CTL_COMPLETE_HANDLED_SIGNAL] = "handled-signal",
  };
  g_autofree char *name = g_strdup_printf ("%s-argument", command->name);

  if (kinds[command->complete[0]] != NULL)
    append_case (out, name, kinds[command->complete[0]]);
}

/* Returns: a script for bash to source */
char *
ctl_docs_get_bash_completion (const GOptionEntry *const *entries)
{
  GString *out = g_string_new (script_head);
  g_autoptr (GString) global = g_string_new (NULL);
  g_autoptr (GString) host = g_string_new (NULL);
  g_autoptr (GString) commands = g_string_new (NULL);

  append_entries (global, entries[0]);
  append_entries (host, entries[1]);
  g_string_append_printf (host, " %s", global->str);
  append_case (out, "global", global->str);

  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      if (command->flags & CTL_COMMAND_NO_SHELL)
        continue;
      g_string_append_printf (commands, "%s%s", commands->len > 0 ? " " : "", command->name);
      append_command_options (out, command);
      append_argument_kind (out, command);
    }

  append_case (out, "host", host->str);
  append_case (out, "commands", commands->str);
  g_string_append (out, script_tail);

  return g_string_free (out, FALSE);
}
