/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fiber-stack-private.h"
#include "loop-fiber.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The stacks of fibers: their size, their memory, and what happens at their end. */

static gboolean refuse_guards;
static gboolean refuse_mprotect;

/* In the place of the C library's, so that a kernel without guards can be had. */
int
madvise (void *address, size_t length, int advice)
{
  if (refuse_guards && advice == 102)
    {
      errno = EINVAL;
      return -1;
    }

  return (int) syscall (SYS_madvise, address, length, advice);
}

int
mprotect (void *address, size_t length, int protection)
{
  if (refuse_mprotect)
    {
      errno = ENOMEM;
      return -1;
    }

  return (int) syscall (SYS_mprotect, address, length, protection);
}

static gsize
get_resident (void)
{
  g_autofree char *text = NULL;
  gsize size;
  gsize resident;

  ck_assert (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  ck_assert_int_eq (sscanf (text, "%zu %zu", &size, &resident), 2);

  return resident * (gsize) sysconf (_SC_PAGESIZE);
}

START_TEST (test_size)
{
  LoopFiberStack *stack = loop_fiber_stack_take (NULL);
  LoopFiberStack *larger;

  ck_assert_uint_eq (loop_fiber_get_stack_size (), 128 * 1024);
  ck_assert_uint_eq ((gsize) (stack->top - stack->bottom), 128 * 1024);
  memset (stack->bottom, 1, 128 * 1024);

  loop_fiber_set_stack_size (1000 * 1000);
  ck_assert_uint_ge (loop_fiber_get_stack_size (), 1000 * 1000);
  larger = loop_fiber_stack_take (NULL);
  ck_assert_uint_eq ((gsize) (larger->top - larger->bottom), loop_fiber_get_stack_size ());
  memset (larger->bottom, 1, loop_fiber_get_stack_size ());

  loop_fiber_set_stack_size (1);
  ck_assert_uint_eq (loop_fiber_get_stack_size (), 16 * 1024);

  loop_fiber_stack_give_back (stack);
  loop_fiber_stack_give_back (larger);
}
END_TEST

START_TEST (test_no_memory)
{
  g_autoptr (GError) error = NULL;

  loop_fiber_set_stack_size (G_GUINT64_CONSTANT (1) << 46);
  ck_assert_ptr_null (loop_fiber_stack_take (&error));
  ck_assert_ptr_nonnull (strstr (error->message, "stacks for fibers"));
}
END_TEST

START_TEST (test_high_water_mark)
{
  LoopFiberStack *stack = loop_fiber_stack_take (NULL);

  ck_assert_uint_eq (loop_fiber_stack_get_high_water_mark (stack), 0);
  *(volatile char *) (stack->top - 10) = 1;
  ck_assert_uint_eq (loop_fiber_stack_get_high_water_mark (stack), 4096);
  *(volatile char *) (stack->top - 5 * 4096 - 10) = 1;
  ck_assert_uint_eq (loop_fiber_stack_get_high_water_mark (stack), 6 * 4096);
  loop_fiber_stack_give_back (stack);
}
END_TEST

/* A burst of fibers leaves no memory behind, but for those that the next ones will need. */
START_TEST (test_gives_memory_back)
{
  enum
  {
    N = 4000
  };
  g_autofree LoopFiberStack **stacks = g_new (LoopFiberStack *, N);
  gsize before = get_resident ();

  for (int round = 0; round < 3; round++)
    {
      for (int i = 0; i < N; i++)
        {
          stacks[i] = loop_fiber_stack_take (NULL);
          memset (stacks[i]->top - 16384, 1, 16384);
        }
      ck_assert_uint_gt (get_resident (), before + N * 16384);
      for (int i = 0; i < N; i++)
        loop_fiber_stack_give_back (stacks[(i * 7) % N]);
      loop_fiber_stack_trim ();
      ck_assert_uint_lt (get_resident (), before + 300 * 16384 + N * 4096 + 4 * 1024 * 1024);
    }
}
END_TEST

static void
set_flag (gpointer flag)
{
  *(gboolean *) flag = TRUE;
}

/* A loop that has nothing to do sees to that, whoever drives it. */
static void
check_idle (gboolean is_foreign)
{
  enum
  {
    N = 4000
  };
  g_autofree LoopFiberStack **stacks = g_new (LoopFiberStack *, N);
  g_autoptr (GMainContext) context = NULL;
  g_autoptr (LoopEventLoop) loop = new_loop (is_foreign, &context);
  gsize before = get_resident ();
  gboolean is_over = FALSE;

  for (int i = 0; i < N; i++)
    {
      stacks[i] = loop_fiber_stack_take (NULL);
      memset (stacks[i]->top - 16384, 1, 16384);
    }
  for (int i = 0; i < N; i++)
    loop_fiber_stack_give_back (stacks[i]);
#ifndef LOOP_WITH_TSAN /* under which nothing is put off */
  ck_assert_uint_gt (get_resident (), before + N * 16384);
#endif

  loop_event_loop_call_later (loop, 0.05, set_flag, &is_over, NULL);
  if (is_foreign)
    while (!is_over)
      g_main_context_iteration (context, TRUE);
  else
    run_for (loop, 0.05);
  ck_assert_uint_lt (get_resident (), before + N * 16384 / 2);
}

START_TEST (test_idle) { check_idle (FALSE); }
END_TEST

START_TEST (test_idle_foreign) { check_idle (TRUE); }
END_TEST

static gboolean
recurse (GValue *result, gpointer user_data, GError **error)
{
  volatile char frame[1000];

  memset ((char *) frame, 1, sizeof frame);
  if (user_data != NULL)
    recurse (result, user_data, error);

  return frame[500] == 1;
}

/* What a process writes to its standard error that overflows the stack of a fiber, and how it ends. */
static char *
overflow (int *status)
{
  int fds[2];
  char text[2000] = "";
  gssize n;
  gsize length = 0;
  pid_t pid;

  ck_assert_int_eq (pipe (fds), 0);
  pid = fork ();
  if (pid == 0)
    {
      g_autoptr (LoopFiber) fiber = loop_fiber_new (recurse, &fds, NULL);
      g_auto (GValue) result = G_VALUE_INIT;
      LoopFuture *awaited;

      setrlimit (RLIMIT_CORE, &(struct rlimit) { 0, 0 });
      signal (SIGABRT, SIG_DFL);
      dup2 (fds[1], STDERR_FILENO);
      loop_coroutine_send (LOOP_COROUTINE (fiber), &awaited, &result, NULL);
      _exit (0);
    }

  close (fds[1]);
  while ((n = read (fds[0], text + length, sizeof text - 1 - length)) > 0)
    length += (gsize) n;
  close (fds[0]);
  waitpid (pid, status, 0);

  return g_strdup (text);
}

static void
check_overflow (void)
{
  g_autofree char *text = NULL;
  int status;

#if defined(LOOP_WITH_ASAN) || defined(LOOP_WITH_TSAN)
  return;
#endif
  text = overflow (&status);
  ck_assert_msg (WIFSIGNALED (status) && WTERMSIG (status) == SIGSEGV, "status %x: %s", status, text);
  ck_assert_msg (g_pattern_match_simple ("*stack overflow in fiber *131072 bytes*", text), "%s", text);
}

START_TEST (test_overflow) { check_overflow (); }
END_TEST

START_TEST (test_overflow_without_kernel_guards)
{
  refuse_guards = TRUE;
  check_overflow ();
}
END_TEST

/* Where nothing can be guarded, the mark at the end of the stack is looked at. */
START_TEST (test_mark)
{
  LoopFiberStack *stack;

  refuse_guards = refuse_mprotect = TRUE;
  stack = loop_fiber_stack_take (NULL);
  ck_assert (!stack->is_guarded);
  ck_assert (!loop_fiber_stack_has_overflowed (stack));
  *stack->bottom ^= 1;
  ck_assert (loop_fiber_stack_has_overflowed (stack));
  loop_fiber_stack_give_back (stack);

  /* Taken again, it has its mark again. */
  stack = loop_fiber_stack_take (NULL);
  ck_assert (!loop_fiber_stack_has_overflowed (stack));
  loop_fiber_stack_give_back (stack);
}
END_TEST

LOOP_TEST_MAIN ("fiber-stack",
                test_size,
                test_no_memory,
                test_high_water_mark,
                test_gives_memory_back,
                test_idle,
                test_idle_foreign,
                test_overflow,
                test_overflow_without_kernel_guards,
                test_mark)
