/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The control of the sanitizer runs: a planted mistake has to be found, or their silence about the
 * other tests means nothing. In a plain build there is nothing to find it.
 */

typedef void (*Mistake) (void);

G_GNUC_UNUSED static gboolean
is_found (Mistake mistake)
{
  int status;
  pid_t pid = fork ();

  ck_assert_int_ge (pid, 0);
  if (pid == 0)
    {
      /* The report is wanted, not worth reading. */
      dup2 (open ("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
      mistake ();
      exit (0);
    }

  ck_assert_int_eq (waitpid (pid, &status, 0), pid);

  return !WIFEXITED (status) || WEXITSTATUS (status) != 0;
}

G_GNUC_UNUSED static void
leak (void)
{
  void *volatile memory = malloc (77);
  memory = NULL;
  (void) memory;
}

G_GNUC_UNUSED static void
use_after_free (void)
{
  volatile char *volatile memory = malloc (77);
  free ((char *) memory);
  memory[5] = 'x';
}

static int shared;

static gpointer
write_shared (gpointer data)
{
  shared++;
  return NULL;
}

G_GNUC_UNUSED static void
race (void)
{
  g_autoptr (GThread) thread = g_thread_ref (g_thread_new ("race", write_shared, NULL));
  write_shared (NULL);
  g_thread_join (thread);
}

START_TEST (test_leak)
{
#ifdef LOOP_WITH_ASAN
  ck_assert (is_found (leak));
#endif
}
END_TEST

START_TEST (test_use_after_free)
{
#ifdef LOOP_WITH_ASAN
  ck_assert (is_found (use_after_free));
#endif
}
END_TEST

START_TEST (test_race)
{
#ifdef LOOP_WITH_TSAN
  ck_assert (is_found (race));
#endif
}
END_TEST

LOOP_TEST_MAIN ("sanitizers", test_leak, test_use_after_free, test_race)
