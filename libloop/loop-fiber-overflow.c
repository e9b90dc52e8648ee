/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fiber-overflow-private.h"

#include "loop-handle-private.h"
#include "loop-signal-action-private.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALTERNATE_STACK_SIZE (64 * 1024)

static __thread const LoopFiberStack *subject_stack __attribute__ ((tls_model ("initial-exec")));
static __thread gpointer subject_function __attribute__ ((tls_model ("initial-exec")));

void
loop_fiber_set_overflow_subject (const LoopFiberStack *stack, gpointer function)
{
  subject_stack = stack;
  subject_function = function;
}

#if defined(LOOP_WITH_ASAN) || defined(LOOP_WITH_TSAN)

/* The sanitizers have handlers of their own, which say as much. */
void
loop_fiber_watch_overflow (void)
{
}

#else

static struct sigaction previous[2];

static void
write_message (const char *text)
{
  gssize n G_GNUC_UNUSED = write (STDERR_FILENO, text, strlen (text));
}

/* Not safe in a signal handler in general; but this one interrupts a function of the user's, and the process is lost. */
static void
report (void)
{
  g_autofree char *function = loop_describe_function_after_fault (subject_function);
  g_autofree char *text =
      g_strdup_printf ("libloop: stack overflow in fiber %s, whose stack has %zu bytes; loop_fiber_set_stack_size() "
                       "sets another size\n",
                       function, (gsize) (subject_stack->top - subject_stack->bottom));

  write_message (text);
}

static void
handle_fault (int signum, siginfo_t *info, void *context)
{
  if (subject_stack != NULL && loop_fiber_stack_guards (subject_stack, info->si_addr))
    {
      report ();
      signal (signum, SIG_DFL);
      /* The access is tried again, and now it ends the process. */
      return;
    }

  loop_signal_pass_on (signum, &previous[signum == SIGSEGV ? 0 : 1], info, context);
}

static void
install_handlers (void)
{
  struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

  sigemptyset (&action.sa_mask);
  sigaction (SIGSEGV, &action, &previous[0]);
  sigaction (SIGBUS, &action, &previous[1]);
}

static void
free_alternate_stack (gpointer data)
{
  stack_t off = { .ss_flags = SS_DISABLE };

  sigaltstack (&off, NULL);
  munmap (data, ALTERNATE_STACK_SIZE);
}

static GPrivate alternate_stack = G_PRIVATE_INIT (free_alternate_stack);

void
loop_fiber_watch_overflow (void)
{
  static __thread gboolean is_watched __attribute__ ((tls_model ("initial-exec")));
  static gsize is_installed;
  stack_t stack;

  if (is_watched)
    return;
  is_watched = TRUE;

  if (g_once_init_enter (&is_installed))
    {
      install_handlers ();
      g_once_init_leave (&is_installed, 1);
    }

  /* One that the program has set up for itself serves as well. */
  if (sigaltstack (NULL, &stack) != 0 || (stack.ss_flags & SS_DISABLE) == 0)
    return;

  stack.ss_sp = mmap (NULL, ALTERNATE_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack.ss_sp == MAP_FAILED)
    return;

  stack.ss_size = ALTERNATE_STACK_SIZE;
  stack.ss_flags = 0;
  sigaltstack (&stack, NULL);
  g_private_set (&alternate_stack, stack.ss_sp);
}

#endif
