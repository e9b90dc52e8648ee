/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-event-loop-private.h"
#include "loop-exception-context.h"
#include "loop-future-private.h"

/* The last reference to a future may be dropped in any thread, while the loop runs: the loop's thread buries it. */

#ifdef LOOP_WITH_TSAN
#define N_FUTURES 5000
#else
#define N_FUTURES 100000
#endif

typedef struct
{
  LoopEventLoop *loop;
  GThread *loop_thread;
  GAsyncQueue *queue;
  LoopFuture *future;
  int n_reports;
  int n_made;
  int n_destroyed;
} Fixture;

static void
report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  Fixture *f = user_data;

  ck_assert_ptr_eq (g_thread_self (), f->loop_thread);
  f->n_reports++;
}

static void
destroyed (gpointer data)
{
  Fixture *f = data;

  ck_assert_ptr_eq (g_thread_self (), f->loop_thread);
  f->n_destroyed++;
}

static void
never (LoopFuture *future, gpointer data)
{
  ck_abort_msg ("a future that is not done called back");
}

static gpointer
drop_futures (gpointer data)
{
  Fixture *f = data;
  gpointer future;

  while ((future = g_async_queue_pop (f->queue)) != f)
    g_object_unref (future);

  return NULL;
}

/* Makes a few in each iteration, of three kinds: pending, with a callback, failed. */
static void
make_futures (gpointer data)
{
  Fixture *f = data;

  for (int i = 0; i < 20; i++)
    {
      LoopFuture *future = loop_event_loop_create_future (f->loop);

      if (f->n_made % 3 == 1)
        {
          loop_future_add_done_callback (future, never, f, destroyed);
        }
      else if (f->n_made % 3 == 2)
        {
          g_autoptr (GError) exception = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");

          ck_assert (loop_future_set_exception (future, exception, NULL));
        }
      g_async_queue_push (f->queue, future);

      if (++f->n_made == N_FUTURES)
        {
          g_async_queue_push (f->queue, f);
          return;
        }
    }

  loop_event_loop_call_soon (f->loop, make_futures, f, NULL);
}

static void
check_registry (gpointer data)
{
  Fixture *f = data;
  guint64 n = 0;

  /* All of it can be walked through: an inspector does. */
  loop_event_loop_enter (f->loop);
  LOOP_REGISTRY_FOREACH (&f->loop->registry, LOOP_REGISTRY_FUTURES, node)
    n += node->id > 0;
  ck_assert_uint_eq (n, f->loop->registry.lengths[LOOP_REGISTRY_FUTURES]);
  loop_event_loop_leave (f->loop);

  if (f->n_reports == N_FUTURES / 3 && f->n_made == N_FUTURES && n == 0)
    loop_event_loop_stop (f->loop);
  else
    loop_event_loop_call_later (f->loop, 0.001, check_registry, f, NULL);
}

START_TEST (test_while_running)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  Fixture f = { .loop = loop, .loop_thread = g_thread_self (), .queue = queue };
  GThread *thread = g_thread_new ("dropper", drop_futures, &f);

  loop_event_loop_set_exception_handler (loop, report, &f, NULL);
  loop_event_loop_call_soon (loop, make_futures, &f, NULL);
  loop_event_loop_call_soon (loop, check_registry, &f, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);

  ck_assert_int_eq (f.n_reports, N_FUTURES / 3);
  ck_assert_int_eq (f.n_destroyed, (N_FUTURES + 1) / 3);
  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);
}
END_TEST

static gpointer
drop_one (gpointer future)
{
  g_object_unref (future);

  return NULL;
}

/*
 * The loop's thread is quicker than the one that dropped the reference, which gets no further than to
 * the end of its dispose function meanwhile.
 */
typedef LoopFuture SlowFuture;
typedef LoopFutureClass SlowFutureClass;

GType slow_future_get_type (void);
G_DEFINE_TYPE (SlowFuture, slow_future, LOOP_TYPE_FUTURE)

static GThread *slow_thread;

static void
slow_future_dispose (GObject *object)
{
  G_OBJECT_CLASS (slow_future_parent_class)->dispose (object);
  if (g_thread_self () == slow_thread)
    g_usleep (20000);
}

static void
slow_future_class_init (SlowFutureClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = slow_future_dispose;
}

static void
slow_future_init (SlowFuture *self)
{
}

static void
hand_over (gpointer data)
{
  Fixture *f = data;

  g_async_queue_push (f->queue, f->future);
}

static gpointer
drop_slowly (gpointer data)
{
  Fixture *f = data;

  slow_thread = g_thread_self ();
  g_object_unref (g_async_queue_pop (f->queue));
  ck_assert (loop_event_loop_call_soon_threadsafe (f->loop, stop_loop, f->loop, NULL, NULL, NULL));

  return NULL;
}

START_TEST (test_slow_thread)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  Fixture f = { .loop = loop, .loop_thread = g_thread_self (), .queue = queue };
  LoopFuture *future = g_object_new (slow_future_get_type (), NULL);
  GThread *thread = g_thread_new ("dropper", drop_slowly, &f);

  future->loop = g_object_ref (loop);
  loop_registry_add (&loop->registry, LOOP_REGISTRY_FUTURES, &future->node, loop_event_loop_next_id (loop));
  loop_future_add_done_callback (future, never, &f, destroyed);

  f.future = future;
  loop_event_loop_call_soon (loop, hand_over, &f, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);

  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);
  ck_assert_int_eq (f.n_destroyed, 1);
}
END_TEST

/* The loop is closed before it could bury them. */

static void
drop_and_stop (gpointer data)
{
  Fixture *f = data;
  LoopFuture *future = loop_event_loop_create_future (f->loop);

  loop_future_add_done_callback (future, never, f, destroyed);
  g_thread_join (g_thread_new ("dropper", drop_one, future));
  loop_event_loop_stop (f->loop);
}

START_TEST (test_closed_before)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Fixture f = { .loop = loop, .loop_thread = g_thread_self () };

  loop_event_loop_call_soon (loop, drop_and_stop, &f, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert (loop_event_loop_close (loop));
  ck_assert_int_eq (f.n_destroyed, 1);
  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);
}
END_TEST

/* Somebody else iterates the context, and for now nobody does. */
START_TEST (test_foreign_context)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (context);
  Fixture f = { .loop = loop, .loop_thread = g_thread_self () };
  g_autoptr (GError) exception = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  LoopFuture *pending = loop_event_loop_create_future (loop);
  LoopFuture *failed = loop_event_loop_create_future (loop);

  loop_event_loop_set_exception_handler (loop, report, &f, NULL);
  loop_future_add_done_callback (pending, never, &f, destroyed);
  ck_assert (loop_future_set_exception (failed, exception, NULL));
  g_main_context_iteration (context, FALSE);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  g_main_context_iteration (context, FALSE);

  g_thread_join (g_thread_new ("dropper", drop_one, pending));
  g_thread_join (g_thread_new ("dropper", drop_one, failed));
  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);
  for (int i = 0; i < 3; i++)
    g_main_context_iteration (context, FALSE);
  ck_assert_int_eq (f.n_destroyed, 1);
  ck_assert_int_eq (f.n_reports, 1);
}
END_TEST

START_TEST (test_idle_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = loop_event_loop_create_future (loop);

  g_thread_join (g_thread_new ("dropper", drop_one, future));
  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);

  future = loop_event_loop_create_future (loop);
  ck_assert (loop_event_loop_close (loop));
  g_thread_join (g_thread_new ("dropper", drop_one, future));
  ck_assert_uint_eq (loop->registry.lengths[LOOP_REGISTRY_FUTURES], 0);
}
END_TEST

LOOP_TEST_MAIN ("future-threads",
                test_while_running,
                test_slow_thread,
                test_closed_before,
                test_foreign_context,
                test_idle_loop)
