/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle-private.h"
#include "loop-metrics.h"

/* call_soon: first in, first out, each exactly once, in the iteration after the call. */

#define N_CALLS 10000

START_TEST (test_not_before_return)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, step_run, step_new ('a'), step_destroy);
  check_steps ("");

  run_once (loop);
  check_steps ("aA");
}
END_TEST

static int next_expected;

static void
expect_next (gpointer data)
{
  ck_assert_int_eq (GPOINTER_TO_INT (data), next_expected);
  next_expected++;
}

START_TEST (test_first_in_first_out)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (int i = 0; i < N_CALLS; i++)
    ck_assert_ptr_nonnull (loop_event_loop_call_soon (loop, expect_next, GINT_TO_POINTER (i), NULL));

  run_once (loop);
  ck_assert_int_eq (next_expected, N_CALLS);
}
END_TEST

START_TEST (test_exactly_once)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_calls[100] = { 0 };

  for (int i = 0; i < 100; i++)
    loop_event_loop_call_soon (loop, count_up, &n_calls[i], NULL);

  for (int i = 0; i < 5; i++)
    run_once (loop);

  for (int i = 0; i < 100; i++)
    ck_assert_int_eq (n_calls[i], 1);
}
END_TEST

/* The same function with the same data is a call for each time it was scheduled. */
START_TEST (test_same_call_twice)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_calls = 0;

  loop_event_loop_call_soon (loop, count_up, &n_calls, NULL);
  loop_event_loop_call_soon (loop, count_up, &n_calls, NULL);
  run_once (loop);

  ck_assert_int_eq (n_calls, 2);
}
END_TEST

static void
schedule_inner (gpointer loop)
{
  note_step ('o');
  loop_event_loop_call_soon (loop, step_run, step_new ('i'), step_destroy);
}

START_TEST (test_callbacks_of_callbacks_wait)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, schedule_inner, loop, NULL);
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);

  run_once (loop);
  check_steps ("obB");
  run_once (loop);
  check_steps ("iI");
}
END_TEST

typedef struct
{
  LoopEventLoop *loop;
  int n_left;
} Chain;

static void
chain_run (gpointer data)
{
  Chain *chain = data;

  if (--chain->n_left > 0)
    loop_event_loop_call_soon (chain->loop, chain_run, chain, NULL);
  else
    loop_event_loop_stop (chain->loop);
}

START_TEST (test_chain_takes_an_iteration_each)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopMetrics) before = loop_event_loop_get_metrics (loop);
  g_autoptr (LoopMetrics) after = NULL;
  Chain chain = { loop, 1000 };

  loop_event_loop_call_soon (loop, chain_run, &chain, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  after = loop_event_loop_get_metrics (loop);

  ck_assert_int_eq (chain.n_left, 0);
  ck_assert_uint_eq (loop_metrics_get_callbacks (after) - loop_metrics_get_callbacks (before), 1000);
  ck_assert_uint_ge (loop_metrics_get_iterations (after) - loop_metrics_get_iterations (before), 1000);
}
END_TEST

/* A destroy notify may schedule as well; that too waits for the next iteration. */
static void
destroy_scheduling (gpointer loop)
{
  note_step ('D');
  loop_event_loop_call_soon (loop, step_run, step_new ('x'), step_destroy);
}

START_TEST (test_schedule_in_notify)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_call_soon (loop, do_nothing, loop, destroy_scheduling);
  loop_event_loop_call_soon (loop, step_run, step_new ('b'), step_destroy);

  run_once (loop);
  check_steps ("DbB");
  run_once (loop);
  check_steps ("xX");
}
END_TEST

/* More handles than the loop keeps for reuse, over and over. */
START_TEST (test_many_rounds)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int n_calls = 0;

  for (int round = 0; round < 5; round++)
    {
      for (int i = 0; i < 2 * LOOP_HANDLE_POOL_MAX; i++)
        loop_event_loop_call_soon (loop, count_up, &n_calls, NULL);
      run_once (loop);
      ck_assert_int_eq (n_calls, (round + 1) * 2 * LOOP_HANDLE_POOL_MAX);
    }
}
END_TEST

START_TEST (test_misuse)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_check_expect_critical ("*callback != NULL*");
  ck_assert_ptr_null (loop_event_loop_call_soon (loop, NULL, NULL, NULL));
  loop_check_expect_critical ("*LOOP_IS_EVENT_LOOP*");
  ck_assert_ptr_null (loop_event_loop_call_soon (NULL, do_nothing, NULL, NULL));
}
END_TEST

LOOP_TEST_MAIN ("call-soon",
                test_not_before_return,
                test_first_in_first_out,
                test_exactly_once,
                test_same_call_twice,
                test_callbacks_of_callbacks_wait,
                test_chain_takes_an_iteration_each,
                test_schedule_in_notify,
                test_many_rounds,
                test_misuse)
