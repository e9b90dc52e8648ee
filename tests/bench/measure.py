# SPDX-License-Identifier: LGPL-2.1-or-later
"""Placement and waiting of the benchmarks in Python: see bench-util.h."""

import os


def pin(role=0):
    """0: what is measured, 1: what drives it."""
    if "BENCH_CPUS" in os.environ:
        os.sched_setaffinity(0, {int(os.environ["BENCH_CPUS"].split(",")[role])})


def waited_s():
    """How long this thread was runnable and did not run."""
    with open("/proc/thread-self/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e9
