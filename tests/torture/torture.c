/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "torture-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All faults of a scenario, one after another, or a slice of them. The results are in TAP. */

typedef struct
{
  const char *name;
  TortureScenario scenario;
  TortureOutcome untouched;
  gboolean is_slice;

  guint n_tests;
  guint n_failed_tests;
  guint n_faults; /* of all tests */
  guint n_survived;
  guint n_test_faults; /* of this one */
  guint n_test_survived;
} Torture;

static const char *const when_names[] = { "never", "once", "for-ever", "every-other" };

static const char *
get_error_name (const TorturePlan *plan)
{
  if (plan->error < 0)
    return gai_strerror (plan->error);

  return plan->error == 0 ? "0" : strerrorname_np (plan->error);
}

static const char *
get_call_name (const TorturePlan *plan)
{
  return plan->call == TORTURE_ANY_CALL ? "any" : torture_calls[plan->call].name;
}

static void
explain (Torture *self, const TorturePlan *plan, const char *reason)
{
  g_autofree char *output = torture_take_output ();
  g_auto (GStrv) lines = g_strsplit (output, "\n", -1);

  printf ("# %s (%s), %s from call %u on: %s\n", get_call_name (plan), get_error_name (plan), when_names[plan->when],
          plan->nth, reason);
  printf ("#   tests/torture/%s %s %d %s %u %d\n", self->name, get_call_name (plan), plan->error,
          when_names[plan->when], plan->nth, plan->is_short);
  for (char **line = lines; *line != NULL; line++)
    printf ("#   | %s\n", *line);
}

/* Returns: whether there was something to fail, so that it may be worth to go on */
static gboolean
try_plan (Torture *self, const TorturePlan *plan)
{
  TortureOutcome outcome;
  g_autofree char *reason = NULL;

  torture_run (self->scenario, plan, &outcome);
  reason = torture_judge (&outcome, &self->untouched);
  /* However often the call has failed: that was one fault. */
  if (outcome.state.n_injected > 0 || reason != NULL)
    self->n_test_faults++;
  if (outcome.state.n_injected > 0 && reason == NULL)
    self->n_test_survived++;
  if (reason != NULL)
    explain (self, plan, reason);

  return plan->call == TORTURE_ANY_CALL || outcome.state.n_calls[plan->call] >= plan->nth;
}

static void
end_test (Torture *self, const char *what)
{
  gboolean is_good = self->n_test_faults == self->n_test_survived;

  self->n_tests++;
  if (!is_good)
    self->n_failed_tests++;
  self->n_faults += self->n_test_faults;
  self->n_survived += self->n_test_survived;
  printf ("%sok %u - %s %s: %u faults injected, %u survived\n", is_good ? "" : "not ", self->n_tests, self->name, what,
          self->n_test_faults, self->n_test_survived);
  fflush (stdout);
  self->n_test_faults = self->n_test_survived = 0;
}

static void
torture_call (Torture *self, TortureCall call)
{
  for (const int *error = torture_calls[call].errors; *error != 0; error++)
    {
      TorturePlan plan = { .call = call, .when = TORTURE_ONCE, .error = *error };
      gboolean is_first = error == torture_calls[call].errors;

      if (self->is_slice && !is_first)
        break;

      do
        plan.nth++;
      while (try_plan (self, &plan) && (!self->is_slice || plan.nth < 2));

      if (torture_is_try_again (call, *error))
        continue;

      plan.when = TORTURE_FOR_EVER;
      plan.nth = 0;
      do
        plan.nth++;
      while (try_plan (self, &plan) && !self->is_slice);
    }

  end_test (self, torture_calls[call].name);
}

/* What is no error is not to be noticed: interruptions, nothing there after all, a byte at a time. */
static void
annoy (Torture *self)
{
  static const TorturePlan plans[] = {
    { .error = EINTR },
    { .error = EAGAIN },
    { .when = TORTURE_NEVER, .is_short = TRUE },
    { .error = EINTR, .is_short = TRUE },
    { .error = EAGAIN, .is_short = TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (plans); i++)
    {
      TorturePlan plan = plans[i];

      plan.call = TORTURE_ANY_CALL;
      if (plan.error != 0)
        plan.when = TORTURE_EVERY_OTHER;
      for (plan.nth = 1; plan.nth <= (self->is_slice ? 1 : 3); plan.nth++)
        try_plan (self, &plan);
    }

  end_test (self, "interrupted, and a byte at a time");
}

static int
torture_all (Torture *self)
{
  TorturePlan nothing = { .when = TORTURE_NEVER };
  g_autofree char *reason = NULL;

  torture_run (self->scenario, &nothing, &self->untouched);
  reason = torture_judge (&self->untouched, NULL);
  if (reason != NULL)
    {
      explain (self, &nothing, reason);
      printf ("not ok 1 - %s without faults\n1..1\n", self->name);
      return EXIT_FAILURE;
    }

  annoy (self);
  for (TortureCall call = 0; call < TORTURE_N_CALLS; call++)
    {
      if (self->untouched.state.n_calls[call] > 0)
        torture_call (self, call);
    }

  printf ("1..%u\n", self->n_tests);
  printf ("# %s: %u faults injected, %u survived\n", self->name, self->n_faults, self->n_survived);

  return self->n_failed_tests == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static gboolean
parse_plan (char **words, TorturePlan *plan)
{
  gboolean has_call = g_str_equal (words[0], "any");

  plan->call = has_call ? TORTURE_ANY_CALL : 0;
  while (!has_call && plan->call < TORTURE_N_CALLS && !g_str_equal (torture_calls[plan->call].name, words[0]))
    plan->call++;
  while (plan->when < G_N_ELEMENTS (when_names) && !g_str_equal (when_names[plan->when], words[2]))
    plan->when++;
  plan->error = atoi (words[1]);
  plan->nth = (guint) atoi (words[3]);
  plan->is_short = atoi (words[4]);

  return (has_call || plan->call < TORTURE_N_CALLS) && plan->when < G_N_ELEMENTS (when_names);
}

int
torture_main (const char *name, TortureScenario scenario, int argc, char **argv)
{
  Torture self = { .name = name, .scenario = scenario };
  TorturePlan plan = { 0 };

  torture_load_shim ();
  if (g_getenv ("LD_PRELOAD") != NULL)
    {
      execv ("/proc/self/exe", argv);
      perror (name);
      return EXIT_FAILURE;
    }

  if (argc == 6 && parse_plan (argv + 1, &plan))
    {
      torture_run_here (scenario, &plan);
      return EXIT_SUCCESS;
    }

  self.is_slice = argc == 1;
  if (argc > 2 || (argc == 2 && !g_str_equal (argv[1], "--all")))
    {
      fprintf (stderr, "usage: %s [--all | CALL ERROR never|once|for-ever|every-other NTH IS-SHORT]\n", name);
      return EXIT_FAILURE;
    }

  return torture_all (&self);
}
