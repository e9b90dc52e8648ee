/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-clock-private.h"
#include "loop-fd-watcher.h"

#include <sys/eventfd.h>
#include <unistd.h>

/*
 * A loop that always has something to do leaves room for the other sources of its context, whatever
 * their priority: GTK draws at 120, and an idle callback has 200.
 */

#define RUN_SECONDS 0.2
#define MAX_GAP 0.05

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop; /* or NULL */
  gint64 cost;          /* of a callback, in nanoseconds */
  double ends;
  double last;
  double longest_gap;
  int n_idle;
  guint64 n_calls;
  gboolean is_over;
} Fixture;

static gboolean
idle (gpointer data)
{
  Fixture *f = data;
  /* What others take from this thread on a busy machine is not unfair of the loop. */
  double now = get_cpu_time ();

  f->longest_gap = MAX (f->longest_gap, now - f->last);
  f->last = now;
  f->n_idle++;

  return G_SOURCE_CONTINUE;
}

static void
end (gpointer data)
{
  Fixture *f = data;

  f->is_over = TRUE;
  if (f->main_loop != NULL)
    g_main_loop_quit (f->main_loop);
  else
    loop_event_loop_stop (f->loop);
}

static void
spend (gint64 ns)
{
  gint64 until = loop_clock_now () + ns;

  while (ns > 0 && loop_clock_now () < until)
    ;
}

static void
chain (gpointer data)
{
  Fixture *f = data;

  f->n_calls++;
  spend (f->cost);
  if (!f->is_over)
    loop_event_loop_call_soon (f->loop, chain, f, NULL);
}

static void
run (Fixture *f, gboolean is_foreign, int priority)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, priority);
  g_source_set_callback (source, idle, f, NULL);
  g_source_attach (source, loop_event_loop_get_context (f->loop));
  loop_event_loop_call_later (f->loop, RUN_SECONDS, end, f, NULL);

  f->last = get_cpu_time ();
  if (is_foreign)
    g_main_loop_run (f->main_loop);
  else
    ck_assert (loop_event_loop_run_forever (f->loop));
  idle (f);

  g_source_destroy (source);
  g_source_unref (source);
}

static void
check_chain (gboolean is_foreign, int priority, int n_chains, gint64 cost, double max_gap)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = is_foreign ? loop_event_loop_new_for_context (context) : loop_event_loop_new ();
  Fixture f = { .loop = loop, .main_loop = is_foreign ? main_loop : NULL, .cost = cost };

  for (int i = 0; i < n_chains; i++)
    loop_event_loop_call_soon (loop, chain, &f, NULL);
  run (&f, is_foreign, priority);

  ck_assert_int_gt (f.n_idle, 0);
  ck_assert_uint_gt (f.n_calls, 0);
  /* The loop has most of the time where it has the priority: of each break the others have four turns at most. */
  if (priority > G_PRIORITY_DEFAULT)
    ck_assert_uint_gt (f.n_calls * 4 + 4, (guint64) f.n_idle);

  ck_assert_double_le (f.longest_gap, max_gap);
}

START_TEST (test_chain) { check_chain (FALSE, G_PRIORITY_DEFAULT_IDLE, 1, 0, MAX_GAP); }
END_TEST

START_TEST (test_chain_foreign) { check_chain (TRUE, G_PRIORITY_DEFAULT_IDLE, 1, 0, MAX_GAP); }
END_TEST

/* Batches that are long because there are many callbacks in them. */
START_TEST (test_many_chains) { check_chain (FALSE, G_PRIORITY_DEFAULT_IDLE, 100000, 0, MAX_GAP); }
END_TEST

START_TEST (test_many_chains_foreign) { check_chain (TRUE, G_PRIORITY_DEFAULT_IDLE, 100000, 0, MAX_GAP); }
END_TEST

/* Batches that are long because their callbacks are. */
START_TEST (test_slow_callbacks) { check_chain (FALSE, G_PRIORITY_DEFAULT_IDLE, 100, 1000 * 1000, MAX_GAP); }
END_TEST

START_TEST (test_slow_callbacks_foreign) { check_chain (TRUE, G_PRIORITY_DEFAULT_IDLE, 100, 1000 * 1000, MAX_GAP); }
END_TEST

START_TEST (test_least_priority)
{
  check_chain (FALSE, 1000, 3, 10000, MAX_GAP);
  check_chain (TRUE, 1000, 3, 10000, MAX_GAP);
}
END_TEST

/* A source of the loop's own priority has its turn in each of GLib's iterations, and more often. */
START_TEST (test_same_priority)
{
  check_chain (FALSE, G_PRIORITY_DEFAULT, 1, 1000, MAX_GAP);
  check_chain (TRUE, G_PRIORITY_DEFAULT, 1, 1000, MAX_GAP);
}
END_TEST

/* A descriptor that is always ready, in the place of callbacks. */
static void
ready_again (gpointer data)
{
  Fixture *f = data;

  f->n_calls++;
  spend (f->cost);
}

static void
check_descriptor (gboolean is_foreign)
{
  int fd = eventfd (1, EFD_CLOEXEC | EFD_NONBLOCK);

  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = is_foreign ? loop_event_loop_new_for_context (context) : loop_event_loop_new ();
  Fixture f = { .loop = loop, .main_loop = is_foreign ? main_loop : NULL, .cost = 1000 };

  ck_assert (loop_event_loop_add_reader (loop, fd, ready_again, &f, NULL));
  run (&f, is_foreign, G_PRIORITY_DEFAULT_IDLE);
  ck_assert_int_gt (f.n_idle, 0);

  ck_assert_double_le (f.longest_gap, MAX_GAP);
  close (fd);
}

START_TEST (test_descriptor) { check_descriptor (FALSE); }
END_TEST

START_TEST (test_descriptor_foreign) { check_descriptor (TRUE); }
END_TEST

/* Timers and descriptors do not starve behind callbacks, either. */
START_TEST (test_own_timers_and_events)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Fixture f = { .loop = loop };
  int fd = eventfd (1, EFD_CLOEXEC | EFD_NONBLOCK);
  int n_events = 0;

  loop_event_loop_call_soon (loop, chain, &f, NULL);
  ck_assert (loop_event_loop_add_reader (loop, fd, count_up, &n_events, NULL));
  loop_event_loop_call_later (loop, 0.02, end, &f, NULL);
  f.ends = loop_event_loop_time (loop) + 0.02;
  ck_assert (loop_event_loop_run_forever (loop));

  ck_assert_double_lt (loop_event_loop_time (loop) - f.ends, 0.5);
  ck_assert_int_ge (n_events, 20);
  ck_assert_uint_ge (f.n_calls, 20);
  close (fd);
}
END_TEST

LOOP_TEST_MAIN ("context-fairness",
                test_chain,
                test_chain_foreign,
                test_many_chains,
                test_many_chains_foreign,
                test_slow_callbacks,
                test_slow_callbacks_foreign,
                test_least_priority,
                test_same_priority,
                test_descriptor,
                test_descriptor_foreign,
                test_own_timers_and_events)
