/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "executor-check.h"

#include "loop-process-pool-executor.h"

/* What a test shares with its workers. */
typedef struct
{
  int n_waiting; /* that have come to the gate, ever */
  int n_passed;
  int is_open;
  int number; /* a test's own */
} Shared;

extern Shared *shared;

/*
 * Registers functions for the tests of process pools, and makes a pool:
 *
 *   add (ii): the sum
 *   echo: its parameters
 *   fail: an error, %G_FILE_ERROR_NOSPC, "no space"
 *   gate: waits until shared->is_open, and returns its parameters
 *   pid: (ii), the process and its parent
 *   die (i): ends by a signal
 *   exit (i): ends by exit()
 */
LoopProcessPoolExecutor *make_pool (guint max_workers);

/* One more function, before the pool is made. */
void add_function (const char *name, const char *type, LoopProcessFunc func);

/* With parameters from a text; %NULL for none. */
LoopFuture *call (LoopProcessPoolExecutor *pool, LoopEventLoop *loop, const char *function, const char *parameters);

/* Waits until @n jobs have come to the gate; fails the test when that takes 10 seconds. */
void await_gate (int n);
void open_gate (void);

/* Runs the loop until the future is done, and checks its result, as text. Takes the future. */
void check_result (LoopFuture *future, const char *expected);
/* The same, and that it failed with %LOOP_ERROR_BROKEN_PROCESS_POOL and a message that matches. */
void check_broken (LoopFuture *future, const char *pattern);

/* The process that ran it, and its parent. */
void get_pids (LoopProcessPoolExecutor *pool, LoopEventLoop *loop, int *worker, int *zygote);

/* How many descriptors this process has. */
int count_fds (void);
/* Fails the test if this process has a child, ended or not. */
void check_no_children (void);
