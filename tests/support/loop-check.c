/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "loop-check.h"

typedef struct
{
  GLogLevelFlags level;
  char *pattern;
} Expected;

static GMutex expected_lock;
static GList *expected;
static gboolean is_forking;
static GLogLevelFlags fatal_levels = G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR;

static void
expected_free (Expected *self)
{
  g_free (self->pattern);
  g_free (self);
}

static gboolean
take_expected (GLogLevelFlags level, const char *message)
{
  gboolean found = FALSE;

  g_mutex_lock (&expected_lock);
  for (GList *l = expected; l != NULL; l = l->next)
    {
      Expected *e = l->data;

      if ((level & e->level) && g_pattern_match_simple (e->pattern, message))
        {
          expected_free (e);
          expected = g_list_delete_link (expected, l);
          found = TRUE;
          break;
        }
    }
  g_mutex_unlock (&expected_lock);

  return found;
}

static GLogWriterOutput
log_writer (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  const char *message = "";

  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      message = fields[i].value;

  if (take_expected (level, message))
    return G_LOG_WRITER_HANDLED;

  /* Standard output belongs to TAP. */
  if (level <= G_LOG_LEVEL_WARNING)
    {
      g_autofree char *text = g_log_writer_format_fields (level, fields, n_fields, FALSE);
      g_printerr ("%s\n", text);
    }
  else if (!g_log_writer_default_would_drop (level, NULL))
    g_log_writer_standard_streams (level, fields, n_fields, NULL);

  if (level & fatal_levels)
    {
      /* Ends the test's process from any thread, and says why. A debugger wants to see the place. */
      if (is_forking)
        ck_abort_msg ("%s", message);
      abort ();
    }

  return G_LOG_WRITER_HANDLED;
}

void
loop_check_expect_message (GLogLevelFlags level, const char *pattern)
{
  Expected *e = g_new0 (Expected, 1);

  e->level = level;
  e->pattern = g_strdup (pattern);

  g_mutex_lock (&expected_lock);
  expected = g_list_append (expected, e);
  g_mutex_unlock (&expected_lock);
}

void
loop_check_expect_critical (const char *pattern)
{
  loop_check_expect_message (G_LOG_LEVEL_CRITICAL, pattern);
}

void
loop_check_expect_warning (const char *pattern)
{
  loop_check_expect_message (G_LOG_LEVEL_WARNING, pattern);
}

void
loop_check_forbid_warnings (void)
{
  fatal_levels |= G_LOG_LEVEL_WARNING;
}

void
loop_check_assert_expected (void)
{
  g_autofree char *pattern = NULL;

  g_mutex_lock (&expected_lock);
  if (expected != NULL)
    pattern = g_strdup (((Expected *) expected->data)->pattern);
  g_mutex_unlock (&expected_lock);

  if (pattern != NULL)
    ck_abort_msg ("no message came that matches \"%s\"", pattern);
}

/* Sanitizers slow everything down, and ThreadSanitizer fibers by a hundred times. */
#if defined(LOOP_WITH_ASAN) || defined(LOOP_WITH_TSAN)
#define TIMEOUT_FACTOR 10
#else
#define TIMEOUT_FACTOR 1
#endif

static gboolean
is_asleep (const char *thread)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/stat", thread);
  g_autofree char *stat = NULL;
  const char *state;

  /* A thread that has ended meanwhile does nothing either. */
  if (!g_file_get_contents (path, &stat, NULL, NULL))
    return TRUE;

  /* After the name, which may have any character. */
  state = strrchr (stat, ')');

  return state != NULL && g_str_has_prefix (state, ") S");
}

static guint
count_awake_threads (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    n += is_asleep (name) ? 0 : 1;

  return n;
}

void
loop_check_await_threads (void)
{
  /* This one is awake. */
  for (int i = 0; i < 1000 && count_awake_threads () > 1; i++)
    g_usleep (1000);
}

int
loop_check_main (const char *suite_name, double timeout, const TTest *const *tests, gsize n_tests)
{
  Suite *suite = suite_create (suite_name);
  TCase *tcase = tcase_create (suite_name);
  SRunner *runner;
  int n_failed;

  /* For a test that is started by hand. */
  g_setenv ("CK_TAP_LOG_FILE_NAME", "-", FALSE);
  g_setenv ("CK_VERBOSITY", "silent", FALSE);
  g_log_set_writer_func (log_writer, NULL, NULL);

  tcase_set_timeout (tcase, timeout * TIMEOUT_FACTOR);
  /* Checked: it runs in the test's own process, where the expectations are. */
  tcase_add_checked_fixture (tcase, NULL, loop_check_assert_expected);
  for (gsize i = 0; i < n_tests; i++)
    tcase_add_test (tcase, tests[i]);
  suite_add_tcase (suite, tcase);

  runner = srunner_create (suite);
  is_forking = srunner_fork_status (runner) == CK_FORK;
  srunner_run_all (runner, CK_ENV);
  n_failed = srunner_ntests_failed (runner);
  srunner_free (runner);

  return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
