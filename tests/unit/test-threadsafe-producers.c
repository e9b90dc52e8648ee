/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-handle.h"

/* Many threads post at once: nothing is lost, nothing comes twice, and each thread's posts keep their order. */

#define N_PRODUCERS 4

#if defined(LOOP_WITH_TSAN) || defined(LOOP_WITH_ASAN)
#define N_POSTS 10000
#else
#define N_POSTS 50000
#endif

typedef struct
{
  LoopEventLoop *loop;
  GMainLoop *main_loop;
  int n_run;
  int n_destroyed;
  int *n_all_done;
  gboolean with_pauses;
} Producer;

typedef struct
{
  Producer *producer;
  int number;
} Post;

static void
post_run (gpointer data)
{
  Post *post = data;

  ck_assert_int_eq (post->number, post->producer->n_run);
  post->producer->n_run++;
}

static void
post_destroy (gpointer data)
{
  Post *post = data;
  Producer *producer = post->producer;

  producer->n_destroyed++;
  ck_assert_int_eq (producer->n_destroyed, producer->n_run);

  if (producer->n_run == N_POSTS && ++*producer->n_all_done == N_PRODUCERS)
    {
      if (producer->main_loop != NULL)
        g_main_loop_quit (producer->main_loop);
      else
        loop_event_loop_stop (producer->loop);
    }
  g_free (post);
}

static gpointer
produce (gpointer data)
{
  Producer *self = data;

  for (int i = 0; i < N_POSTS; i++)
    {
      g_autoptr (LoopHandle) handle = NULL;
      Post *post = g_new (Post, 1);

      *post = (Post) { self, i };
      ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, post_run, post, post_destroy,
                                                       i % 3 == 0 ? &handle : NULL, NULL));
      /* Let it fall asleep between two posts, now and then. */
      if (self->with_pauses && i % (N_POSTS / 20) == 0)
        g_usleep (500);
    }

  return NULL;
}

static void
produce_all (LoopEventLoop *loop, GMainLoop *main_loop, gboolean with_pauses)
{
  Producer producers[N_PRODUCERS] = { 0 };
  GThread *threads[N_PRODUCERS];
  int n_all_done = 0;

  for (int i = 0; i < N_PRODUCERS; i++)
    {
      producers[i] = (Producer) {
        .loop = loop,
        .main_loop = main_loop,
        .n_all_done = &n_all_done,
        .with_pauses = with_pauses,
      };
      threads[i] = g_thread_new ("producer", produce, &producers[i]);
    }

  if (main_loop != NULL)
    g_main_loop_run (main_loop);
  else
    ck_assert (loop_event_loop_run_forever (loop));

  for (int i = 0; i < N_PRODUCERS; i++)
    {
      g_thread_join (threads[i]);
      ck_assert_int_eq (producers[i].n_run, N_POSTS);
      ck_assert_int_eq (producers[i].n_destroyed, N_POSTS);
    }
}

START_TEST (test_private_context)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  produce_all (loop, NULL, FALSE);
}
END_TEST

START_TEST (test_loop_that_falls_asleep)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  produce_all (loop, NULL, TRUE);
}
END_TEST

START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);

  produce_all (loop, main_loop, TRUE);
}
END_TEST

/* One post at a time, each answered before the next: a wakeup that is lost is a hang. */
typedef struct
{
  LoopEventLoop *loop;
  int answered;
} PingPong;

static void
answer (gpointer data)
{
  PingPong *self = data;

  __atomic_fetch_add (&self->answered, 1, __ATOMIC_RELEASE);
}

static gpointer
ping (gpointer data)
{
  PingPong *self = data;

  for (int i = 1; i <= 5000; i++)
    {
      gint64 given_up = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;

      ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, answer, self, NULL, NULL, NULL));
      while (__atomic_load_n (&self->answered, __ATOMIC_ACQUIRE) < i)
        {
          ck_assert_msg (g_get_monotonic_time () < given_up, "wakeup %d was lost", i);
          g_thread_yield ();
        }
    }

  ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, stop_loop, self->loop, NULL, NULL, NULL));

  return NULL;
}

START_TEST (test_no_wakeup_is_lost)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  PingPong ping_pong = { loop };
  GThread *thread = g_thread_new ("ping", ping, &ping_pong);

  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);
  ck_assert_int_eq (ping_pong.answered, 5000);
}
END_TEST

LOOP_TEST_MAIN ("threadsafe-producers",
                test_private_context,
                test_loop_that_falls_asleep,
                test_foreign_context,
                test_no_wakeup_is_lost)
