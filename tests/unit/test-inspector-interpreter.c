/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-clock-private.h"
#include "loop-inspector-interpreter-private.h"
#include "loop-inspector-views-private.h"

/* An interpreter, and one whose lock is kept by somebody. */

static GMutex lock;
static int n_answers;

static int
enter (void)
{
  g_mutex_lock (&lock);

  return 17;
}

static void
leave (int state)
{
  ck_assert_int_eq (state, 17);
  g_mutex_unlock (&lock);
}

static GVariant *
answer (guint64 loop_id, const char *question, GVariant *argument, GError **error)
{
  guint64 id;
  const char *message;

  g_atomic_int_inc (&n_answers);
  if (g_str_equal (question, "cancel"))
    {
      g_variant_get (argument, "(t&s)", &id, &message);
      return g_variant_new_parsed ("{'done': <%t>}", (guint64) (id == 5 && g_str_equal (message, "why")));
    }
  if (loop_id == 3)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "broken");
      return NULL;
    }

  return loop_id == 2 ? NULL
                      : g_variant_new_parsed ("{'tasks': <[{'id': <%t>, 'name': <'a'>}]>, 'stack': <@aa{sv} []>}",
                                              (guint64) n_answers);
}

static const LoopInterpreter interpreter = { "Snake", enter, answer, leave };

static GVariant *
get_tasks (guint64 loop_id, gboolean is_first)
{
  g_autoptr (GError) error = NULL;
  GVariant *rows = loop_inspector_list_of_interpreter (loop_id, "tasks", is_first, &error);

  ck_assert_ptr_null (error);

  return rows;
}

static guint64
get_number (guint64 loop_id, gboolean is_first)
{
  g_autoptr (GVariant) rows = get_tasks (loop_id, is_first);
  g_autoptr (GVariant) row = g_variant_get_child_value (rows, 0);
  guint64 id;

  ck_assert (g_variant_lookup (row, "id", "t", &id));

  return id;
}

START_TEST (test_answers)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) stack = NULL;

  ck_assert_ptr_null (get_tasks (1, TRUE));
  loop_inspector_set_interpreter (&interpreter);

  /* The pages of a list are of one answer. */
  ck_assert_uint_eq (get_number (1, TRUE), 1);
  ck_assert_uint_eq (get_number (1, FALSE), 1);
  ck_assert_uint_eq (get_number (1, TRUE), 2);
  ck_assert_uint_eq (get_number (4, FALSE), 3);

  stack = loop_inspector_ask_interpreter (1, "stack", "stack", &error);
  ck_assert_uint_eq (g_variant_n_children (stack), 0);
  ck_assert_ptr_null (get_tasks (2, TRUE));
  ck_assert_ptr_null (loop_inspector_ask_interpreter (3, "stack", "stack", &error));
  ck_assert_str_eq (error->message, "broken");

  ck_assert (loop_inspector_cancel_of_interpreter (1, 5, "why"));
  ck_assert (!loop_inspector_cancel_of_interpreter (1, 5, NULL));
  loop_inspector_set_interpreter (NULL);
  ck_assert (!loop_inspector_cancel_of_interpreter (1, 5, "why"));
  loop_inspector_forget_interpreter ();
}
END_TEST

static void
check_late (double least, double most)
{
  g_autoptr (GError) error = NULL;
  gint64 begun = g_get_monotonic_time ();
  double seconds;

  ck_assert_ptr_null (loop_inspector_list_of_interpreter (1, "tasks", TRUE, &error));
  ck_assert (g_error_matches (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_BUSY));
  ck_assert (g_str_has_prefix (error->message, "Snake has not let go of its lock for 1 s"));
  seconds = (double) (g_get_monotonic_time () - begun) / G_USEC_PER_SEC;
  ck_assert_double_ge (seconds, least);
  ck_assert_double_lt (seconds, most);
}

static gpointer
take_away (gpointer unused)
{
  loop_inspector_set_interpreter (NULL);
  g_atomic_int_set (&n_answers, 100);

  return NULL;
}

START_TEST (test_late)
{
  GThread *thread;

  loop_inspector_set_interpreter (&interpreter);
  g_mutex_lock (&lock);
  check_late (0.99, 2);
  /* Who comes later waits no more. */
  check_late (0, 0.4);

  /* Nobody is in the interpreter when it is gone. */
  thread = g_thread_new ("end", take_away, NULL);
  g_usleep (50 * 1000);
  ck_assert_int_eq (g_atomic_int_get (&n_answers), 0);
  g_mutex_unlock (&lock);
  g_thread_join (thread);
  ck_assert_int_eq (n_answers, 100);

  loop_inspector_set_interpreter (&interpreter);
  ck_assert_uint_eq (get_number (1, TRUE), 101);
  loop_inspector_set_interpreter (NULL);
  loop_inspector_forget_interpreter ();
}
END_TEST

LOOP_TEST_MAIN ("inspector-interpreter", test_answers, test_late)
