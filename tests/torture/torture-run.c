/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "torture-private.h"

#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* One run of a scenario in a process of its own, and what is to be said about it. */

#if defined(LOOP_WITH_ASAN)
#define CPU_SECONDS 20
#else
#define CPU_SECONDS 3
#endif
#define SECONDS 60

const TortureCallInfo torture_calls[TORTURE_N_CALLS] = {
#define TORTURE_CALL_INFO(name, ...) { #name, { __VA_ARGS__ } },
  TORTURE_CALLS (TORTURE_CALL_INFO)
#undef TORTURE_CALL_INFO
};

static TortureState *state;
static guint n_fds;
static int output_fd = -1;

/* --- The scenario's side -------------------------------------------------------------------------- */

guint
torture_count_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  guint n = 0;

  while (readdir (dir) != NULL)
    n++;
  closedir (dir);

  return n;
}

void
torture_keep_open (void)
{
  guint n;

  /* Another thread may still close what is not to stay. */
  do
    {
      n = torture_count_fds ();
      g_usleep (20000);
      n_fds = torture_count_fds ();
    }
  while (n != n_fds);
}

void
torture_leave_alone (void)
{
  TortureState **shim_state = dlsym (RTLD_DEFAULT, "torture_shim_state");

  *shim_state = NULL;
}

/* From here on calls fail. */
void
torture_start (void)
{
  state->has_started = TRUE;
  __atomic_store_n (&state->is_armed, TRUE, __ATOMIC_RELEASE);
}

static void
show_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_printerr ("%s: %s\n", name, target != NULL ? target : "?");
    }
}

/* The scenario is over. */
void
torture_stop (void)
{
  __atomic_store_n (&state->is_armed, FALSE, __ATOMIC_RELEASE);

  /* A thread that looks up a name, or a process that was killed, is done soon. */
  for (guint i = 0; i < 3000 && torture_count_fds () != n_fds; i++)
    g_usleep (1000);
  if (torture_count_fds () != n_fds)
    {
      show_fds ();
      torture_fail ("%u descriptors were open before, %u are now", n_fds, torture_count_fds ());
    }

  state->has_ended = TRUE;
}

/* The user was told of an error: in a future, by connection_lost, by the exception handler. */
void
torture_report (const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_printerr ("reported: %s\n", text);
  state->has_reported = TRUE;
}

gboolean
torture_has_reported (void)
{
  return state->has_reported;
}

void
torture_fail (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vfprintf (stderr, format, arguments);
  va_end (arguments);
  fputc ('\n', stderr);

  _exit (1);
}

/* What is not as it should be was said to be so. */
void
torture_expect (gboolean is_fine, const char *what)
{
  if (!is_fine && !state->has_reported)
    torture_fail ("nobody was told, but this is not so: %s", what);
}

void
torture_count_iterations (guint64 n)
{
  state->n_iterations += n;
}

static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user_data)
{
  g_autofree char *text = g_log_writer_format_fields (level, fields, n, FALSE);

  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
    g_printerr ("%s\n", text);

  /* What is said aloud is said. That a function was not called as it ought to be is a bug. */
  if ((level & G_LOG_LEVEL_CRITICAL) && strstr (text, "assertion '") != NULL)
    torture_fail ("a critical message");
  if (level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING))
    state->has_reported = TRUE;

  return G_LOG_WRITER_HANDLED;
}

/* --- The driver's side ---------------------------------------------------------------------------- */

/* The run-time library of AddressSanitizer wants to come first. */
static char *
find_sanitizer (void)
{
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL))
    return NULL;

  lines = g_strsplit (maps, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      if (strstr (*line, "/libasan.so") != NULL)
        return g_strdup (strchr (*line, '/'));
    }

  return NULL;
}

/* Starts this program again, with the shim before it, unless it is there. */
void
torture_load_shim (void)
{
  TortureState **shim_state = dlsym (RTLD_DEFAULT, "torture_shim_state");
  g_autofree char *sanitizer = NULL;
  g_autofree char *program = NULL;
  g_autofree char *folder = NULL;
  g_autofree char *preload = NULL;

  if (shim_state != NULL)
    {
      g_unsetenv ("LD_PRELOAD");
      state = mmap (NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
      g_assert (state != MAP_FAILED);
      *shim_state = state;
      g_log_set_writer_func (write_log, NULL, NULL);
      return;
    }

  sanitizer = find_sanitizer ();
  program = g_file_read_link ("/proc/self/exe", NULL);
  folder = g_path_get_dirname (program);
  preload = g_strdup_printf ("%s%s%s/.libs/shim.so", sanitizer != NULL ? sanitizer : "", sanitizer != NULL ? ":" : "",
                             folder);
  if (getenv ("LD_PRELOAD") != NULL)
    g_error ("%s could not be loaded", preload);
  g_setenv ("LD_PRELOAD", preload, TRUE);
}

/* What is open now is to be open at the end, no less and no more. */
static void
run (TortureScenario scenario)
{
  /* GLib makes it sooner or later, and keeps it. */
  g_main_context_default ();
  n_fds = torture_count_fds ();
  scenario ();
}

/* In this process, for a debugger. */
void
torture_run_here (TortureScenario scenario, const TorturePlan *plan)
{
  *state = (TortureState) { .plan = *plan };
  run (scenario);
}

static void
run_in_child (TortureScenario scenario)
{
  struct itimerval limit = { .it_value.tv_sec = CPU_SECONDS };

  dup2 (output_fd, STDERR_FILENO);
  dup2 (output_fd, STDOUT_FILENO);
  close (output_fd);
  setitimer (ITIMER_PROF, &limit, NULL);
  run (scenario);
  exit (0);
}

void
torture_run (TortureScenario scenario, const TorturePlan *plan, TortureOutcome *outcome)
{
  struct pollfd ended = { .events = POLLIN };
  pid_t pid;

  if (output_fd < 0)
    output_fd = memfd_create ("output", MFD_CLOEXEC);
  g_assert (ftruncate (output_fd, 0) == 0 && lseek (output_fd, 0, SEEK_SET) == 0);

  *state = (TortureState) { .plan = *plan, .driver = getpid () };
  fflush (stdout);
  pid = fork ();
  g_assert (pid >= 0);
  if (pid == 0)
    run_in_child (scenario);

  ended.fd = pidfd_open (pid, 0);
  outcome->is_hung = poll (&ended, 1, SECONDS * 1000) == 0;
  close (ended.fd);
  if (outcome->is_hung)
    kill (pid, SIGKILL);
  waitpid (pid, &outcome->status, 0);
  outcome->state = *state;
  /* One that was killed did not do so. */
  state->is_armed = FALSE;
}

/* What the last run has printed. */
char *
torture_take_output (void)
{
  char *text = g_malloc0 (1 << 16);

  g_assert (pread (output_fd, text, (1 << 16) - 1, 0) >= 0);

  return text;
}

/* Returns: (nullable): what was wrong with a run, or %NULL. @untouched: one in which nothing failed, or %NULL */
char *
torture_judge (const TortureOutcome *outcome, const TortureOutcome *untouched)
{
  const TortureState *result = &outcome->state;
  gboolean is_nothing =
      untouched == NULL || result->plan.is_short || torture_is_try_again (result->plan.call, result->plan.error);

  if (outcome->is_hung)
    return g_strdup_printf ("did not end within %d s", SECONDS);
  if (WIFSIGNALED (outcome->status) && WTERMSIG (outcome->status) == SIGPROF)
    return g_strdup_printf ("kept the processor busy for %d s", CPU_SECONDS);
  if (WIFSIGNALED (outcome->status))
    return g_strdup_printf ("was killed by SIG%s", sigabbrev_np (WTERMSIG (outcome->status)));
  if (WEXITSTATUS (outcome->status) != 0)
    return g_strdup_printf ("ended with status %d", WEXITSTATUS (outcome->status));
  if (!result->has_started || !result->has_ended)
    return g_strdup ("ended in the middle");
  if (result->n_bad_closes > 0)
    return g_strdup_printf ("closed %u descriptors that were not open", result->n_bad_closes);
  if (is_nothing && result->has_reported)
    return g_strdup ("told the user of an error that is none");
  /* A byte at a time takes as many iterations as it takes. */
  if (untouched != NULL && !result->plan.is_short && result->n_iterations > 10 * untouched->state.n_iterations + 500)
    return g_strdup_printf ("took %" G_GUINT64_FORMAT " iterations, and without the fault %" G_GUINT64_FORMAT,
                            result->n_iterations, untouched->state.n_iterations);

  return NULL;
}
