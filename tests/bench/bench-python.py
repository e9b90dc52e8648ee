#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What asyncio's programs ask of a loop all the time, on asyncio, uvloop or libloop.

    bench-python.py LOOP MODE [SCALE]
"""

import asyncio
import importlib
import json
import resource
import signal
import subprocess
import sys
import threading
import time

from measure import pin, waited_s

BATCH = 200000
TIMERS = 100000


async def soon_chain(loop, goal):
    done = loop.create_future()
    left = goal

    def step():
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(step)
        else:
            done.set_result(None)

    loop.call_soon(step)
    await done


async def soon_batch(loop, goal):
    done = loop.create_future()
    left = 0

    def step():
        nonlocal left
        left -= 1
        if not left:
            done.set_result(None)

    for _ in range(0, goal, BATCH):
        done = loop.create_future()
        left = BATCH
        for _ in range(BATCH):
            loop.call_soon(step)
        await done


async def later_cancel(loop, goal):
    kept = [loop.call_later(1000 + i, print) for i in range(1000)]
    for _ in range(goal):
        loop.call_later(60, print).cancel()
    for timer in kept:
        timer.cancel()


async def sleepers(loop, goal):
    """So many tasks that sleep, all at a time."""
    for _ in range(0, goal, TIMERS):
        await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(TIMERS)))


async def threadsafe(loop, goal):
    """A thread and the loop answer each other."""
    done = loop.create_future()
    # threading.Semaphore is in Python, and slower than what is measured.
    wake = threading.Lock()
    wake.acquire()
    left = goal

    def answer():
        nonlocal left
        left -= 1
        if not left:
            done.set_result(None)
        wake.release()

    def ask():
        for _ in range(goal):
            loop.call_soon_threadsafe(answer)
            wake.acquire()

    thread = threading.Thread(target=ask)
    thread.start()
    await done
    thread.join()


def do_nothing():
    pass


async def executor(loop, goal):
    for _ in range(goal):
        await loop.run_in_executor(None, do_nothing)


class Protocol(asyncio.SubprocessProtocol):
    def __init__(self):
        self.ended = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc):
        self.ended.set_result(None)


async def spawn(loop, goal):
    for _ in range(goal):
        _, protocol = await loop.subprocess_exec(Protocol, "/bin/true", stdin=None, stdout=None, stderr=None)
        await protocol.ended


START = """
import time
begun = time.perf_counter()
import {0}
loop = {0}.new_event_loop()
ended = time.perf_counter()
loop.close()
print(ended - begun)
"""


def start(name, goal):
    """Importing it and making a loop, in a new interpreter each time."""
    seconds = [float(subprocess.run([sys.executable, "-c", START.format(name)], capture_output=True, check=True).stdout)
               for _ in range(goal)]
    return sum(seconds)


# What to run, how often, and of how many it is a multiple.
MODES = {
    "soon-chain": (soon_chain, 500000, 1),
    "soon-batch": (soon_batch, 600000, BATCH),
    "later-cancel": (later_cancel, 500000, 1),
    "sleepers": (sleepers, 100000, TIMERS),
    "threadsafe": (threadsafe, 30000, 1),
    "executor": (executor, 20000, 1),
    "spawn": (spawn, 300, 1),
    "start": (None, 20, 1),
}


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime, usage.ru_utime + usage.ru_stime


def main():
    name, mode = sys.argv[1:3]
    scale = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    signal.alarm(120)
    pin()

    function, ops, unit = MODES[mode]
    ops = max(round(ops * scale / unit), 1) * unit
    waited = waited_s()
    user, cpu = cpu_s()
    started = time.monotonic()
    if function is None:
        wall = start(name, ops)
    else:
        with asyncio.Runner(loop_factory=importlib.import_module(name).new_event_loop) as runner:
            loop = runner.get_loop()
            user, cpu = cpu_s()
            started = time.monotonic()
            runner.run(function(loop, ops))
            wall = time.monotonic() - started
    user_end, cpu_end = cpu_s()
    print(json.dumps({"mode": mode, "ops": ops, "ns_per_op": wall / ops * 1e9, "wall_s": wall,
                      "user_ns": (user_end - user) / ops * 1e9, "cpu_ns": (cpu_end - cpu) / ops * 1e9,
                      "waited_s": waited_s() - waited}))


main()
