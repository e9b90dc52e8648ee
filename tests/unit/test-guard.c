/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-guard-private.h"

/*
 * The guard keeps the sections of the loop's thread and the holds of others apart. Two plain integers
 * are changed one after the other inside of both, and must never be seen to differ.
 */

#if defined(LOOP_WITH_TSAN)
#define N_SECTIONS 50000
#elif defined(LOOP_WITH_ASAN)
#define N_SECTIONS 500000
#else
#define N_SECTIONS 3000000
#endif

typedef struct
{
  LoopGuard guard;
  volatile int a;
  volatile int b;
  gboolean is_greedy; /* holds again as soon as it has released */
  int is_over;        /* atomic */
  int n_held;         /* atomic */
} Fixture;

static void
set_up (Fixture *f, gboolean asymmetric)
{
  *f = (Fixture) { 0 };
  loop_guard_init (&f->guard);
  if (!asymmetric)
    {
      /* As where the kernel has no membarrier. */
      f->guard.asymmetric = FALSE;
      f->guard.wanted = 1;
    }
}

static void
tear_down (Fixture *f)
{
  loop_guard_clear (&f->guard);
}

static void
change (Fixture *f)
{
  f->a = f->a + 1;
  /* Room for somebody to look in between. */
  __atomic_signal_fence (__ATOMIC_SEQ_CST);
  f->b = f->b + 1;
}

static gpointer
inspect (gpointer data)
{
  Fixture *f = data;

  while (!g_atomic_int_get (&f->is_over))
    {
      int a;

      if (!loop_guard_hold (&f->guard, 10 * G_USEC_PER_SEC))
        ck_abort_msg ("the loop did not leave its sections in 10 seconds");
      a = f->a;
      ck_assert_int_eq (a, f->b);
      for (int i = 0; i < 20; i++)
        __atomic_signal_fence (__ATOMIC_SEQ_CST);
      ck_assert_int_eq (f->a, a);
      ck_assert_int_eq (f->b, a);
      /* Inspectors may write as well: none of it may be lost. */
      change (f);
      loop_guard_release (&f->guard);
      g_atomic_int_inc (&f->n_held);
      if (!f->is_greedy)
        g_usleep (50);
    }

  return NULL;
}

static void
check_exclusion (gboolean asymmetric, int n_inspectors, gboolean is_greedy)
{
  GThread *threads[3];
  Fixture f;
  gint64 deadline;
  /* With a mutex each of them costs more. */
  int n_sections = asymmetric ? N_SECTIONS : N_SECTIONS / 10;
  int n_changes = 0;
  int i;

  set_up (&f, asymmetric);
  f.is_greedy = is_greedy;
  if (f.guard.asymmetric != asymmetric)
    {
      tear_down (&f);
      return;
    }

  for (i = 0; i < n_inspectors; i++)
    threads[i] = g_thread_new ("inspector", inspect, &f);

  /* However greedy the inspectors are, the loop has its turns: at least a thousand a second. */
  deadline = g_get_monotonic_time () + G_USEC_PER_SEC / 4;
  for (i = 0; (is_greedy ? g_get_monotonic_time () < deadline : i < n_sections) || g_atomic_int_get (&f.n_held) < 100;
       i++)
    {
      loop_guard_enter (&f.guard);
      change (&f);
      if (i % 8 == 0)
        {
          /* They nest. */
          loop_guard_enter (&f.guard);
          change (&f);
          n_changes++;
          loop_guard_leave (&f.guard);
          ck_assert (loop_guard_is_inside (&f.guard));
        }
      n_changes++;
      loop_guard_leave (&f.guard);
    }

  if (is_greedy)
    ck_assert_int_ge (i, 250);

  g_atomic_int_set (&f.is_over, TRUE);
  for (i = 0; i < n_inspectors; i++)
    g_thread_join (threads[i]);

  ck_assert_int_eq (f.a, n_changes + g_atomic_int_get (&f.n_held));
  ck_assert_int_eq (f.b, f.a);
  ck_assert (!loop_guard_is_inside (&f.guard));
  tear_down (&f);
}

START_TEST (test_exclusion) { check_exclusion (TRUE, 1, FALSE); }
END_TEST

START_TEST (test_exclusion_several) { check_exclusion (TRUE, 3, FALSE); }
END_TEST

START_TEST (test_exclusion_greedy) { check_exclusion (TRUE, 1, TRUE); }
END_TEST

START_TEST (test_exclusion_greedy_several) { check_exclusion (TRUE, 3, TRUE); }
END_TEST

START_TEST (test_exclusion_mutex) { check_exclusion (FALSE, 1, FALSE); }
END_TEST

START_TEST (test_exclusion_mutex_several) { check_exclusion (FALSE, 3, FALSE); }
END_TEST

START_TEST (test_nesting)
{
  Fixture f;

  set_up (&f, TRUE);
  ck_assert (!loop_guard_is_inside (&f.guard));
  loop_guard_enter (&f.guard);
  loop_guard_enter (&f.guard);
  ck_assert (loop_guard_is_inside (&f.guard));
  loop_guard_leave (&f.guard);
  ck_assert (loop_guard_is_inside (&f.guard));
  loop_guard_leave (&f.guard);
  ck_assert (!loop_guard_is_inside (&f.guard));
  tear_down (&f);
}
END_TEST

/* --- Holds ------------------------------------------------------------------------------------ */

static gpointer
hold_in_vain (gpointer data)
{
  Fixture *f = data;
  gint64 begun = g_get_monotonic_time ();
  gint64 waited;

  ck_assert (!loop_guard_hold (&f->guard, 20000));
  waited = g_get_monotonic_time () - begun;
  ck_assert_int_ge (waited, 20000);
  ck_assert_int_lt (waited, 2000000);

  return NULL;
}

static gpointer
hold_once (gpointer data)
{
  Fixture *f = data;

  ck_assert (loop_guard_hold (&f->guard, 5 * G_USEC_PER_SEC));
  f->a++;
  loop_guard_release (&f->guard);

  return NULL;
}

static void
check_timeout (gboolean asymmetric)
{
  Fixture f;

  set_up (&f, asymmetric);
  loop_guard_enter (&f.guard);
  g_thread_join (g_thread_new ("inspector", hold_in_vain, &f));
  g_thread_join (g_thread_new ("inspector", hold_in_vain, &f));
  loop_guard_leave (&f.guard);

  /* It is as good as before. */
  for (int i = 0; i < 1000; i++)
    {
      loop_guard_enter (&f.guard);
      f.b++;
      loop_guard_leave (&f.guard);
    }
  g_thread_join (g_thread_new ("inspector", hold_once, &f));
  ck_assert_int_eq (f.a, 1);
  tear_down (&f);
}

START_TEST (test_timeout) { check_timeout (TRUE); }
END_TEST

START_TEST (test_timeout_mutex) { check_timeout (FALSE); }
END_TEST

/* A hold that waits for the end of a section gets its turn when that comes. */
static void
check_waits_for_section (gboolean asymmetric)
{
  GThread *thread;
  Fixture f;

  set_up (&f, asymmetric);
  loop_guard_enter (&f.guard);
  thread = g_thread_new ("inspector", hold_once, &f);
  g_usleep (10000);
  ck_assert_int_eq (f.a, 0);
  loop_guard_leave (&f.guard);
  g_thread_join (thread);
  ck_assert_int_eq (f.a, 1);
  tear_down (&f);
}

START_TEST (test_waits_for_section)
{
  check_waits_for_section (TRUE);
  check_waits_for_section (FALSE);
}
END_TEST

/* The loop's thread waits for as long as it is held. */
static gpointer
hold_for_a_while (gpointer data)
{
  Fixture *f = data;

  ck_assert (loop_guard_hold (&f->guard, 5 * G_USEC_PER_SEC));
  g_atomic_int_inc (&f->n_held);
  g_usleep (20000);
  f->a = 1;
  loop_guard_release (&f->guard);

  return NULL;
}

static void
check_held (gboolean asymmetric)
{
  GThread *thread;
  Fixture f;

  set_up (&f, asymmetric);
  thread = g_thread_new ("inspector", hold_for_a_while, &f);
  while (g_atomic_int_get (&f.n_held) == 0)
    g_thread_yield ();

  loop_guard_enter (&f.guard);
  ck_assert_int_eq (f.a, 1);
  loop_guard_leave (&f.guard);
  g_thread_join (thread);
  tear_down (&f);
}

START_TEST (test_section_waits_for_hold)
{
  check_held (TRUE);
  check_held (FALSE);
}
END_TEST

/* A second inspector waits for the first, and gives up in time. */
static gpointer
hold_long (gpointer data)
{
  Fixture *f = data;

  ck_assert (loop_guard_hold (&f->guard, 5 * G_USEC_PER_SEC));
  g_atomic_int_inc (&f->n_held);
  while (!g_atomic_int_get (&f->is_over))
    g_usleep (1000);
  loop_guard_release (&f->guard);

  return NULL;
}

static void
check_second_holder (gboolean asymmetric)
{
  GThread *thread;
  Fixture f;

  set_up (&f, asymmetric);
  thread = g_thread_new ("first", hold_long, &f);
  while (g_atomic_int_get (&f.n_held) == 0)
    g_thread_yield ();
  g_thread_join (g_thread_new ("second", hold_in_vain, &f));
  g_atomic_int_set (&f.is_over, TRUE);
  g_thread_join (thread);
  g_thread_join (g_thread_new ("third", hold_once, &f));

  loop_guard_enter (&f.guard);
  ck_assert_int_eq (f.a, 1);
  loop_guard_leave (&f.guard);
  tear_down (&f);
}

START_TEST (test_second_holder)
{
  check_second_holder (TRUE);
  check_second_holder (FALSE);
}
END_TEST

/* Whether it costs nothing where it can: here the kernel has what it takes. */
START_TEST (test_kind)
{
  Fixture f;

  set_up (&f, TRUE);
#ifdef LOOP_WITH_TSAN
  /* Which could not see through it. */
  ck_assert (!f.guard.asymmetric);
#endif
  ck_assert_int_eq (f.guard.wanted, f.guard.asymmetric ? 0 : 1);
  tear_down (&f);
}
END_TEST

LOOP_TEST_MAIN ("guard",
                test_exclusion,
                test_exclusion_several,
                test_exclusion_greedy,
                test_exclusion_greedy_several,
                test_exclusion_mutex,
                test_exclusion_mutex_several,
                test_nesting,
                test_timeout,
                test_timeout_mutex,
                test_waits_for_section,
                test_section_waits_for_hold,
                test_second_holder,
                test_kind)
