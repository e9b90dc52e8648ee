/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-executor.h"
#include "loop-fiber.h"
#include "loop-gather.h"
#include "loop-inspector-views-private.h"
#include "loop-signal-watcher.h"
#include "loop-sleep.h"
#include "loop-task-group.h"
#include "loop-task-private.h"
#include "loop-thread-pool-executor.h"
#include "loop-wait-for.h"

#include <signal.h>

/* All views are read by one thread, while the loop does in another all that changes what they show. */

#ifdef LOOP_WITH_TSAN
#define N_ROUNDS 400
#else
#define N_ROUNDS 1000
#endif

static const char *const kinds[] = { "handles", "timers",    "watches", "transports", "servers", "futures", "tasks",
                                     "fibers",  "executors", "workers", "jobs",       "signals", "awaits" };

typedef struct
{
  LoopEventLoop *loop;
  LoopTask *task; /* that lasts */
  LoopThreadPoolExecutor *executors[2];
  int n_rounds;
  int n_busy; /* tasks */
  int is_over;
  int n_seen[G_N_ELEMENTS (kinds)];
} Fixture;

static int
list_rows (Fixture *f, const LoopView *view, LoopRowPage *page)
{
  ck_assert (loop_guard_hold (&f->loop->guard, 10 * G_USEC_PER_SEC));
  loop_view_collect (view, f->loop, page);
  loop_guard_release (&f->loop->guard);

  loop_row_page_sort (page);
  for (guint i = 0; i < page->n_rows; i++)
    {
      g_autoptr (GVariant) row =
          g_variant_ref_sink (loop_view_row_to_variant (view, loop_row_page_get (page, i), page));

      ck_assert_uint_gt (g_variant_n_children (row), 1);
    }

  return (int) page->n_rows;
}

static gpointer
list_all (gpointer data)
{
  Fixture *f = data;
  LoopRowPage *page = g_new0 (LoopRowPage, 1);

  while (!g_atomic_int_get (&f->is_over))
    {
      for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
        {
          const LoopView *view = loop_view_find (kinds[i]);

          *page = (LoopRowPage) { .limit = LOOP_INSPECTOR_MAX_ROWS };
          ck_assert (loop_view_set_sort (view, page, i % 2 == 0 ? "" : "-id", NULL));
          f->n_seen[i] += list_rows (f, view, page);
        }
      g_usleep (10);
    }
  g_free (page);

  return NULL;
}

static gboolean
run_job (GValue *result, gpointer user_data, GError **error)
{
  g_usleep (50);

  return TRUE;
}

static gboolean
sleep_a_little (GValue *result, gpointer user_data, GError **error)
{
  return loop_await_result (loop_sleep (user_data, 0.0005), NULL, error);
}

static void
do_a_lot (LoopEventLoop *loop)
{
  g_autoptr (LoopThreadPoolExecutor) executor = loop_thread_pool_executor_new (2, NULL);
  g_autoptr (LoopTask) first = loop_event_loop_spawn (loop, sleep_a_little, loop, NULL);
  g_autoptr (LoopTask) second = loop_event_loop_spawn (loop, sleep_a_little, loop, NULL);
  LoopFuture *both[] = { LOOP_FUTURE (first), LOOP_FUTURE (second) };
  LoopFuture *never = loop_event_loop_create_future (loop);
  g_autoptr (LoopTaskGroup) group = loop_task_group_new (loop);
  g_autoptr (LoopFuture) withdrawn = NULL;
  g_autoptr (GError) error = NULL;

  loop_event_loop_set_default_executor (loop, LOOP_EXECUTOR (executor));
  loop_task_set_name (first, "first");
  loop_task_set_name (first, NULL);
  ck_assert (loop_await_result (loop_gather (loop, both, 2, FALSE), NULL, &error));

  ck_assert (!loop_await_result (loop_wait_for (never, 0.0001), NULL, &error));
  g_clear_error (&error);
  g_object_unref (never);

  g_object_unref (loop_task_group_spawn (group, sleep_a_little, loop, NULL));
  loop_future_cancel (LOOP_FUTURE (loop_event_loop_get_current_task (loop)));
  ck_assert (!loop_task_group_exit (group, &error));
  loop_task_uncancel (loop_event_loop_get_current_task (loop));
  g_clear_error (&error);

  withdrawn = loop_event_loop_run_in_executor (loop, NULL, run_job, NULL, NULL);
  loop_future_cancel (withdrawn);
  ck_assert (loop_await_result (loop_event_loop_run_in_executor (loop, NULL, run_job, NULL, NULL), NULL, &error));
}

static gboolean
work (GValue *result, gpointer user_data, GError **error)
{
  Fixture *f = user_data;

  while (f->n_rounds-- > 0)
    do_a_lot (f->loop);

  if (--f->n_busy == 0)
    loop_event_loop_stop (f->loop);

  return TRUE;
}

static void
handle_signal (gpointer data)
{
}

/* What is done once in a while would be seen being done too seldom. */
static void
change_a_lot (Fixture *f)
{
  for (int i = 0; i < 500; i++)
    {
      loop_task_set_name (f->task, i % 2 == 0 ? "even" : "odd");
      loop_event_loop_set_default_executor (f->loop, LOOP_EXECUTOR (f->executors[i % 2]));
    }
}

static void
raise_signal (gpointer data)
{
  Fixture *f = data;

  change_a_lot (f);
  raise (SIGUSR1);
  loop_event_loop_remove_signal_handler (f->loop, SIGUSR1);
  ck_assert (loop_event_loop_add_signal_handler (f->loop, SIGUSR1, handle_signal, NULL, NULL, NULL));
  loop_event_loop_call_later (f->loop, 0.001, raise_signal, f, NULL);
}

START_TEST (test_listed_while_it_works)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Fixture f = { .loop = loop, .n_rounds = N_ROUNDS };
  GThread *lister;

  /* What an inspector does when it starts. */
  g_type_ensure (LOOP_TYPE_FIBER);
  loop_event_loop_n_observers++;
  lister = g_thread_new ("lister", list_all, &f);

  ck_assert (loop_event_loop_add_signal_handler (loop, SIGUSR1, handle_signal, NULL, NULL, NULL));
  for (f.n_busy = 0; f.n_busy < 2; f.n_busy++)
    g_object_unref (loop_event_loop_spawn (loop, work, &f, NULL));
  f.task = loop_event_loop_spawn (loop, work, &f, NULL);
  f.n_busy++;
  for (int i = 0; i < 2; i++)
    f.executors[i] = loop_thread_pool_executor_new (2, NULL);
  raise_signal (&f);
  ck_assert (loop_event_loop_run_forever (loop));

  g_atomic_int_set (&f.is_over, TRUE);
  g_thread_join (lister);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      gboolean is_used = !g_str_equal (kinds[i], "transports") && !g_str_equal (kinds[i], "servers");

      if (is_used != (f.n_seen[i] > 0))
        ck_abort_msg ("%d rows of %s", f.n_seen[i], kinds[i]);
    }
  ck_assert (!loop_guard_is_inside (&loop->guard));
  g_object_unref (f.task);
  g_object_unref (f.executors[0]);
  g_object_unref (f.executors[1]);
}
END_TEST

LOOP_TEST_MAIN ("inspector-views", test_listed_while_it_works)
