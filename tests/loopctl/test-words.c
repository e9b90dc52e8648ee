/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loopctl/error.h"
#include "loopctl/signals.h"
#include "loopctl/words.h"

#include <math.h>
#include <signal.h>

/* Splits @text; the commands are joined with "|" and their words with ",". */
static char *
split (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) commands = ctl_words_split (text, &error);
  GString *out = g_string_new (NULL);

  if (commands == NULL)
    {
      ck_assert_int_eq (ctl_error_get_exit (error), CTL_EXIT_USAGE);
      return g_string_free (out, FALSE);
    }

  for (guint i = 0; i < commands->len; i++)
    {
      g_autofree char *words = g_strjoinv (",", g_ptr_array_index (commands, i));

      g_string_append_printf (out, "%s%s", i > 0 ? "|" : "", words);
    }

  return g_string_free (out, FALSE);
}

static void
assert_split (const char *text, const char *expected)
{
  g_autofree char *found = split (text);

  ck_assert_str_eq (found, expected);
}

START_TEST (test_words_and_commands)
{
  assert_split ("", "");
  assert_split (" \t ", "");
  assert_split ("timers", "timers");
  assert_split ("  call_later  5\techo hello ", "call_later,5,echo,hello");
  assert_split ("timers; handles ;;\nloop", "timers|handles|loop");
  assert_split ("timers;", "timers");
}
END_TEST

START_TEST (test_quotes)
{
  assert_split ("echo 'a b' \"c d\"", "echo,a b,c d");
  assert_split ("echo ''", "echo,");
  assert_split ("echo a'b'\"c\"d", "echo,abcd");
  assert_split ("echo 'a;b' \"c\nd\"", "echo,a;b,c\nd");
  assert_split ("echo a\\ b \\'", "echo,a b,'");
  assert_split ("echo \"a\\\"b\\\\c\\n\"", "echo,a\"b\\c\\n");
  assert_split ("echo 'a\\b'", "echo,a\\b");
  assert_split ("echo 'no end", "");
  assert_split ("echo \"no end", "");
}
END_TEST

START_TEST (test_comments)
{
  assert_split ("# all of it\n", "");
  assert_split ("timers\n  # a line; loop\nhandles", "timers|handles");
  assert_split ("cancel #17", "cancel,#17");
  assert_split ("echo a#b", "echo,a#b");
}
END_TEST

START_TEST (test_unfinished)
{
  const struct
  {
    const char *text;
    const char *expected;
  } cases[] = {
    { "", "" },
    { "tim", "tim" },
    { "cancel ", "cancel," },
    { "cancel 1", "cancel,1" },
    { "timers; can", "can" },
    { "timers; ", "" },
    { "echo 'a b", "echo,a b" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (GStrv) words = ctl_words_split_unfinished (cases[i].text);
      g_autofree char *joined = g_strjoinv (",", words);

      ck_assert_str_eq (joined, cases[i].expected);
    }
}
END_TEST

START_TEST (test_ids)
{
  static const char *const wrong[] = { "", "#", "0", "-1", "1.5", "1x", "99999999999999999999" };
  guint64 id;

  ck_assert (ctl_words_parse_id ("17", &id, NULL));
  ck_assert_uint_eq (id, 17);
  ck_assert (ctl_words_parse_id ("#18446744073709551615", &id, NULL));
  ck_assert_uint_eq (id, G_MAXUINT64);

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert_msg (!ctl_words_parse_id (wrong[i], &id, &error), "%s", wrong[i]);
      ck_assert_int_eq (ctl_error_get_exit (error), CTL_EXIT_USAGE);
    }
}
END_TEST

START_TEST (test_seconds)
{
  static const char *const wrong[] = { "", "nan", "5s", "1,5", "x" };
  double seconds;

  ck_assert (ctl_words_parse_seconds ("1.5", &seconds, NULL));
  ck_assert_double_eq (seconds, 1.5);
  ck_assert (ctl_words_parse_seconds ("-1e3", &seconds, NULL));
  ck_assert_double_eq (seconds, -1000);
  ck_assert (ctl_words_parse_seconds ("inf", &seconds, NULL));
  ck_assert (isinf (seconds));

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert_msg (!ctl_words_parse_seconds (wrong[i], &seconds, &error), "%s", wrong[i]);
      ck_assert_int_eq (ctl_error_get_exit (error), CTL_EXIT_USAGE);
    }
}
END_TEST

START_TEST (test_signals)
{
  static const struct
  {
    const char *text;
    int signum;
  } right[] = {
    { "SIGUSR1", SIGUSR1 }, { "USR1", SIGUSR1 }, { "sigusr1", SIGUSR1 },
    { "10", 10 },           { "IO", SIGPOLL },   { "SIGCLD", SIGCHLD },
    { "RTMIN", 0 },         { "SIGRTMIN+3", 3 }, { "rtmax-1", -2 },
    { "SIGKILL", SIGKILL }, { "0", 0 },          { "99", 99 },
  };
  static const char *const wrong[] = { "",        "SIG",     "SIGX",     "-1",     "1x",
                                       "RTMIN-1", "RTMAX+1", "RTMIN+99", "RTMIN+", "RTMINX" };
  int signum;

  for (guint i = 0; i < G_N_ELEMENTS (right); i++)
    {
      int expected = right[i].signum;

      if (g_str_equal (right[i].text, "RTMIN") || g_str_equal (right[i].text, "SIGRTMIN+3"))
        expected += SIGRTMIN;
      else if (expected < 0)
        expected += SIGRTMAX + 1;
      ck_assert_msg (ctl_signal_parse (right[i].text, &signum, NULL), "%s", right[i].text);
      ck_assert_int_eq (signum, expected);
    }

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert_msg (!ctl_signal_parse (wrong[i], &signum, &error), "%s", wrong[i]);
      ck_assert (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
    }
}
END_TEST

/* Each name is that of the signal which it is parsed as. */
START_TEST (test_signal_names)
{
  for (int expected = 1; expected <= SIGRTMAX; expected++)
    {
      g_autofree char *name = ctl_signal_get_name (expected);
      int signum;

      ck_assert (ctl_signal_parse (name, &signum, NULL));
      ck_assert_int_eq (signum, expected);
    }
}
END_TEST

START_TEST (test_escapes)
{
  static const struct
  {
    const char *text;
    const char *bytes;
    gsize length;
  } right[] = {
    { "", "", 0 },
    { "plain ü", "plain ü", 8 },
    { "a\\nb\\r\\n", "a\nb\r\n", 5 },
    { "\\0\\x00\\xff\\xFf1", "\0\0\xff\xff\61", 5 },
    { "\\a\\b\\e\\f\\t\\v\\\\\\\"\\'", "\a\b\033\f\t\v\\\"'", 9 },
  };
  static const char *const wrong[] = { "\\", "x\\", "\\q", "\\x", "\\x1", "\\x1g", "\\1", "\\\n" };

  for (guint i = 0; i < G_N_ELEMENTS (right); i++)
    {
      g_autoptr (GBytes) bytes = ctl_words_unescape (right[i].text, NULL);
      g_autoptr (GBytes) expected = g_bytes_new_static (right[i].bytes, right[i].length);

      ck_assert (g_bytes_equal (bytes, expected));
    }

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;

      ck_assert_ptr_null (ctl_words_unescape (wrong[i], &error));
      ck_assert (g_error_matches (error, CTL_ERROR, CTL_EXIT_USAGE));
    }
}
END_TEST

LOOP_TEST_MAIN ("loopctl-words",
                test_words_and_commands,
                test_quotes,
                test_comments,
                test_unfinished,
                test_ids,
                test_seconds,
                test_signals,
                test_signal_names,
                test_escapes)
