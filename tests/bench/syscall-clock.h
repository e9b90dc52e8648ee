/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The time that a thread spends outside system calls */

#pragma once

#include <stdint.h>

typedef struct
{
  uint64_t user_ns;      /* outside system calls, the clock's own cost taken off */
  uint64_t preempted_ns; /* stretches of more than 2 ms, left out above */
  uint64_t syscalls;
} SyscallClock;

void syscall_clock_init (void);
void syscall_clock_start (void);
void syscall_clock_stop (SyscallClock *result);
