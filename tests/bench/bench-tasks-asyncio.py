# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coroutines, tasks, processes and lookups of Python's asyncio: what bench-tasks-loop.c and bench-calls-loop.c do with
libloop's.
"""

import asyncio
import concurrent.futures
import json
import resource
import signal
import socket
import sys
import time

from measure import pin, waited_s

ALIVE = 1000
MANY_ALIVE = 10000
GATHERED = 10000
CHAIN = 10000
IN_FLIGHT = 64
WORKERS = 4


async def await_ready(goal):
    future = asyncio.get_running_loop().create_future()
    future.set_result(0)
    for _ in range(goal):
        await future


async def ping_pong(goal):
    loop = asyncio.get_running_loop()
    turns = [None, None]
    done = 0

    async def play(me):
        nonlocal done
        while done < goal:
            mine = turns[me] = loop.create_future()
            done += 1
            if turns[1 - me] is not None:
                turns[1 - me].set_result(0)
            await mine
        if not turns[1 - me].done():
            turns[1 - me].set_result(0)

    await asyncio.gather(play(0), play(1))


async def spawn(goal):
    loop = asyncio.get_running_loop()

    async def run_and_end():
        nonlocal left
        left -= 1
        if left == 0:
            batch_ended.set_result(0)

    for _ in range(0, goal, ALIVE):
        left = ALIVE
        batch_ended = loop.create_future()
        tasks = [loop.create_task(run_and_end()) for _ in range(ALIVE)]
        await batch_ended
        del tasks


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def peak_resident_bytes():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024


async def million(goal):
    loop = asyncio.get_running_loop()
    before = resident_bytes()

    async def wait_and_end():
        await gate

    for _ in range(0, goal, MANY_ALIVE):
        gate = loop.create_future()
        tasks = [loop.create_task(wait_and_end()) for _ in range(MANY_ALIVE)]
        await asyncio.sleep(0)
        gate.set_result(0)
        await tasks[-1]
        del tasks
    return {"peak_mb": (peak_resident_bytes() - before) / 1e6, "after_mb": (resident_bytes() - before) / 1e6}


async def gather(goal):
    loop = asyncio.get_running_loop()
    for _ in range(0, goal, GATHERED):
        futures = [loop.create_future() for _ in range(GATHERED)]
        together = asyncio.gather(*futures)
        for future in futures:
            future.set_result(0)
        await together


async def parked(goal):
    loop = asyncio.get_running_loop()
    before = resident_bytes()

    async def wait_for(future):
        await future

    futures = [loop.create_future() for _ in range(goal)]
    tasks = [loop.create_task(wait_for(future)) for future in futures]
    await asyncio.sleep(0)
    after = resident_bytes()
    for future in futures:
        future.set_result(0)
    await tasks[-1]
    return {"bytes_each": (after - before) / goal}


async def chain(goal):
    loop = asyncio.get_running_loop()

    async def await_next(depth):
        if depth < CHAIN:
            await loop.create_task(await_next(depth + 1))

    for _ in range(0, goal, CHAIN):
        await loop.create_task(await_next(1))


async def look_up(goal):
    loop = asyncio.get_running_loop()
    left = goal

    async def look_up_one_after_another():
        nonlocal left
        while left > 0:
            left -= 1
            if len(await loop.getaddrinfo("192.0.2.1", 80, type=socket.SOCK_STREAM)) != 1:
                raise RuntimeError("one address was expected")

    await asyncio.gather(*(look_up_one_after_another() for _ in range(IN_FLIGHT)))


def do_nothing(number):
    return number


async def process_pool(goal):
    loop = asyncio.get_running_loop()
    all_done = loop.create_future()
    n_submitted = n_done = 0

    def submit():
        nonlocal n_submitted
        loop.run_in_executor(pool, do_nothing, n_submitted).add_done_callback(job_done)
        n_submitted += 1

    def job_done(future):
        nonlocal n_done
        future.result()
        n_done += 1
        if n_done == goal:
            all_done.set_result(0)
        elif n_submitted < goal:
            submit()

    with concurrent.futures.ProcessPoolExecutor(WORKERS, initializer=pin, initargs=(1,)) as pool:
        for _ in range(IN_FLIGHT):
            submit()
        await all_done


# What to run, how often, and of how many it is a multiple.
MODES = {
    "fiber-await-ready": (await_ready, 2000000, 1),
    "fiber-ping-pong": (ping_pong, 200000, 1),
    "fiber-spawn": (spawn, 200000, ALIVE),
    "fiber-million": (million, 1000000, MANY_ALIVE),
    "gather-10k": (gather, 1000000, GATHERED),
    "fiber-parked": (parked, 100000, 1),
    "task-chain-10k": (chain, 100000, CHAIN),
    "process-pool-64": (process_pool, 10000, IN_FLIGHT),
    "getaddrinfo-64": (look_up, 20000, IN_FLIGHT),
}


def main():
    mode, scale = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    signal.alarm(120)
    pin(0)

    func, ops, unit = MODES[mode]
    ops = max(round(ops * scale / unit), 1) * unit
    waited_before = waited_s()
    started_at = time.monotonic()
    more = asyncio.run(func(ops))
    wall_s = time.monotonic() - started_at
    print(json.dumps({"mode": mode, "ops": ops, "ns_per_op": wall_s / ops * 1e9, "wall_s": wall_s,
                      "waited_s": waited_s() - waited_before, **(more or {})}))


main()
