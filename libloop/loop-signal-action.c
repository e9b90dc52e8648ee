/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-signal-action-private.h"

#include "loop-fork-private.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/*
 * What the process has of each signal. A signal is counted in the handler, in whichever
 * thread that runs, and the eventfd only says that there is something to look at: it
 * cannot fill up, as a pipe can, and so nothing is lost.
 */
typedef struct
{
  LoopEventLoop *owner;      /* under the mutex */
  struct sigaction previous; /* what was there before the owner came */
  pid_t pid;                 /* the process that is meant to catch it */
  int fd;                    /* the owner's eventfd, or -1 */
  guint n_caught;            /* since the owner last looked */
  int n_inside;              /* how many threads are in the handler */
} LoopSignalSlot;

static LoopSignalSlot slots[NSIG];
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Whether the signal is the fault of an instruction, which would be tried again for ever, and not sent by somebody. */
static gboolean
is_fault (int signum, const siginfo_t *info)
{
  return info->si_code > 0 && (signum == SIGSEGV || signum == SIGBUS || signum == SIGFPE || signum == SIGILL);
}

/* Leaves a signal to the action that there was before ours. In a signal handler. */
void
loop_signal_pass_on (int signum, const struct sigaction *previous, siginfo_t *info, void *context)
{
  if ((previous->sa_flags & SA_SIGINFO) != 0)
    previous->sa_sigaction (signum, info, context);
  else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN)
    previous->sa_handler (signum);
  else
    sigaction (signum, previous, NULL);
}

/* The signal handler. Everything in it and below it is safe there. */
static void
catch_signal (int signum, siginfo_t *info, void *context)
{
  LoopSignalSlot *slot = &slots[signum];
  int saved_errno = errno;

  if (G_UNLIKELY (is_fault (signum, info)))
    {
      loop_signal_pass_on (signum, &slot->previous, info, context);
    }
  else if (G_UNLIKELY (getpid () != __atomic_load_n (&slot->pid, __ATOMIC_RELAXED)))
    {
      /* A child that was not made with fork(), and may have our memory: it is on its own. */
      sigaction (signum, &slot->previous, NULL);
      raise (signum);
    }
  else
    {
      int fd;

      /* The other side of loop_signal_release(): either this sees that the descriptor is gone, or that waits. */
      __atomic_add_fetch (&slot->n_inside, 1, __ATOMIC_SEQ_CST);
      fd = __atomic_load_n (&slot->fd, __ATOMIC_SEQ_CST);
      if (fd >= 0)
        {
          guint64 one = 1;
          gssize written G_GNUC_UNUSED;

          __atomic_add_fetch (&slot->n_caught, 1, __ATOMIC_RELEASE);
          /* An error says that the counter is at its maximum, and the loop being woken already. */
          written = write (fd, &one, sizeof one);
        }
      __atomic_sub_fetch (&slot->n_inside, 1, __ATOMIC_RELEASE);
    }

  errno = saved_errno;
}

static gboolean
is_ours (const struct sigaction *action)
{
  return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == catch_signal;
}

/* Not if somebody else has set another action meanwhile, which is not ours to replace. */
static void
restore (int signum)
{
  struct sigaction current;

  if (sigaction (signum, NULL, &current) == 0 && is_ours (&current))
    sigaction (signum, &slots[signum].previous, NULL);
}

/* The child of a fork has the signals of its parent before there was a loop, and so have the programs that it runs. */
static void
forget_slots (void)
{
  for (int signum = 1; signum < NSIG; signum++)
    {
      LoopSignalSlot *slot = &slots[signum];

      if (slot->owner == NULL)
        continue;

      restore (signum);
      slot->owner = NULL;
      slot->fd = -1;
      slot->n_inside = 0;
    }
}

LOOP_FORK_WATCH (LOOP_FORK_SIGNALS, .mutex = &slots_mutex, .go_on_in_child = forget_slots)

/* Returns: an interned string */
const char *
loop_signal_get_name (int signum)
{
  const char *abbreviation = sigabbrev_np (signum);
  g_autofree char *name = NULL;

  if (abbreviation != NULL)
    name = g_strdup_printf ("SIG%s", abbreviation);
  else if (signum == SIGRTMIN)
    name = g_strdup ("SIGRTMIN");
  else
    name = g_strdup_printf ("SIGRTMIN+%d", signum - SIGRTMIN);

  return g_intern_string (name);
}

/* Whether there is such a signal, and it can be caught. */
gboolean
loop_signal_check (int signum, GError **error)
{
  if (signum < 1 || signum > SIGRTMAX || signum >= NSIG)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Invalid signal %d: signals are numbered from 1 to %d",
                 signum, SIGRTMAX);
  else if (signum == SIGKILL || signum == SIGSTOP)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Signal %s cannot be caught",
                 loop_signal_get_name (signum));
  else if (signum < SIGRTMIN && sigabbrev_np (signum) == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "Signal %d is reserved for the C library", signum);
  else
    return TRUE;

  return FALSE;
}

/*
 * Gives a signal to @owner: from now on it is counted when it is caught, and then @fd, an
 * eventfd, is written to.
 */
gboolean
loop_signal_claim (int signum, LoopEventLoop *owner, int fd, GError **error)
{
  LoopSignalSlot *slot = &slots[signum];
  /* The handler may run on the small stack of a fiber, if its thread has no other for signals. */
  struct sigaction action = { .sa_sigaction = catch_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
  gboolean success = FALSE;

  sigfillset (&action.sa_mask);

  pthread_mutex_lock (&slots_mutex);
  if (slot->owner != NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                   "Signal %s is handled by another event loop, #%" G_GUINT64_FORMAT, loop_signal_get_name (signum),
                   slot->owner->id);
    }
  else
    {
      int saved_errno = 0;

      /* Whoever brought back an action that was ours did not mean us. */
      if (sigaction (signum, NULL, &slot->previous) == 0 && is_ours (&slot->previous))
        slot->previous = (struct sigaction) { .sa_handler = SIG_DFL };

      __atomic_store_n (&slot->pid, getpid (), __ATOMIC_RELAXED);
      __atomic_store_n (&slot->n_caught, 0, __ATOMIC_RELAXED);
      __atomic_store_n (&slot->fd, fd, __ATOMIC_SEQ_CST);
      success = sigaction (signum, &action, NULL) == 0;
      saved_errno = errno;

      if (success)
        {
          slot->owner = owner;
        }
      else
        {
          __atomic_store_n (&slot->fd, -1, __ATOMIC_SEQ_CST);
          loop_set_error_from_errno (error, saved_errno, "Could not set the handler of signal %s",
                                     loop_signal_get_name (signum));
        }
    }
  pthread_mutex_unlock (&slots_mutex);

  return success;
}

/* Undoes loop_signal_claim(). Afterwards no thread writes to the eventfd on behalf of this signal. */
void
loop_signal_release (int signum, LoopEventLoop *owner)
{
  LoopSignalSlot *slot = &slots[signum];

  pthread_mutex_lock (&slots_mutex);
  /* In the child of a fork it is nobody's. */
  if (slot->owner == owner)
    {
      restore (signum);
      __atomic_store_n (&slot->fd, -1, __ATOMIC_SEQ_CST);
      while (__atomic_load_n (&slot->n_inside, __ATOMIC_SEQ_CST) > 0)
        g_usleep (10);
      slot->owner = NULL;
    }
  pthread_mutex_unlock (&slots_mutex);
}

/* How often the signal was caught since the last call. */
guint
loop_signal_take (int signum)
{
  return __atomic_exchange_n (&slots[signum].n_caught, 0, __ATOMIC_ACQUIRE);
}
