/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-exception-context.h"
#include "loop-future-private.h"
#include "loop-thread-pool-executor.h"

/* A future whose last reference the loop drops is used again, as if it were new; unless somebody could tell. */

static void
take_note (LoopFuture *future, gpointer user_data)
{
}

typedef void (*Prepare) (LoopFuture *future);

typedef struct
{
  LoopEventLoop *loop;
  GType type;
  Prepare prepare;
  gpointer address;
  guint64 id;
  LoopFuture *future;
} Fixture;

/* A future comes, ends and goes. */
static void
make_and_end (gpointer data)
{
  Fixture *f = data;
  LoopFuture *future;

  if (f->type != 0)
    {
      future = g_object_new (f->type, NULL);
      loop_future_set_up (future, f->loop, "derived");
    }
  else
    {
      future = loop_event_loop_create_future (f->loop);
    }

  f->address = future;
  f->id = loop_future_get_id (future);
  loop_future_add_done_callback (future, take_note, NULL, NULL);
  if (f->prepare != NULL)
    f->prepare (future);
  if (!loop_future_done (future))
    set_int (future, 7);
  g_object_unref (future);
}

static void
make (gpointer data)
{
  Fixture *f = data;

  f->future = loop_event_loop_create_future (f->loop);
}

/* Whether the next future is the one that @prepare was done to. */
static gboolean
is_used_again (Fixture *f, Prepare prepare)
{
  gboolean is_same;

  f->prepare = prepare;
  loop_event_loop_call_soon (f->loop, make_and_end, f, NULL);
  run_once (f->loop); /* it ends */
  run_once (f->loop); /* its callback is called */
  loop_event_loop_call_soon (f->loop, make, f, NULL);
  run_once (f->loop);

  is_same = f->future == f->address;
  ck_assert (!loop_future_done (f->future));
  ck_assert_int_eq (G_OBJECT (f->future)->ref_count, 1);

  return is_same;
}

static void
set_up (Fixture *f)
{
  *f = (Fixture) { .loop = loop_event_loop_new () };
}

static void
tear_down (Fixture *f)
{
  g_clear_object (&f->future);
  loop_event_loop_close (f->loop);
  g_clear_object (&f->loop);
}

START_TEST (test_like_new)
{
  g_autoptr (GError) error = NULL;
  Fixture f;

  set_up (&f);
  ck_assert (is_used_again (&f, NULL));

  ck_assert_uint_ne (loop_future_get_id (f.future), f.id);
  ck_assert_ptr_eq (loop_future_get_loop (f.future), f.loop);
  ck_assert (!loop_future_result (f.future, NULL, &error));
  ck_assert (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE));
  loop_future_add_done_callback (f.future, take_note, step_new ('a'), step_destroy);
  set_int (f.future, 8);
  run_once (f.loop);
  check_steps ("A");
  ck_assert_int_eq (get_int (f.future), 8);
  tear_down (&f);
}
END_TEST

static void
cancel (LoopFuture *future)
{
  loop_future_cancel_with_message (future, "enough");
}

START_TEST (test_after_cancel)
{
  g_autoptr (GError) error = NULL;
  Fixture f;

  set_up (&f);
  ck_assert (is_used_again (&f, cancel));
  ck_assert_ptr_null (loop_future_get_cancel_message (f.future));
  ck_assert (loop_future_cancel (f.future));
  ck_assert (!loop_future_result (f.future, NULL, &error));
  ck_assert_str_ne (error->message, "enough");
  tear_down (&f);
}
END_TEST

static gpointer result_object;

static void
set_object (LoopFuture *future)
{
  g_autoptr (GObject) object = g_object_new (G_TYPE_OBJECT, NULL);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_OBJECT);
  g_value_set_object (&value, object);
  ck_assert (loop_future_set_result (future, &value, NULL));
  g_set_weak_pointer (&result_object, object);
}

START_TEST (test_result_is_freed)
{
  Fixture f;

  set_up (&f);
  ck_assert (is_used_again (&f, set_object));
  ck_assert_ptr_null (result_object);
  tear_down (&f);
}
END_TEST

static void
connect_handler (LoopFuture *future)
{
  g_signal_connect_data (future, "notify", G_CALLBACK (take_note), step_new ('a'), (GClosureNotify) step_destroy, 0);
}

START_TEST (test_handlers_are_gone)
{
  Fixture f;

  set_up (&f);
  ck_assert (is_used_again (&f, connect_handler));
  check_steps ("A");
  ck_assert (!g_signal_has_handler_pending (f.future, g_signal_lookup ("notify", G_TYPE_OBJECT), 0, TRUE));
  tear_down (&f);
}
END_TEST

static gpointer weak_pointer;
static GWeakRef weak_ref;
static LoopFuture *kept;

static void
point_weakly (LoopFuture *future)
{
  g_set_weak_pointer (&weak_pointer, future);
}

static void
refer_weakly (LoopFuture *future)
{
  g_weak_ref_init (&weak_ref, future);
}

static void
set_data (LoopFuture *future)
{
  g_object_set_data_full (G_OBJECT (future), "step", step_new ('a'), step_destroy);
}

static void
keep (LoopFuture *future)
{
  kept = g_object_ref (future);
}

/* Whoever has an interest in it sees it go, or stay. */
START_TEST (test_known_to_others)
{
  Fixture f;

  set_up (&f);
  is_used_again (&f, point_weakly);
  ck_assert_ptr_null (weak_pointer);
  g_clear_object (&f.future);

  is_used_again (&f, refer_weakly);
  ck_assert_ptr_null (g_weak_ref_get (&weak_ref));
  g_clear_object (&f.future);

  is_used_again (&f, set_data);
  check_steps ("A");
  ck_assert_ptr_null (g_object_get_data (G_OBJECT (f.future), "step"));
  g_clear_object (&f.future);

  ck_assert (!is_used_again (&f, keep));
  ck_assert_int_eq (get_int (kept), 7);
  ck_assert_uint_eq (loop_future_get_id (kept), f.id);
  g_clear_object (&kept);
  tear_down (&f);
}
END_TEST

static void
report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  step_run (user_data);
}

START_TEST (test_unretrieved)
{
  Fixture f;

  set_up (&f);
  loop_event_loop_set_exception_handler (f.loop, report, step_new ('x'), step_destroy);
  is_used_again (&f, set_not_found);
  check_steps ("x");
  tear_down (&f);
  check_steps ("X");
}
END_TEST

typedef struct
{
  LoopFuture parent_instance;
  int more[16];
} Derived;

typedef LoopFutureClass DerivedClass;

static GType derived_get_type (void);

G_DEFINE_TYPE (Derived, derived, LOOP_TYPE_FUTURE)

static void
derived_class_init (DerivedClass *klass)
{
}

static void
derived_init (Derived *self)
{
}

START_TEST (test_derived)
{
  Fixture f;

  set_up (&f);
  f.type = derived_get_type ();
  ck_assert (!is_used_again (&f, NULL));
  ck_assert (G_OBJECT_TYPE (f.future) == LOOP_TYPE_FUTURE);
  tear_down (&f);
}
END_TEST

/* Many at once: some are kept, the others freed, and all are gone with the loop. */
START_TEST (test_many)
{
  enum
  {
    N = 1000
  };
  Fixture f;

  set_up (&f);
  for (int round = 0; round < 3; round++)
    {
      for (int i = 0; i < N; i++)
        loop_event_loop_call_soon (f.loop, make_and_end, &f, NULL);
      run_once (f.loop);
      run_once (f.loop);
    }
  tear_down (&f);
}
END_TEST

static gboolean
work (GValue *result, gpointer user_data, GError **error)
{
  return TRUE;
}

static gpointer addresses[3];

static void
job_done (LoopFuture *future, gpointer n_jobs)
{
  ck_assert (!loop_future_cancelled (future));
  addresses[(*(int *) n_jobs)++] = future;
  loop_event_loop_stop (loop_future_get_loop (future));
}

/* The one that comes after a future was dropped takes its place, and not that of a plain one. */
START_TEST (test_executor)
{
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (1, NULL);
  int n_jobs = 0;
  Fixture f;

  set_up (&f);
  ck_assert (is_used_again (&f, NULL));
  for (int i = 0; i < 3; i++)
    {
      LoopFuture *future = loop_event_loop_run_in_executor (f.loop, LOOP_EXECUTOR (executor), work, NULL, NULL);

      loop_future_add_done_callback (future, job_done, &n_jobs, NULL);
      g_object_unref (future);
      loop_event_loop_run_forever (f.loop);
    }
  ck_assert_int_eq (n_jobs, 3);
  ck_assert_ptr_eq (addresses[0], addresses[1]);
  ck_assert_ptr_eq (addresses[1], addresses[2]);
  ck_assert_ptr_ne (addresses[0], f.address);
  loop_executor_shutdown (LOOP_EXECUTOR (executor), TRUE, FALSE);
  tear_down (&f);
}
END_TEST

LOOP_TEST_MAIN ("future-spares",
                test_like_new,
                test_after_cancel,
                test_result_is_freed,
                test_handlers_are_gone,
                test_known_to_others,
                test_unretrieved,
                test_derived,
                test_many,
                test_executor)
