/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Clock, random numbers, placement and output of the benchmarks */

#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* The two places of a run: what is measured, and what drives it.  The
 * environment variable BENCH_CPUS ("0,1") says which CPU each is pinned to. */
typedef enum
{
  BENCH_ROLE_MEASURED,
  BENCH_ROLE_DRIVER
} BenchRole;

typedef struct
{
  uint64_t state;
} BenchRandom;

typedef struct
{
  uint64_t now;
  uint64_t user;
  uint64_t cpu;
  uint64_t waited;
} BenchTime;

#define BENCH_RANDOM_INIT                                                                                              \
  {                                                                                                                    \
    UINT64_C (0x9e3779b97f4a7c15)                                                                                      \
  }

static inline uint64_t
bench_now_ns (void)
{
  struct timespec ts;

  clock_gettime (CLOCK_MONOTONIC, &ts);
  return (uint64_t) ts.tv_sec * UINT64_C (1000000000) + (uint64_t) ts.tv_nsec;
}

/* xorshift: the same sequence for every contender, at about a nanosecond. */
static inline uint32_t
bench_random_below (BenchRandom *random, uint32_t bound)
{
  uint64_t x = random->state;

  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  random->state = x;
  return (uint32_t) (((x >> 32) * bound) >> 32);
}

/* A delay between 1 s and 1000 s, in milliseconds. */
static inline uint32_t
bench_random_delay_ms (BenchRandom *random)
{
  return 1000 + bench_random_below (random, 999000);
}

void bench_init (unsigned int watchdog_seconds);
void bench_pin (BenchRole role);
void bench_pin_once (BenchRole role);
uint64_t bench_waited_ns (void);
uint64_t bench_resident_bytes (void);
uint64_t bench_peak_resident_bytes (void);
uint64_t bench_scaled (const char *scale, uint64_t count);
void bench_report_ops (const char *mode, uint64_t ops, uint64_t elapsed_ns);
void bench_report_lateness (const char *mode, int64_t *lateness_ns, unsigned int count);
/* Begins a measured time, and says at its end what was done, with the processor time of the process itself. */
void bench_begin (BenchTime *begin);
void bench_report_time (const char *mode, uint64_t ops, const BenchTime *begin);
void bench_report_memory (const char *mode, uint64_t ops, uint64_t elapsed_ns, uint64_t bytes);
void bench_report_growth (const char *mode,
                          uint64_t ops,
                          uint64_t elapsed_ns,
                          uint64_t peak_bytes,
                          uint64_t after_bytes);
