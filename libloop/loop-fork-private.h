/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <pthread.h>

G_BEGIN_DECLS

/*
 * What is locked while the process forks, in the order in which that is done: who has one of
 * these locks may wait for a later one, never for an earlier one. Nobody who has another lock
 * waits for the symbols, which may take long.
 */
typedef enum
{
  LOOP_FORK_SYMBOLS,
  LOOP_FORK_INSPECTOR,
  LOOP_FORK_INTERPRETER,
  LOOP_FORK_PROCESS_FUNCTIONS,
  LOOP_FORK_PROCESS_POOLS,
  LOOP_FORK_ZYGOTE,
  LOOP_FORK_RESOLVER,
  LOOP_FORK_THREAD_POOLS,
  LOOP_FORK_SIGNALS,
  LOOP_FORK_LOOPS,
  LOOP_FORK_PIPES,
  LOOP_FORK_FIBER_STACKS,
  LOOP_FORK_FOREIGN_EXCEPTIONS,
  LOOP_FORK_TRACEBACKS,
  LOOP_FORK_N,
} LoopForkOrder;

/* All but the mutex may be NULL, and runs with it. */
typedef struct
{
  pthread_mutex_t *mutex; /* a POSIX one, as ThreadSanitizer knows it */
  void (*prepare) (void);
  void (*go_on_in_parent) (void);
  void (*go_on_in_child) (void);
} LoopForkHandlers;

G_GNUC_INTERNAL
void loop_fork_watch (LoopForkOrder order, const LoopForkHandlers *handlers);

/* Once in each file that has a lock of the process: LOOP_FORK_WATCH (LOOP_FORK_X, .mutex = &mutex) */
#define LOOP_FORK_WATCH(order, ...)                                                                                    \
  __attribute__ ((constructor)) static void watch_forks (void)                                                         \
  {                                                                                                                    \
    static const LoopForkHandlers handlers = { __VA_ARGS__ };                                                          \
    loop_fork_watch (order, &handlers);                                                                                \
  }

G_END_DECLS
