# SPDX-License-Identifier: LGPL-2.1-or-later
"""An echo server on asyncio's streams: what echo-loop --streams does with libloop's."""

import asyncio
import json
import os
import resource
import sys
import time

BUFFER_SIZE = 64 * 1024

requests = 0
begin = None


async def echo(reader, writer):
    global requests
    while data := await reader.read(BUFFER_SIZE):
        requests += 1
        writer.write(data)
        await writer.drain()
    writer.close()


def snapshot():
    with open("/proc/self/schedstat", encoding="ascii") as file:
        waited = int(file.read().split()[1]) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF), requests, time.monotonic(), waited


def report():
    (usage, n, now, waited), (end_usage, end_n, end_now, end_waited) = begin, snapshot()
    user = end_usage.ru_utime - usage.ru_utime
    print(json.dumps({
        "server": "asyncio-streams", "requests": end_n - n, "seconds": end_now - now,
        "waited_s": end_waited - waited, "user_s": user, "sys_s": end_usage.ru_stime - usage.ru_stime,
        "user_ns": round(user * 1e9), "preempted_ns": 0, "syscalls": 0}), flush=True)


def control(ended):
    global begin
    marks = os.read(0, 16)
    if not marks:
        ended.set_result(None)
    for mark in marks:
        if mark == ord("b"):
            begin = snapshot()
        else:
            report()


async def main():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "inspector": ""}), flush=True)
    os.set_blocking(0, False)
    loop.add_reader(0, control, ended)
    await ended
    loop.remove_reader(0)


if "BENCH_CPUS" in os.environ:
    os.sched_setaffinity(0, {int(os.environ["BENCH_CPUS"].split(",")[0])})
begin = snapshot()
sys.exit(asyncio.run(main()))
