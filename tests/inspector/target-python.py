# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program in Python for the tests to look at. The scene that its argument names says when it is set."""

import asyncio
import atexit
import ctypes
import functools
import os
import socket
import sys
import threading
import time

import gi
import libloop

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402


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


async def inner(lock):
    async with lock:
        pass


async def middle(lock):
    await inner(lock)


async def outer(lock):
    await middle(lock)


async def numbers():
    yield 1
    await asyncio.sleep(3600)  # for long


async def consume():
    async for _ in numbers():
        pass


async def graph(then=None):
    """Tasks that wait in all the ways there are. Then the loop may be blocked."""
    lock = asyncio.Lock()
    await lock.acquire()
    event = asyncio.Event()
    future = asyncio.get_running_loop().create_future()
    kept = [asyncio.create_task(outer(lock), name="outer"), asyncio.create_task(consume(), name="consume")]
    first, second, third = (asyncio.create_task(event.wait(), name=name) for name in ("first", "second", "third"))

    async def gather():
        await asyncio.gather(first, second)

    async def wait_for():
        await asyncio.wait_for(asyncio.gather(third, asyncio.shield(future)), 3600)

    async def wait():
        await asyncio.wait([first, future])

    async def group():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(event.wait(), name="member")

    for function in (gather, wait_for, wait, group):
        kept.append(asyncio.create_task(function(), name=function.__name__))
    await asyncio.sleep(0.1)
    if then is not None:
        asyncio.get_running_loop().call_soon(then)
    ready()
    await kept[0]


def spin():
    while True:
        pass


def keep_lock(seconds=3600):
    ctypes.PyDLL(None).sleep(seconds)


async def sleeping():
    await graph(block)


async def spinning():
    await graph(spin)


async def keeping():
    await graph(keep_lock)


async def cancelled():
    """Says of what task the cancellation came, and with what message."""
    task = asyncio.create_task(asyncio.sleep(3600), name="victim")
    await asyncio.sleep(0.01)
    ready()
    try:
        await task
    except asyncio.CancelledError as error:
        ready("cancelled", *error.args)
    await asyncio.sleep(3600)


async def short():
    """Ends after a while, as any program."""
    kept = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(100)]
    ready()
    await asyncio.sleep(0.5)
    return kept


async def switched():
    """The inspector comes and goes, while others ask it."""
    kept = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(1000)]
    for _ in range(10):
        inspector = Loop.Inspector.start(Loop.InspectorAccess.CONTROL)
        ready(inspector.get_path())
        await asyncio.sleep(0.1)
        inspector.stop()
    return kept


async def debugged():
    """In debug mode it is known who made what."""
    loop = asyncio.get_running_loop()
    loop.call_later(3600, on_readable)  # the timer
    kept = asyncio.create_task(asyncio.sleep(3600), name="sleeper")  # the task
    await asyncio.sleep(0.1)
    loop.call_soon(block)
    loop.call_soon(on_readable)  # the handle
    threading.Thread(target=post, args=(loop,)).start()
    ready()
    await kept


async def switched_to_debug():
    """Waits until somebody turns debug mode on and has slow callbacks be shorter, and has one."""
    loop = asyncio.get_running_loop()
    ready()
    while not (loop.get_debug() and loop.slow_callback_duration == 0.05):
        await asyncio.sleep(0.01)
    loop.call_later(3600, on_readable)  # the timer in debug mode
    kept = asyncio.create_task(asyncio.sleep(3600), name="sleeper")
    await asyncio.sleep(0)
    ready(sys.get_coroutine_origin_tracking_depth() > 0)
    time.sleep(0.3)
    await asyncio.sleep(0)
    loop.set_debug(False)
    loop.slow_callback_duration = 7
    ready("off")
    await kept


def post(loop):
    loop.call_soon_threadsafe(on_readable)  # the post


def fork():
    """While the inspector waits for the lock. The child ends as the interpreter does."""
    ready()
    keep_lock(2)
    pid = os.fork()
    if pid == 0:
        atexit._run_exitfuncs()
        os._exit(7)
    _, status = os.waitpid(pid, 0)
    ready(os.waitstatus_to_exitcode(status))


async def forking():
    asyncio.get_running_loop().call_soon(fork)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    libloop.run(globals()[sys.argv[1]]())
