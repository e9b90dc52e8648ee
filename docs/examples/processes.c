/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Prime numbers, counted by processes: each has a part of them, and one of them crashes.
 *
 *   gcc processes.c -o processes $(pkg-config --cflags --libs libloop-1)
 */

#include <libloop/loop.h>
#include <stdlib.h>

#define N_PARTS 10
#define PART 100000

/* Runs in a worker. */
static GVariant *
count_primes (GVariant *parameters, gpointer user_data, GError **error)
{
  guint32 first;
  guint32 n = 0;

  g_variant_get (parameters, "(u)", &first);
  for (guint32 number = MAX (first, 2); number < first + PART; number++)
    {
      guint32 divisor = 2;

      while (divisor * divisor <= number && number % divisor != 0)
        divisor++;
      n += divisor * divisor > number;
    }

  return g_variant_new_uint32 (n);
}

static GVariant *
crash (GVariant *parameters, gpointer user_data, GError **error)
{
  abort ();
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = NULL;
  g_autoptr (LoopFuture) crashed = NULL;
  LoopFuture *parts[N_PARTS];
  guint32 sum = 0;

  /* Functions first, then the pool, then whatever may start a thread. */
  loop_process_pool_executor_register ("count_primes", G_VARIANT_TYPE ("(u)"), count_primes, NULL, NULL, NULL);
  loop_process_pool_executor_register ("crash", NULL, crash, NULL, NULL, NULL);
  pool = loop_process_pool_executor_new (0, &error);
  if (pool == NULL)
    g_error ("%s", error->message);

  loop = loop_event_loop_new ();
  crashed = loop_process_pool_executor_submit (pool, loop, "crash", NULL);
  for (guint32 i = 0; i < N_PARTS; i++)
    parts[i] = loop_process_pool_executor_submit (pool, loop, "count_primes", g_variant_new ("(u)", i * PART));

  for (guint32 i = 0; i < N_PARTS; i++)
    {
      g_auto (GValue) n = G_VALUE_INIT;

      if (!loop_event_loop_run_until_complete (loop, parts[i], &n, &error))
        g_error ("%s", error->message);
      sum += g_variant_get_uint32 (g_value_get_variant (&n));
      g_object_unref (parts[i]);
    }

  if (!loop_event_loop_run_until_complete (loop, crashed, NULL, &error))
    g_print ("A worker crashed, the others have found %u prime numbers below %d.\n", sum, N_PARTS * PART);

  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);
  loop_event_loop_close (loop);

  return error != NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}
