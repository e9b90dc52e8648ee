/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-steps.h"

#include "loop-thread-pool-executor.h"

/* A gate that jobs wait at, in their threads. */
typedef struct
{
  GMutex mutex;
  GCond changed;
  int n_waiting; /* that have come, ever */
  int n_passed;
  gboolean is_open;
} Gate;

/* What a job has for its data, to look at who frees it. */
typedef struct
{
  Gate *gate;
  int number;
  GThread *ran_in;
  GThread *freed_in;
  int n_freed;
} Job;

void gate_open (Gate *gate);
/* Waits until @n jobs have come to the gate; fails the test when that takes 10 seconds. */
void gate_await (Gate *gate, int n);

/* A LoopExecutorFunc that waits at the gate of its Job, if it has one, and returns the number. */
gboolean run_job (GValue *result, gpointer job, GError **error);
/* Its GDestroyNotify. */
void free_job (gpointer job);

/* Submits it; %NULL for the loop's default executor. */
LoopFuture *submit_job (LoopEventLoop *loop, LoopThreadPoolExecutor *executor, Job *job);

/* Runs the loop until the future is done, and checks its result. */
void check_number (LoopFuture *future, int expected);
/* The same, and its error. */
void check_error (LoopFuture *future, GQuark domain, int code, const char *message);
