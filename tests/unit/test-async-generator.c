/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-async-generator.h"
#include "loop-exception-context.h"

#include <malloc.h>

/* The loop knows the asynchronous generators that have begun, and closes what is left of them. */

typedef struct
{
  GObject parent_instance;

  LoopFuture *closing; /* what aclose returns; or NULL, as a function that fails */
  int n_closed;
} TestGenerator;

typedef struct
{
  GObjectClass parent_class;
} TestGeneratorClass;

static GType test_generator_get_type (void);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestGenerator, g_object_unref)
static void test_generator_iface_init (LoopAsyncGeneratorInterface *iface);

G_DEFINE_TYPE_WITH_CODE (TestGenerator,
                         test_generator,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (LOOP_TYPE_ASYNC_GENERATOR, test_generator_iface_init))

static LoopFuture *
test_generator_aclose (LoopAsyncGenerator *generator)
{
  TestGenerator *self = (TestGenerator *) generator;

  self->n_closed++;

  return self->closing != NULL ? g_object_ref (self->closing) : NULL;
}

static void
test_generator_iface_init (LoopAsyncGeneratorInterface *iface)
{
  iface->aclose = test_generator_aclose;
}

static void
test_generator_finalize (GObject *object)
{
  g_clear_object (&((TestGenerator *) object)->closing);
  G_OBJECT_CLASS (test_generator_parent_class)->finalize (object);
}

static void
test_generator_class_init (TestGeneratorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_generator_finalize;
}

static void
test_generator_init (TestGenerator *self)
{
}

static TestGenerator *
begin_generator (LoopEventLoop *loop)
{
  TestGenerator *self = g_object_new (test_generator_get_type (), NULL);

  self->closing = loop_event_loop_create_future (loop);
  loop_event_loop_track_async_generator (loop, LOOP_ASYNC_GENERATOR (self));

  return self;
}

typedef struct
{
  GObject *generator;
  int code;
  int n_reports;
} Report;

static void
note_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  Report *self = user_data;
  const GError *exception = loop_exception_context_get_exception (context);

  self->generator = loop_exception_context_get_async_generator (context);
  self->code = exception != NULL ? exception->code : -1;
  self->n_reports++;
}

START_TEST (test_none)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_shutdown_asyncgens (loop);

  ck_assert (loop_future_done (future));
  ck_assert (loop_future_result (future, NULL, NULL));
}
END_TEST

START_TEST (test_all_are_closed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (TestGenerator) a = begin_generator (loop);
  g_autoptr (TestGenerator) b = begin_generator (loop);
  g_autoptr (LoopFuture) future = NULL;

  /* However often the loop was told. */
  loop_event_loop_track_async_generator (loop, LOOP_ASYNC_GENERATOR (a));
  /* One that has ended and gone is nobody's business. */
  g_object_unref (begin_generator (loop));

  future = loop_event_loop_shutdown_asyncgens (loop);
  ck_assert_int_eq (a->n_closed, 1);
  ck_assert_int_eq (b->n_closed, 1);
  run_once (loop);
  ck_assert (!loop_future_done (future));
  ck_assert (loop_future_set_result (a->closing, NULL, NULL));
  run_once (loop);
  ck_assert (!loop_future_done (future));
  ck_assert (loop_future_set_result (b->closing, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));

  /* They are closed once. */
  g_clear_object (&future);
  future = loop_event_loop_shutdown_asyncgens (loop);
  ck_assert (loop_future_done (future));
  ck_assert_int_eq (a->n_closed, 1);
  run_once (loop);
  ck_assert_uint_eq (G_OBJECT (a)->ref_count, 1);
}
END_TEST

START_TEST (test_errors_are_reported)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (TestGenerator) bad = begin_generator (loop);
  g_autoptr (TestGenerator) good = begin_generator (loop);
  g_autoptr (TestGenerator) broken = begin_generator (loop);
  g_autoptr (LoopFuture) future = NULL;
  Report report = { NULL };

  loop_event_loop_set_exception_handler (loop, note_report, &report, NULL);
  g_clear_object (&broken->closing);

  future = loop_event_loop_shutdown_asyncgens (loop);
  ck_assert_int_eq (report.n_reports, 1);
  ck_assert_ptr_eq (report.generator, broken);
  ck_assert_int_eq (report.code, -1);

  set_not_found (bad->closing);
  run_once (loop);
  ck_assert_int_eq (report.n_reports, 2);
  ck_assert_ptr_eq (report.generator, bad);
  ck_assert_int_eq (report.code, G_IO_ERROR_NOT_FOUND);
  ck_assert (!loop_future_done (future));

  ck_assert (loop_future_set_result (good->closing, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  ck_assert_int_eq (report.n_reports, 2);
}
END_TEST

START_TEST (test_cancel)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (TestGenerator) generator = begin_generator (loop);
  g_autoptr (LoopFuture) future = loop_event_loop_shutdown_asyncgens (loop);

  ck_assert (loop_future_cancel (future));
  ck_assert (loop_future_cancelled (generator->closing));
  ck_assert (loop_event_loop_run_until_complete (loop, future, NULL, NULL));
  ck_assert (!loop_future_cancel (future));
}
END_TEST

START_TEST (test_too_late)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future G_GNUC_UNUSED = loop_event_loop_shutdown_asyncgens (loop);
  g_autoptr (TestGenerator) generator = NULL;
  g_autoptr (LoopFuture) again = NULL;

  loop_check_expect_warning ("*TestGenerator*began after shutdown_asyncgens*");
  generator = begin_generator (loop);
  loop_check_assert_expected ();

  /* Who calls it again means it. */
  again = loop_event_loop_shutdown_asyncgens (loop);
  ck_assert_int_eq (generator->n_closed, 1);
  ck_assert (loop_future_set_result (generator->closing, NULL, NULL));
  ck_assert (loop_event_loop_run_until_complete (loop, again, NULL, NULL));
}
END_TEST

START_TEST (test_closed_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (TestGenerator) generator = begin_generator (loop);
  g_autoptr (LoopFuture) future = NULL;

  ck_assert (loop_event_loop_close (loop));
  loop_check_expect_critical ("*track_async_generator*closed*");
  loop_event_loop_track_async_generator (loop, LOOP_ASYNC_GENERATOR (generator));

  future = loop_event_loop_shutdown_asyncgens (loop);
  check_failed (future, LOOP_ERROR, LOOP_ERROR_CLOSED);
  ck_assert_int_eq (generator->n_closed, 0);
}
END_TEST

/* Those that have gone leave nothing behind, however many there were. */
START_TEST (test_many)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (TestGenerator) first = begin_generator (loop);
  g_autoptr (LoopFuture) future = NULL;
  gsize before G_GNUC_UNUSED;

  for (int i = 0; i < 1000; i++)
    g_object_unref (begin_generator (loop));
  before = mallinfo2 ().uordblks;
  for (int i = 0; i < 10000; i++)
    g_object_unref (begin_generator (loop));
#if !defined LOOP_WITH_ASAN && !defined LOOP_WITH_TSAN
  ck_assert_uint_lt (mallinfo2 ().uordblks, before + 64 * 1024);
#endif

  future = loop_event_loop_shutdown_asyncgens (loop);
  ck_assert_int_eq (first->n_closed, 1);
  ck_assert (loop_future_cancel (future));
  run_once (loop);
}
END_TEST

LOOP_TEST_MAIN ("async-generator",
                test_none,
                test_all_are_closed,
                test_errors_are_reported,
                test_cancel,
                test_too_late,
                test_closed_loop,
                test_many)
