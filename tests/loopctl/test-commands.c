/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loopctl/command.h"
#include "loopctl/docs.h"
#include "loopctl/error.h"

/* Every row says all that help, completion and the manual page are made of. */
START_TEST (test_the_table_is_whole)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      ck_assert_msg (g_hash_table_add (names, (gpointer) command->name), "%s is there twice", command->name);
      ck_assert_ptr_nonnull (command->summary);
      ck_assert_msg (command->run != NULL || (command->flags & CTL_COMMAND_NO_SHELL), "%s does nothing", command->name);
      ck_assert_uint_le (command->min_words, command->max_words);
      ck_assert_msg ((command->max_words > 0 || (command->flags & CTL_COMMAND_VIEW)) == (command->synopsis != NULL),
                     "%s takes arguments and does not say so, or the other way round", command->name);
      ck_assert_msg (((command->flags & CTL_COMMAND_VIEW) != 0) == (command->columns != NULL), "%s has no columns",
                     command->name);
      ck_assert_ptr_eq (ctl_command_find (command->name), command);
      if (command->alias != NULL)
        ck_assert_ptr_eq (ctl_command_find (command->alias), command);
    }
}
END_TEST

START_TEST (test_help_for_every_command)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    {
      g_autoptr (CtlOutput) output = ctl_output_new (CTL_FORMAT_TEXT, CTL_COLOR_NEVER);

      ctl_docs_append_command (output, command);
      ck_assert_msg (g_str_has_prefix (output->text->str, command->name), "%s", output->text->str);
      ck_assert_ptr_nonnull (strstr (output->text->str, command->summary));
    }
}
END_TEST

static void
assert_check (const char *line, const char *error_pattern)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  g_autoptr (GError) error = NULL;
  const CtlCommand *command = ctl_command_check (words, &error);

  if (error_pattern == NULL)
    {
      ck_assert_msg (command != NULL, "%s: %s", line, error != NULL ? error->message : "");
      return;
    }

  ck_assert_msg (command == NULL, "%s", line);
  ck_assert_int_eq (ctl_error_get_exit (error), CTL_EXIT_USAGE);
  ck_assert_msg (g_pattern_match_simple (error_pattern, error->message), "%s: %s", line, error->message);
}

START_TEST (test_check)
{
  assert_check ("timers", NULL);
  assert_check ("timers --limit=3 --sort -in --filter name=on_* --all --json=pretty", NULL);
  assert_check ("cancel 17 --loop=1 --json", NULL);
  assert_check ("call_later 5 echo --all", NULL);
  assert_check ("watch i=1 c=2 timers --all", NULL);
  assert_check ("cancel --help", NULL);

  assert_check ("timer", "*“timer”*Did you mean “timers”*");
  assert_check ("xyzzy", "*“xyzzy”*“help”*");
  assert_check ("cancel", "Usage: cancel ID [MESSAGE…]");
  assert_check ("cancel 1 why not", NULL);
  assert_check ("close 1 2", "Usage: close ID");
  assert_check ("stop now", "stop takes no arguments");
  assert_check ("timers --limit", "--limit needs a value*");
  assert_check ("timers --limit=0", "*not a number of rows");
  assert_check ("timers --limit=-1", "*not a number of rows");
  assert_check ("timers --all=yes", "--all takes no value");
  assert_check ("timers --filter=name", "*not a filter*");
  assert_check ("timers --json=long", "--json is*");
  assert_check ("loop --all", "There is no option --all here");
  assert_check ("timers --colour", "There is no option --colour here");
}
END_TEST

LOOP_TEST_MAIN ("loopctl-commands", test_the_table_is_whole, test_help_for_every_command, test_check)
