/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fibers by the hundred thousand: each one sleeps for a random while, waits for the one
 * before it, and adds itself to its sum.
 *
 *   gcc fibers.c -o fibers $(pkg-config --cflags --libs libloop-1)
 */

#include <libloop/loop.h>

#define N_FIBERS 100000

typedef struct
{
  LoopEventLoop *loop;
  LoopTask *task;
  LoopTask *previous;
  guint64 number;
} Member;

static gboolean
add_up (GValue *result, gpointer user_data, GError **error)
{
  Member *member = user_data;
  guint64 sum = member->number;

  if (!loop_await_result (loop_sleep (member->loop, g_random_double_range (0.0, 1.0)), NULL, error))
    return FALSE;

  if (member->previous != NULL)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      if (!loop_await_result (g_object_ref (LOOP_FUTURE (member->previous)), &value, error))
        return FALSE;

      sum += g_value_get_uint64 (&value);
    }

  g_value_init (result, G_TYPE_UINT64);
  g_value_set_uint64 (result, sum);

  return TRUE;
}

int
main (void)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree Member *members = g_new (Member, N_FIBERS);
  g_auto (GValue) sum = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;
  int status = 0;

  for (guint64 i = 0; i < N_FIBERS; i++)
    {
      members[i] = (Member) { .loop = loop, .previous = i > 0 ? members[i - 1].task : NULL, .number = i + 1 };
      members[i].task = loop_event_loop_spawn (loop, add_up, &members[i], NULL);
    }

  if (loop_event_loop_run_until_complete (loop, LOOP_FUTURE (members[N_FIBERS - 1].task), &sum, &error))
    {
      g_print ("The sum of 1 to %d is %" G_GUINT64_FORMAT ".\n", N_FIBERS, g_value_get_uint64 (&sum));
    }
  else
    {
      g_printerr ("%s\n", error->message);
      status = 1;
    }

  for (guint i = 0; i < N_FIBERS; i++)
    g_object_unref (members[i].task);
  loop_event_loop_close (loop);

  return status;
}
