#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An echo server on asyncio, or with --uvloop on uvloop: a protocol of Python's for each connection.

It does what echo-util.h says of all echo servers.
"""

import asyncio
import json
import os
import resource
import socket
import sys
import time

MESSAGE = int(os.environ.get("BENCH_MESSAGE", 0))
PATH = os.environ.get("BENCH_UNIX")


def pin():
    cpus = os.environ.get("BENCH_CPUS")
    if cpus:
        os.sched_setaffinity(0, {int(cpus.partition(",")[0])})


class Echo(asyncio.Protocol):
    n_requests = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        Echo.n_requests += 1
        if not 0 < MESSAGE < len(data):
            self.transport.write(data)
            return
        for start in range(0, len(data), MESSAGE):
            self.transport.write(data[start:start + MESSAGE])


def waited():
    with open("/proc/thread-self/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e9


def snapshot():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": time.monotonic(), "waited_s": waited(), "user_s": usage.ru_utime, "sys_s": usage.ru_stime,
            "requests": Echo.n_requests}


class Control:
    def __init__(self, name, stop):
        self.name = name
        self.stop = stop
        self.begin = snapshot()
        self.has_reported = False

    def report(self):
        end = snapshot()
        figures = {key: end[key] - self.begin[key] for key in end}
        figures.update(server=self.name, user_ns=figures["user_s"] * 1e9, syscalls=0)
        print(json.dumps(figures), flush=True)
        self.has_reported = True

    def read(self):
        marks = os.read(0, 16)
        if not marks:
            self.stop()
        for mark in marks.decode():
            if mark == "b":
                self.begin = snapshot()
            elif mark == "e":
                self.report()


async def serve(name):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    if PATH:
        await loop.create_unix_server(Echo, PATH, backlog=4096)
        port = 0
    else:
        server = await loop.create_server(Echo, "127.0.0.1", 0, family=socket.AF_INET, backlog=4096)
        port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "inspector": ""}), flush=True)

    control = Control(name, ended.set)
    loop.add_reader(0, control.read)
    await ended.wait()
    loop.remove_reader(0)
    if not control.has_reported:
        control.report()


def main():
    is_uvloop = "--uvloop" in sys.argv[1:]
    if is_uvloop:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    pin()
    asyncio.run(serve("uvloop" if is_uvloop else "asyncio"))


main()
