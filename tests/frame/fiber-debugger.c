/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What fiber-debugger.sh looks at: a fiber that has waited once, and then calls marked(). */

#include <libloop/loop.h>

static __attribute__ ((noinline)) void
marked (void)
{
  __asm__ volatile("" ::: "memory");
}

static __attribute__ ((noinline)) gboolean
wait_and_mark (LoopFuture *future, int depth, GError **error)
{
  if (depth > 0)
    {
      gboolean success = wait_and_mark (future, depth - 1, error);

      __asm__ volatile("" ::: "memory");
      return success;
    }

  if (!loop_await (future, error))
    return FALSE;

  marked ();

  return TRUE;
}

static gboolean
function_of_fiber (GValue *result, gpointer user_data, GError **error)
{
  return wait_and_mark (user_data, 3, error);
}

static void
fulfil (gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_INT);
  loop_future_set_result (user_data, &value, NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (LoopFuture) future = loop_event_loop_create_future (loop);
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, function_of_fiber, future, NULL);
  g_autoptr (GError) error = NULL;

  loop_event_loop_call_later (loop, 0.01, fulfil, future, NULL);
  if (!loop_event_loop_run_until_complete (loop, LOOP_FUTURE (task), NULL, &error))
    g_error ("%s", error->message);

  return 0;
}
