/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Clock, random numbers, placement and output of the benchmarks */

#include "config.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench-util.h"

/* Every program ends by itself, whatever happens: SIGALRM is the backstop. */
void
bench_init (unsigned int watchdog_seconds)
{
  struct rlimit limit = { 65536, 65536 };

  alarm (watchdog_seconds);
  signal (SIGPIPE, SIG_IGN);

  /* Only root may raise the hard limit. */
  if (setrlimit (RLIMIT_NOFILE, &limit) != 0 && getrlimit (RLIMIT_NOFILE, &limit) == 0)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }
}

/* Affects the calling thread.  Without BENCH_CPUS nothing is pinned. */
void
bench_pin (BenchRole role)
{
  const char *cpus = getenv ("BENCH_CPUS");
  cpu_set_t set;
  int cpu[2];

  if (cpus == NULL || sscanf (cpus, "%d,%d", &cpu[0], &cpu[1]) != 2)
    return;

  CPU_ZERO (&set);
  CPU_SET (role == BENCH_ROLE_MEASURED ? cpu[0] : cpu[1], &set);
  if (sched_setaffinity (0, sizeof set, &set) != 0)
    perror ("sched_setaffinity");
}

/* For threads that are not ours to begin: the first call of each does it. */
void
bench_pin_once (BenchRole role)
{
  static _Thread_local bool is_pinned;

  if (!is_pinned)
    bench_pin (role);
  is_pinned = true;
}

/* How long the calling thread was runnable without running so far.  Where it
 * is much of a measurement, somebody else had the CPU. */
uint64_t
bench_waited_ns (void)
{
  FILE *file = fopen ("/proc/thread-self/schedstat", "re");
  uint64_t waited = 0;

  if (file == NULL)
    return 0;
  if (fscanf (file, "%*u %" SCNu64, &waited) != 1)
    waited = 0;
  fclose (file);
  return waited;
}

uint64_t
bench_scaled (const char *scale, uint64_t count)
{
  double scaled = (double) count * (scale != NULL ? atof (scale) : 1.0);

  return scaled < 100.0 ? 100 : (uint64_t) scaled;
}

void
bench_report_ops (const char *mode, uint64_t ops, uint64_t elapsed_ns)
{
  printf ("{\"mode\": \"%s\", \"ops\": %" PRIu64 ", \"ns_per_op\": %.2f, \"wall_s\": %.6f, \"waited_s\": %.6f}\n", mode,
          ops, (double) elapsed_ns / (double) ops, (double) elapsed_ns / 1e9, (double) bench_waited_ns () / 1e9);
}

void
bench_begin (BenchTime *begin)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  begin->user = (uint64_t) usage.ru_utime.tv_sec * 1000000000 + (uint64_t) usage.ru_utime.tv_usec * 1000;
  begin->cpu = begin->user + (uint64_t) usage.ru_stime.tv_sec * 1000000000 + (uint64_t) usage.ru_stime.tv_usec * 1000;
  begin->waited = bench_waited_ns ();
  begin->now = bench_now_ns ();
}

void
bench_report_time (const char *mode, uint64_t ops, const BenchTime *begin)
{
  BenchTime end;
  double elapsed = (double) (bench_now_ns () - begin->now);

  bench_begin (&end);
  printf ("{\"mode\": \"%s\", \"ops\": %" PRIu64 ", \"ns_per_op\": %.2f, \"rate\": %.2f, \"user_ns\": %.2f, "
          "\"cpu_ns\": %.2f, \"wall_s\": %.6f, \"waited_s\": %.6f}\n",
          mode, ops, elapsed / (double) ops, (double) ops * 1e9 / elapsed,
          (double) (end.user - begin->user) / (double) ops, (double) (end.cpu - begin->cpu) / (double) ops,
          elapsed / 1e9, (double) (end.waited - begin->waited) / 1e9);
}

/* The resident memory of the process. */
uint64_t
bench_resident_bytes (void)
{
  FILE *file = fopen ("/proc/self/statm", "re");
  uint64_t pages = 0;

  if (file == NULL)
    return 0;
  if (fscanf (file, "%*u %" SCNu64, &pages) != 1)
    pages = 0;
  fclose (file);
  return pages * (uint64_t) sysconf (_SC_PAGESIZE);
}

/* The most that it ever was.  getrusage() says what it was before exec(), too. */
uint64_t
bench_peak_resident_bytes (void)
{
  FILE *file = fopen ("/proc/self/status", "re");
  char line[128];
  uint64_t kilobytes = 0;

  if (file == NULL)
    return 0;
  while (fgets (line, sizeof line, file) != NULL && sscanf (line, "VmHWM: %" SCNu64, &kilobytes) != 1)
    ;
  fclose (file);
  return kilobytes * 1024;
}

void
bench_report_memory (const char *mode, uint64_t ops, uint64_t elapsed_ns, uint64_t bytes)
{
  printf ("{\"mode\": \"%s\", \"ops\": %" PRIu64 ", \"ns_per_op\": %.2f, \"bytes_each\": %.1f, \"wall_s\": %.6f, "
          "\"waited_s\": %.6f}\n",
          mode, ops, (double) elapsed_ns / (double) ops, (double) bytes / (double) ops, (double) elapsed_ns / 1e9,
          (double) bench_waited_ns () / 1e9);
}

void
bench_report_growth (const char *mode, uint64_t ops, uint64_t elapsed_ns, uint64_t peak_bytes, uint64_t after_bytes)
{
  printf ("{\"mode\": \"%s\", \"ops\": %" PRIu64 ", \"ns_per_op\": %.2f, \"peak_mb\": %.3f, \"after_mb\": %.3f, "
          "\"wall_s\": %.6f, \"waited_s\": %.6f}\n",
          mode, ops, (double) elapsed_ns / (double) ops, (double) peak_bytes / 1e6, (double) after_bytes / 1e6,
          (double) elapsed_ns / 1e9, (double) bench_waited_ns () / 1e9);
}

static int
compare_int64 (const void *a, const void *b)
{
  int64_t x = *(const int64_t *) a;
  int64_t y = *(const int64_t *) b;

  return (x > y) - (x < y);
}

/* Early firings are negative lateness: they are counted, and stay in the
 * sample, since they are errors of the same kind. */
void
bench_report_lateness (const char *mode, int64_t *lateness_ns, unsigned int count)
{
  unsigned int early = 0;
  unsigned int i;

  for (i = 0; i < count; i++)
    early += lateness_ns[i] < 0;

  qsort (lateness_ns, count, sizeof *lateness_ns, compare_int64);
  printf ("{\"mode\": \"%s\", \"timers\": %u, \"p50_us\": %.1f, \"p99_us\": %.1f, "
          "\"max_us\": %.1f, \"early\": %u, \"wall_s\": 1, \"waited_s\": %.6f}\n",
          mode, count, (double) lateness_ns[count / 2] / 1e3, (double) lateness_ns[count * 99 / 100] / 1e3,
          (double) lateness_ns[count - 1] / 1e3, early, (double) bench_waited_ns () / 1e9);
}
