/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A signal may be the fault of an instruction: then a handler that returns would have it tried again for ever. */

START_TEST (test_sent)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGSEGV, step_run, step_new ('a'), step_destroy, NULL));
  kill (getpid (), SIGSEGV);
  run_for (loop, 0.002);
  check_steps ("a");
}
END_TEST

#if !defined(LOOP_WITH_ASAN) && !defined(LOOP_WITH_TSAN)

static volatile int *protected_page;

static void
set_up (void)
{
  protected_page = mmap (NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne ((void *) protected_page, MAP_FAILED);
}

/* Without the loop, it would end the process; so it does with the loop. */
START_TEST (test_real)
{
  pid_t pid;
  int status;

  set_up ();
  pid = fork ();
  if (pid == 0)
    {
      const struct rlimit no_core = { 0, 0 };
      LoopEventLoop *loop = loop_event_loop_new ();

      setrlimit (RLIMIT_CORE, &no_core);
      alarm (5);
      if (!loop_event_loop_add_signal_handler (loop, SIGSEGV, do_nothing, NULL, NULL, NULL))
        _exit (1);
      *protected_page = 1;
      _exit (2);
    }

  ck_assert_int_eq (waitpid (pid, &status, 0), pid);
  ck_assert (WIFSIGNALED (status));
  ck_assert_int_eq (WTERMSIG (status), SIGSEGV);
}
END_TEST

static void
repair (int signum, siginfo_t *info, void *context)
{
  note_step ('r');
  mprotect ((void *) protected_page, 4096, PROT_READ | PROT_WRITE);
}

/* Garbage collectors and compilers live on faults, which they repair. */
START_TEST (test_repaired)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  struct sigaction action = { .sa_sigaction = repair, .sa_flags = SA_SIGINFO };

  set_up ();
  ck_assert_int_eq (sigaction (SIGSEGV, &action, NULL), 0);
  ck_assert (loop_event_loop_add_signal_handler (loop, SIGSEGV, step_run, step_new ('a'), step_destroy, NULL));
  *protected_page = 1;
  check_steps ("r");
  raise (SIGSEGV);
  run_for (loop, 0.002);
  check_steps ("a");
}
END_TEST

LOOP_TEST_MAIN ("signal-fault", test_sent, test_real, test_repaired)

#else

/* The sanitizers have handlers of their own. */
LOOP_TEST_MAIN ("signal-fault", test_sent)

#endif
