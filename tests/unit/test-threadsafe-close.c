/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-handle.h"

/* Posting to a loop while it is closed, and after: refused, the data destroyed, nothing touched that is gone. */

#define N_PRODUCERS 3

#ifdef LOOP_WITH_TSAN
#define N_ROUNDS 20
#else
#define N_ROUNDS 60
#endif

START_TEST (test_after_close)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GError) error = NULL;
  LoopHandle *handle = NULL;

  ck_assert (loop_event_loop_close (loop));
  ck_assert (!loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, &handle, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_CLOSED));
  ck_assert_ptr_null (handle);
  check_steps ("A");

  /* Who does not ask is not told. */
  ck_assert (!loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, NULL, NULL));
  check_steps ("B");
}
END_TEST

typedef struct
{
  LoopEventLoop *loop;
  int n_accepted;
  int n_refused;
} Producer;

/* Atomic: the one of a refused post is destroyed by its own thread. */
static int n_run;
static int n_destroyed;

static void
run (gpointer data)
{
  g_atomic_int_inc (&n_run);
}

static void
destroy (gpointer data)
{
  g_free (data);
  g_atomic_int_inc (&n_destroyed);
}

/* Posts until it is refused, and a little longer. */
static gpointer
produce (gpointer data)
{
  Producer *self = data;

  while (self->n_refused < 100)
    {
      g_autoptr (LoopHandle) handle = NULL;

      if (loop_event_loop_call_soon_threadsafe (self->loop, run, g_new (int, 1), destroy,
                                                self->n_accepted % 2 ? &handle : NULL, NULL))
        {
          ck_assert_int_eq (self->n_refused, 0);
          self->n_accepted++;
        }
      else
        {
          ck_assert_ptr_null (handle);
          self->n_refused++;
        }
    }
  g_object_unref (self->loop);

  return NULL;
}

static void
check_round (int round)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Producer producers[N_PRODUCERS];
  GThread *threads[N_PRODUCERS];
  int n_posts = 0;

  g_atomic_int_set (&n_run, 0);
  g_atomic_int_set (&n_destroyed, 0);

  for (int i = 0; i < N_PRODUCERS; i++)
    {
      producers[i] = (Producer) { .loop = g_object_ref (loop) };
      threads[i] = g_thread_new ("producer", produce, &producers[i]);
    }

  run_for (loop, round * 0.0003);
  ck_assert (loop_event_loop_close (loop));
  /* Some rounds leave the last reference to a producer. */
  if (round % 2 == 0)
    g_clear_object (&loop);

  for (int i = 0; i < N_PRODUCERS; i++)
    {
      g_thread_join (threads[i]);
      n_posts += producers[i].n_accepted + producers[i].n_refused;
      ck_assert_int_eq (producers[i].n_refused, 100);
    }

  ck_assert_int_eq (g_atomic_int_get (&n_destroyed), n_posts);
  ck_assert_int_le (g_atomic_int_get (&n_run), n_posts - N_PRODUCERS * 100);
}

START_TEST (test_while_closing)
{
  for (int round = 0; round < N_ROUNDS; round++)
    check_round (round % 10);
}
END_TEST

/* A worker that has the last reference to a loop that ran and was not closed. */
static gpointer
drop_loop (gpointer data)
{
  LoopEventLoop *loop = data;

  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, NULL, NULL));
  g_object_unref (loop);

  return NULL;
}

START_TEST (test_last_reference_elsewhere)
{
  LoopEventLoop *loop = loop_event_loop_new ();

  run_once (loop);
  g_thread_join (g_thread_new ("dropper", drop_loop, loop));
  check_steps ("A");
}
END_TEST

LOOP_TEST_MAIN ("threadsafe-close", test_after_close, test_while_closing, test_last_reference_elsewhere)
