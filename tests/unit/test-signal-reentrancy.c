/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-signal-watcher.h"

#include <signal.h>
#include <unistd.h>

/* Callbacks that change the handlers, their own among them, while they run. */

typedef struct
{
  LoopEventLoop *loop;
} Fixture;

static void
destroyed (gpointer data)
{
  note_step ('D');
}

static void
run_signals (LoopEventLoop *loop)
{
  for (int i = 0; i < 4; i++)
    run_once (loop);
}

static void
add (LoopEventLoop *loop, int signum, LoopCallback callback, GDestroyNotify notify)
{
  ck_assert (loop_event_loop_add_signal_handler (loop, signum, callback, loop, notify, NULL));
}

static void
add_step (LoopEventLoop *loop, int signum, char letter)
{
  ck_assert (loop_event_loop_add_signal_handler (loop, signum, step_run, step_new (letter), step_destroy, NULL));
}

static void
remove_itself (gpointer loop)
{
  note_step ('a');
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGRTMIN));
  ck_assert (!loop_event_loop_remove_signal_handler (loop, SIGRTMIN));
  /* Its data stays for as long as it runs. */
  note_step ('e');
}

START_TEST (test_remove_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGRTMIN, remove_itself, destroyed);
  raise (SIGRTMIN);
  /* Another one is on its way, and is not delivered. */
  raise (SIGRTMIN);
  run_signals (loop);
  check_steps ("aeD");
}
END_TEST

static void
remove_others (gpointer loop)
{
  note_step ('x');
  loop_event_loop_remove_signal_handler (loop, SIGUSR1);
  loop_event_loop_remove_signal_handler (loop, SIGUSR2);
  note_step ('y');
}

START_TEST (test_remove_others)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  /* Whichever comes first removes both. */
  add (loop, SIGUSR1, remove_others, destroyed);
  add (loop, SIGUSR2, remove_others, destroyed);
  raise (SIGUSR1);
  raise (SIGUSR2);
  run_signals (loop);
  check_steps ("xDyD");
}
END_TEST

static void
add_another (gpointer loop)
{
  note_step ('a');
  add_step (loop, SIGUSR2, 'b');
  raise (SIGUSR2);
}

START_TEST (test_add_another)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, add_another, NULL);
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("ab");
}
END_TEST

static void
replace_itself (gpointer loop)
{
  note_step ('a');
  add_step (loop, SIGRTMIN, 'n');
  note_step ('e');
}

START_TEST (test_replace_itself)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGRTMIN, replace_itself, destroyed);
  raise (SIGRTMIN);
  raise (SIGRTMIN);
  raise (SIGRTMIN);
  run_signals (loop);
  check_steps ("aeDnn");
}
END_TEST

static void
remove_and_add (gpointer loop)
{
  note_step ('a');
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGRTMIN));
  add_step (loop, SIGRTMIN, 'n');
}

START_TEST (test_remove_and_add)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGRTMIN, remove_and_add, destroyed);
  raise (SIGRTMIN);
  raise (SIGRTMIN);
  run_signals (loop);
  /* The second one was for who is gone. */
  check_steps ("aD");
  raise (SIGRTMIN);
  run_signals (loop);
  check_steps ("n");
}
END_TEST

static void
destroy_adding (gpointer loop)
{
  note_step ('D');
  add_step (loop, SIGUSR1, 'n');
}

START_TEST (test_add_in_notify)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, do_nothing, destroy_adding);
  ck_assert (loop_event_loop_remove_signal_handler (loop, SIGUSR1));
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("Dn");

  /* The new one's place is taken already when the old one's data goes. */
  add (loop, SIGUSR1, do_nothing, destroy_adding);
  add_step (loop, SIGUSR1, 'm');
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("NDMn");
}
END_TEST

static void
raise_again (gpointer loop)
{
  static int n;

  note_step ('a');
  if (++n < 5)
    raise (SIGUSR1);
}

START_TEST (test_raise_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, raise_again, NULL);
  raise (SIGUSR1);
  for (int i = 0; i < 5; i++)
    run_signals (loop);
  check_steps ("aaaaa");
}
END_TEST

/* A callback that runs a main loop of its own, in which it is called again and removed. */
static void
nest (gpointer data)
{
  LoopEventLoop *loop = data;
  static int depth;

  note_step ('(');
  if (++depth == 1)
    {
      for (int i = 0; i < 4; i++)
        g_main_context_iteration (loop_event_loop_get_context (loop), FALSE);
    }
  else
    {
      ck_assert (loop_event_loop_remove_signal_handler (loop, SIGRTMIN));
    }
  note_step (')');
}

START_TEST (test_nested_main_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGRTMIN, nest, destroyed);
  for (int i = 0; i < 3; i++)
    raise (SIGRTMIN);
  run_signals (loop);
  check_steps ("(())D");
}
END_TEST

static void
try_to_close (gpointer loop)
{
  g_autoptr (GError) error = NULL;

  note_step ('c');
  ck_assert (!loop_event_loop_close_full (loop, &error));
  loop_event_loop_stop (loop);
}

START_TEST (test_close_in_callback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add (loop, SIGUSR1, try_to_close, destroyed);
  raise (SIGUSR1);
  run_signals (loop);
  check_steps ("c");
  ck_assert (loop_event_loop_close (loop));
  check_steps ("D");
}
END_TEST

/* The callback holds the only reference. */
static void
drop_loop (gpointer data)
{
  note_step ('d');
  g_object_unref (((Fixture *) data)->loop);
}

START_TEST (test_drop_loop_in_callback)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Fixture f = { loop_event_loop_new_for_context (context) };
  struct sigaction action;

  ck_assert (loop_event_loop_add_signal_handler (f.loop, SIGUSR1, drop_loop, &f, destroyed, NULL));
  add_step (f.loop, SIGUSR2, 'b');
  raise (SIGUSR1);
  raise (SIGUSR2);
  while (g_main_context_iteration (context, FALSE))
    ;
  check_steps ("dbDB");
  ck_assert_int_eq (sigaction (SIGUSR1, NULL, &action), 0);
  ck_assert (action.sa_handler == SIG_DFL);
}
END_TEST

LOOP_TEST_MAIN ("signal-reentrancy",
                test_remove_itself,
                test_remove_others,
                test_add_another,
                test_replace_itself,
                test_remove_and_add,
                test_add_in_notify,
                test_raise_in_callback,
                test_nested_main_loop,
                test_close_in_callback,
                test_drop_loop_in_callback)
