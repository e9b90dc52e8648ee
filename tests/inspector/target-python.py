# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program in Python for the tests to look at. The scene that its argument names says when it is set."""

import asyncio
import functools
import socket
import sys
import time

import libloop


def ready(*words):
    print(*words, flush=True)


class Clock:
    def tick(self):
        pass

    def __call__(self):
        pass


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


def on_readable():
    pass


def block():
    time.sleep(3600)


async def worker(future):
    await future


async def names():
    """Callbacks of all kinds, and one that blocks the loop."""
    loop = asyncio.get_running_loop()
    clock = Clock()
    loop.call_later(3600, clock.tick)
    loop.call_later(3601, functools.partial(functools.partial(clock.tick)))
    loop.call_later(3602, clock)
    loop.call_later(3603, print, "x")
    loop.call_later(3604, lambda: None)
    pair = socket.socketpair()
    loop.add_reader(pair[0], on_readable)
    loop.add_writer(pair[0], clock.tick)
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(Clock2, *server.sockets[0].getsockname())
    await asyncio.sleep(0.1)
    loop.remove_writer(pair[0])
    future = loop.create_future()
    waiter = asyncio.create_task(worker(future))
    await asyncio.sleep(0)
    loop.call_soon(block)
    new = asyncio.create_task(worker(future))
    loop.call_soon(new.get_name)
    future.set_result(None)
    loop.call_soon(on_readable)
    loop.call_soon_threadsafe(clock.tick)
    ready()
    await loop.create_future()
    return pair, transport, waiter, new


class Clock2(asyncio.Protocol):
    pass


if __name__ == "__main__":
    libloop.run(globals()[sys.argv[1]]())
