/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-check.h"

#include "loop-error.h"
#include "loop-exception-context.h"
#include "loop-process-frame-private.h"
#include "tsan-gio.h"

#include <string.h>
#include <unistd.h>

/* Functions in processes, and what becomes of what they return. */

START_TEST (test_result)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future = call (pool, loop, "add", "(40, 2)");
  int worker;
  int zygote;

  ck_assert_ptr_eq (loop_future_get_loop (future), loop);
  check_result (future, "42");
  get_pids (pool, loop, &worker, &zygote);
  ck_assert_int_ne (worker, getpid ());
  ck_assert_int_ne (zygote, getpid ());
}
END_TEST

START_TEST (test_types)
{
  static const char *const texts[] = {
    "()", "''", "'text'", "1.5", "(true, 'a', [1, 2])", "[<1>, <'two'>, <[3.0]>]", "{'key': <(1, 'x')>}", "<<<1>>>"
  };
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    check_result (call (pool, loop, "echo", texts[i]), texts[i]);
  check_result (call (pool, loop, "echo", NULL), "()");
}
END_TEST

static GVariant *
return_nothing (GVariant *parameters, gpointer user_data, GError **error)
{
  return NULL;
}

static GVariant *
return_both (GVariant *parameters, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "to be forgotten");

  return g_variant_new_string ("result");
}

static GVariant *
fail_badly (GVariant *parameters, gpointer user_data, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, -7, "not \xff UTF-8");

  return NULL;
}

START_TEST (test_errors)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) failed = NULL;
  g_autoptr (LoopFuture) nothing = NULL;
  g_autoptr (LoopFuture) badly = NULL;

  add_function ("nothing", NULL, return_nothing);
  add_function ("both", NULL, return_both);
  add_function ("badly", NULL, fail_badly);
  pool = make_pool (1);
  failed = call (pool, loop, "fail", NULL);
  nothing = call (pool, loop, "nothing", NULL);
  badly = call (pool, loop, "badly", NULL);

  check_error (failed, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space");
  check_error (nothing, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
               "The function “nothing” returned neither a result nor an error");
  check_error (badly, G_IO_ERROR, -7, "not \357\277\275 UTF-8");
  check_result (call (pool, loop, "both", NULL), "'result'");
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 1);
}
END_TEST

START_TEST (test_refused)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) unknown = call (pool, loop, "unknown", "(1,)");
  g_autoptr (LoopFuture) type = call (pool, loop, "add", "(1, 'two')");
  g_autoptr (LoopFuture) none = call (pool, loop, "add", NULL);

  check_error (unknown, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "No function “unknown” is registered");
  check_error (type, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "The function “add” takes parameters of type “(ii)”, not “(is)”");
  check_error (none, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "The function “add” takes parameters of type “(ii)”, not “()”");
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 0);
}
END_TEST

static void
note_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  ck_assert_str_eq (loop_exception_context_get_exception (context)->message, "no space");
  loop_event_loop_stop (loop);
}

START_TEST (test_forgotten)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_event_loop_set_exception_handler (loop, note_report, NULL, NULL);
  g_object_unref (call (pool, loop, "fail", NULL));
  ck_assert (loop_event_loop_run_forever (loop));
}
END_TEST

static GVariant *
new_bytes (gsize size)
{
  gpointer data = g_malloc0 (size);

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

#define HUGE_SIZE (64 * 1024 * 1024)

/* Far more than a socket takes at once, in both directions. */
START_TEST (test_huge)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  guint8 *data = g_malloc (HUGE_SIZE);
  g_autoptr (GVariant) parameters = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_auto (GValue) value = G_VALUE_INIT;

  for (gsize i = 0; i < HUGE_SIZE; i++)
    data[i] = (guint8) (i * 7 + (i >> 12));
  parameters =
      g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, HUGE_SIZE, TRUE, g_free, data));
  future = loop_process_pool_executor_submit (pool, loop, "echo", parameters);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  ck_assert (loop_event_loop_run_until_complete (loop, future, &value, NULL));
  ck_assert (g_variant_equal (g_value_get_variant (&value), parameters));
}
END_TEST

static GVariant *
return_too_much (GVariant *parameters, gpointer user_data, GError **error)
{
  return new_bytes (LOOP_PROCESS_FRAME_MAX_SIZE);
}

START_TEST (test_too_large)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) parameters = NULL;
  g_autoptr (LoopFuture) result = NULL;

  add_function ("much", NULL, return_too_much);
  pool = make_pool (1);
  parameters = loop_process_pool_executor_submit (pool, loop, "echo", new_bytes (LOOP_PROCESS_FRAME_MAX_SIZE));
  result = call (pool, loop, "much", NULL);
  check_error (parameters, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
               "The parameters of a job in a process pool would be 268435471 bytes long, and 268435456 are allowed");
  check_error (result, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
               "The result of a job in a process pool would be 268435459 bytes long, and 268435456 are allowed");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

/* From where it came to where it goes: it is made normal, and does no harm. */
START_TEST (test_not_normal)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  GVariant *parameters = g_variant_new_from_data (G_VARIANT_TYPE ("(ssv)"), "\x80\xff\x03", 3, FALSE, NULL, NULL);

  check_result (loop_process_pool_executor_submit (pool, loop, "echo", parameters), "('', '', <()>)");
}
END_TEST

#define N_JOBS 3000

typedef struct
{
  int n_done;
  gint64 sum;
  LoopEventLoop *loop;
} Many;

static void
add_result (LoopFuture *future, gpointer data)
{
  Many *many = data;
  g_auto (GValue) result = G_VALUE_INIT;

  ck_assert (loop_future_result (future, &result, NULL));
  many->sum += g_variant_get_int32 (g_value_get_variant (&result));
  if (++many->n_done == N_JOBS)
    loop_event_loop_stop (many->loop);
}

START_TEST (test_many)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (4);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Many many = { .loop = loop };

  for (int i = 0; i < N_JOBS; i++)
    {
      g_autoptr (LoopFuture) future =
          loop_process_pool_executor_submit (pool, loop, "add", g_variant_new ("(ii)", i, 1));

      loop_future_add_done_callback (future, add_result, &many, NULL);
    }
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert_int_eq (many.sum, (gint64) N_JOBS * (N_JOBS + 1) / 2);
  ck_assert_uint_le (loop_process_pool_executor_get_n_workers (pool), 4);
}
END_TEST

static GVariant *
next_number (GVariant *parameters, gpointer user_data, GError **error)
{
  static int number;

  return g_variant_new_int32 (number++);
}

/* One worker does one after the other, and remembers. */
START_TEST (test_order)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[10];

  add_function ("next", NULL, next_number);
  pool = make_pool (1);
  for (int i = 0; i < 10; i++)
    futures[i] = call (pool, loop, "next", NULL);
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *text = g_strdup_printf ("%d", i);

      check_result (futures[i], text);
    }
}
END_TEST

START_TEST (test_counts)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[5];
  guint max_workers;
  guint n_workers;
  guint n_idle;
  guint queue_depth;

  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 0);
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 1);
  ck_assert_uint_eq (loop_process_pool_executor_get_n_idle (pool), 1);

  for (int i = 0; i < 5; i++)
    futures[i] = call (pool, loop, "gate", NULL);
  await_gate (2);
  g_object_get (pool, "max-workers", &max_workers, "n-workers", &n_workers, "n-idle", &n_idle, "queue-depth",
                &queue_depth, NULL);
  ck_assert_uint_eq (max_workers, 2);
  ck_assert_uint_eq (n_workers, 2);
  ck_assert_uint_eq (n_idle, 0);
  ck_assert_uint_eq (queue_depth, 3);
  open_gate ();
  for (int i = 0; i < 5; i++)
    check_result (futures[i], "()");
  ck_assert_uint_eq (loop_process_pool_executor_get_n_idle (pool), 2);
  ck_assert_uint_eq (loop_process_pool_executor_get_queue_depth (pool), 0);
}
END_TEST

START_TEST (test_default_workers)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (0);

  ck_assert_uint_eq (loop_process_pool_executor_get_max_workers (pool), g_get_num_processors ());
}
END_TEST

/* It is an executor, but not for functions of this process. */
START_TEST (test_interface)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Job job = { .number = 1 };
  g_autoptr (LoopFuture) future = loop_event_loop_run_in_executor (loop, LOOP_EXECUTOR (pool), run_job, &job, free_job);

  check_error (future, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
               "A process pool runs functions that were registered: see loop_process_pool_executor_submit()");
  ck_assert_int_eq (job.n_freed, 1);
  ck_assert_ptr_null (job.ran_in);

  loop_check_expect_critical ("*must be a LoopThreadPoolExecutor, which a LoopProcessPoolExecutor is not*");
  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (pool));
}
END_TEST

START_TEST (test_cancel)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[4];

  for (int i = 0; i < 4; i++)
    futures[i] = call (pool, loop, "gate", NULL);
  await_gate (1);
  ck_assert (loop_future_cancel (futures[0]));
  ck_assert (loop_future_cancel (futures[2]));
  ck_assert (loop_future_cancelled (futures[0]));
  ck_assert_uint_eq (loop_process_pool_executor_get_queue_depth (pool), 2);
  open_gate ();
  check_result (futures[1], "()");
  check_result (futures[3], "()");

  /* The one that ran did so to its end, the other one never began. */
  ck_assert_int_eq (shared->n_passed, 3);
  g_object_unref (futures[0]);
  g_object_unref (futures[2]);
}
END_TEST

LOOP_TEST_MAIN ("process-pool",
                test_result,
                test_types,
                test_errors,
                test_refused,
                test_forgotten,
                test_huge,
                test_too_large,
                test_not_normal,
                test_many,
                test_order,
                test_counts,
                test_default_workers,
                test_interface,
                test_cancel)
