/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Switches with swapcontext(), as libdex makes them, from a scheduler to a
 * fiber and back, and nothing else: no future, no task, no loop.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bench-util.h"

#define STACK_SIZE (128 * 1024)

static ucontext_t scheduler;
static ucontext_t fibers[2];
static char *stacks[2];
static uint64_t goal;
static uint64_t done;

static void
ping_pong (int me)
{
  for (;;)
    swapcontext (&fibers[me], &scheduler);
}

static void
end_at_once (int me)
{
  (void) me;
}

static void
make_fiber (int number, void (*func) (int))
{
  getcontext (&fibers[number]);
  fibers[number].uc_stack.ss_sp = stacks[number];
  fibers[number].uc_stack.ss_size = STACK_SIZE;
  fibers[number].uc_link = &scheduler;
  makecontext (&fibers[number], (void (*) (void)) func, 1, number);
}

int
main (int argc, char **argv)
{
  const char *mode = argc > 1 ? argv[1] : "";
  const char *scale = argc > 2 ? argv[2] : NULL;
  uint64_t started_at;
  int i;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  goal = bench_scaled (scale, 1000000);
  for (i = 0; i < 2; i++)
    {
      stacks[i] = mmap (NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (stacks[i] == MAP_FAILED)
        return 1;
    }

  started_at = bench_now_ns ();
  if (strcmp (mode, "fiber-ping-pong") == 0)
    {
      make_fiber (0, ping_pong);
      make_fiber (1, ping_pong);
      for (; done < goal; done++)
        swapcontext (&scheduler, &fibers[done % 2]);
    }
  else if (strcmp (mode, "fiber-spawn") == 0)
    {
      for (; done < goal; done++)
        {
          make_fiber (0, end_at_once);
          swapcontext (&scheduler, &fibers[0]);
        }
    }
  else
    {
      fprintf (stderr, "usage: bench-tasks-ucontext MODE [SCALE]\n");
      return 2;
    }

  bench_report_ops (mode, done, bench_now_ns () - started_at);
  return 0;
}
