/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop.h>

/* What the target does with futures, tasks, executors and signals. Returns: an answer, or NULL */
typedef char *(*Command) (LoopEventLoop *loop, char **arguments);

char *command_future (LoopEventLoop *loop, char **arguments);
char *command_graph (LoopEventLoop *loop, char **arguments);
char *command_group (LoopEventLoop *loop, char **arguments);
char *command_cycle (LoopEventLoop *loop, char **arguments);
char *command_fibers (LoopEventLoop *loop, char **arguments);
char *command_wake (LoopEventLoop *loop, char **arguments);
char *command_deep (LoopEventLoop *loop, char **arguments);
char *command_busy (LoopEventLoop *loop, char **arguments);
char *command_rename (LoopEventLoop *loop, char **arguments);
char *command_stubborn (LoopEventLoop *loop, char **arguments);
char *command_wait_for (LoopEventLoop *loop, char **arguments);
char *command_jobs (LoopEventLoop *loop, char **arguments);
char *command_lookups (LoopEventLoop *loop, char **arguments);
char *command_processes (LoopEventLoop *loop, char **arguments);
char *command_signal (LoopEventLoop *loop, char **arguments);
char *command_churn_tasks (LoopEventLoop *loop, char **arguments);

/* While there is one thread. */
void prepare_processes (void);
