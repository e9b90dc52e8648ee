# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls whatever the package libloop has with what it does not expect.

    misuse.py KIND LOG

calls each method of a kind of objects: outside of the loop, inside a callback of it in debug mode, and in another
thread while it runs. Each attribute is set and deleted. Any exception will do but SystemError, which tells of C
code that broke the interpreter's rules; those are printed.
What is called is in LOG, a file of LOG_SIZE bytes, before it is called: whoever started this sees what came
before a crash.
"""

import asyncio
import collections
import contextvars
import faulthandler
import gc
import inspect
import logging
import mmap
import os
import socket
import ssl
import sys
import threading
import types
import warnings

import _libloop
import libloop

HUGE = 1 << 70
LOG_SIZE = 4096
TIMEOUT = 120  # seconds, on a busy machine


class Evil:
    """Raises wherever the interpreter asks something of it."""

    def fail(self, *args, **kwargs):
        raise ZeroDivisionError("planted")

    __index__ = __int__ = __float__ = __eq__ = __lt__ = __hash__ = __bool__ = __len__ = __iter__ = __getitem__ = fail
    __call__ = __await__ = __str__ = fileno = fail


class Missing:
    """Has no method that it is asked for, and says so in a strange way."""

    def __getattr__(self, name):
        raise KeyError(name)


class Meddler:
    """Takes things apart while it is asked."""

    def __init__(self, world):
        self.world = world

    def meddle(self, *args, **kwargs):
        self.world.meddle()
        return 987654

    __index__ = __int__ = __call__ = fileno = meddle

    def __float__(self):
        return float(self.meddle())

    def __iter__(self):
        self.meddle()
        return iter([b"x"])


class Bytes(bytes):
    pass


class Protocol(asyncio.Protocol):
    pass


class World:
    """A loop with one of everything on it."""

    def __init__(self, kind, way):
        self.loop = libloop.new_event_loop()
        self.loop.set_debug(way == "inside")
        self.sockets = []
        self.target = None
        self.make = MAKERS[kind]
        self.target = self.make(self)

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def pair(self):
        pair = socket.socketpair()
        for sock in pair:
            sock.setblocking(False)
        self.sockets += pair
        return pair

    def transport(self, protocol=Protocol, **kwargs):
        return self.run(self.loop.create_connection(protocol, sock=self.pair()[0], **kwargs))[0]

    def meddle(self):
        for name in ("abort", "cancel", "close"):
            try:
                getattr(self.target, name)()
            except BaseException:
                pass
        gc.collect(0)

    def close(self):
        for step in (lambda: self.target.close(), lambda: setattr(self.loop, "_closed", False), self.loop.stop,
                     self.loop.run_forever, self.loop.close, *(sock.close for sock in self.sockets)):
            try:
                step()
            except BaseException:
                pass


# --- The kinds of objects ------------------------------------------------------------------------

class Unfinished(libloop.EventLoop):
    def __init__(self):
        pass


def closed(make):
    def make_closed(world):
        target = make(world)
        target.close()
        world.run(asyncio.sleep(0.001))
        return target

    return make_closed


def make_closed_loop(world):
    world.loop.close()
    return world.loop


def make_server(world):
    return world.run(world.loop.create_server(Protocol, "127.0.0.1", 0))


def make_serving(world):
    return next(iter(world.loop._servers.values())) if make_server(world) else None


def make_tls(world):
    """A transport whose handshake never ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = world.transport(asyncio.Protocol)
    protocol = asyncio.sslproto.SSLProtocol(world.loop, Protocol(), context, None, False, "localhost")
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol._get_app_transport()


def make_subprocess(world):
    return world.run(world.loop.subprocess_exec(asyncio.SubprocessProtocol, "true"))[0]


def make_pipe(world):
    ours, theirs = os.pipe()
    os.close(theirs)
    return world.run(world.loop.connect_read_pipe(Protocol, open(ours, "rb", 0)))[0]


def make_datagram(world):
    return world.run(world.loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0)))[0]


def begun(make):
    def make_begun(world):
        call = make(world)
        call.send(None)
        return call

    return make_begun


def make_lost(world):
    transport = world.transport()
    transport.abort()
    world.run(asyncio.sleep(0.001))
    return transport


def make_orphan(world):
    """A transport whose loop was closed under it."""
    transport = world.transport()
    world.loop.close()
    return transport


MAKERS = {
    "loop": lambda world: world.loop,
    "closed-loop": make_closed_loop,
    "new-loop": lambda world: libloop.EventLoop.__new__(libloop.EventLoop),
    "new-base": lambda world: _libloop.Loop.__new__(_libloop.Loop),
    "base": lambda world: _libloop.Loop(),
    "unfinished-loop": lambda world: Unfinished(),
    "handle": lambda world: world.loop.call_soon(int),
    "done-handle": lambda world: (world.loop.call_soon(int), world.run(asyncio.sleep(0)))[0],
    "reader": lambda world: world.loop._add_reader(world.pair()[0].fileno(), int),
    "timer": lambda world: world.loop.call_later(60, int),
    "transport": lambda world: world.transport(),
    "closed-transport": closed(lambda world: world.transport()),
    "lost-transport": make_lost,
    "orphan-transport": make_orphan,
    "tls-transport": make_tls,
    "pipe-transport": make_pipe,
    "datagram-transport": make_datagram,
    "subprocess-transport": make_subprocess,
    "server": make_server,
    "closed-server": closed(make_server),
    "serving": make_serving,
    "sock-recv": lambda world: world.loop.sock_recv(world.pair()[0], 10),
    "begun-sock-recv": begun(lambda world: world.loop.sock_recv(world.pair()[0], 10)),
    "begun-sock-recv-into": begun(lambda world: world.loop.sock_recv_into(world.pair()[0], bytearray(10))),
    "sock-sendall": lambda world: world.loop.sock_sendall(world.pair()[0], b"x" * (1 << 22)),
    "policy": lambda world: libloop.EventLoopPolicy(),
    "package": lambda world: libloop,
    "extension": lambda world: _libloop,
}

# What would only test the interpreter, or end the test.
LEFT_OUT = {"__class__", "__doc__", "__builtins__", "__loader__", "__spec__", "__path__", "__file__", "__cached__"}


# --- Calling -------------------------------------------------------------------------------------

def close_socket(sock):
    sock.close()
    return sock


def values(world):
    """What is given for each argument."""
    released = memoryview(b"abc")
    released.release()
    other = libloop.new_event_loop()
    other.close()
    return [None, 0.5, float("nan"), float("inf"), -1, 987654, HUGE, -HUGE, "", "text\0\udc80", b"", b"data",
            Bytes(b"data"), bytearray(b"data"), released, memoryview(b"abcdef")[::2], (), [], [b"a", 5], {}, {"a": 1},
            object(), int, print, Protocol(), Protocol, Evil(), Evil, Missing(), Meddler(world), world.target,
            world.loop, other, close_socket(socket.socket()), world.pair()[0], contextvars.copy_context(),
            ValueError("planted"), ValueError, world.loop.create_future() if not world.loop.is_closed() else None]


def argument_lists(world):
    several = values(world)
    yield ()
    for value in several:
        yield (value,)
    for value in several:
        yield value, value
        yield int, value
        yield value, int
        yield world.pair()[0], value
    for value in several:
        yield value, value, value
        yield 0.001, int, value
        yield value, Protocol, None, 5
        yield world.pair()[0], Protocol(), value


KEYWORDS = ("context", "name", "default", "high", "low", "waiter", "extra", "server", "loop", "unknown")


def is_usable(target):
    for name in ("is_closed", "is_closing", "cancelled"):
        method = getattr(target, name, None)
        if method is not None:
            try:
                return not method()
            except BaseException:
                return True
    return True


class Caller:
    def __init__(self, log, way):
        with open(log, "r+b") as file:
            self.log = mmap.mmap(file.fileno(), LOG_SIZE)
        self.way = way
        self.n_calls = 0

    def attempt(self, what, function, *args, **kwargs):
        self.n_calls += 1
        line = f"{self.way}: {what}{describe(args, kwargs)}".encode(errors="replace")[:LOG_SIZE]
        self.log[:len(line) + 1] = line + b"\0"
        try:
            result = function(*args, **kwargs)
            self.step(result)
        except SystemError as error:
            print(f"SystemError in {what}{describe(args, kwargs)}: {error}", flush=True)
        except BaseException:
            pass

    def step(self, result):
        """Begins what is to be awaited, and lets go of it."""
        if inspect.iscoroutine(result) or isinstance(result, collections.abc.Coroutine):
            try:
                result.send(None)
                result.throw(ZeroDivisionError)
            finally:
                result.close()

    def call(self, world, name, args, kwargs):
        self.attempt(name, getattr, world.target, name)
        try:
            method = getattr(world.target, name)
        except BaseException:
            return
        if not callable(method):
            return
        if name in ("run_forever", "run_until_complete", "_run", "run", "_run_once") and self.way == "outside":
            try:
                world.loop.call_soon(world.loop.stop)
                world.target.call_soon(world.target.stop)
            except BaseException:
                pass
        if self.way == "outside" or world.loop.is_closed():
            self.attempt(name, method, *args, **kwargs)
            return

        # In a callback of the loop's, or in another thread while it runs.
        def within():
            if self.way == "thread":
                thread = threading.Thread(target=self.attempt, args=(name, method, *args), kwargs=kwargs,
                                          daemon=True)
                thread.start()
                thread.join(0.2)
            else:
                self.attempt(name, method, *args, **kwargs)
            world.loop.stop()

        try:
            world.loop.call_soon(within)
            world.loop.run_forever()
        except BaseException:
            pass

    def exhaust(self, kind, name):
        world = World(kind, self.way)
        n_lists = sum(1 for _ in argument_lists(world))
        # Of what is ours, every argument counts; from another thread, it is rather the state.
        step = {"outside": 1, "inside": 7, "thread": 40}[self.way] * (1 if is_ours(world.target, name) else 11)
        lists, was_usable = [], True
        for number in range(0, n_lists, step):
            if not lists or is_usable(world.target) != was_usable:
                world.close()
                world = World(kind, self.way)
                was_usable = is_usable(world.target)
                lists = list(argument_lists(world))
            self.call(world, name, lists[number], {})
        for keyword in KEYWORDS if step == 1 else ():
            for value in (5, Evil(), None):
                self.call(world, name, (), {keyword: value})
                self.call(world, name, (int, int), {keyword: value})
        if self.way == "outside" and kind not in ("package", "extension"):
            for value in values(world)[::step]:
                self.attempt(f"{name} =", setattr, world.target, name, value)
                self.attempt(f"{name} = {type(value).__name__}, repr", repr, world.target)
            self.attempt(f"del {name}", delattr, world.target, name)
            for after in ("create_task", "call_soon", "call_exception_handler", "write", "get_extra_info", "cancel"):
                self.call(world, after, (int, 5), {})
        world.close()


def is_ours(target, name):
    """Whether it is a method or attribute of one of the package's own classes."""
    if isinstance(target, types.ModuleType):
        return True
    return any(name in vars(cls) and cls.__module__ in ("_libloop", "libloop._event_loop", "libloop._run")
               for cls in type(target).__mro__)


def names_of(target):
    """All but what would only test the interpreter."""
    return [name for name in dir(target)
            if name not in LEFT_OUT and getattr(type(target), name, None) is not getattr(object, name, 0)]


def describe(args, kwargs):
    """Asks nothing of the arguments, which may be evil."""
    return f"({', '.join([type(arg).__name__ for arg in args] + [f'{name}=' for name in kwargs])})"


def main():
    kind, log = sys.argv[1:]
    faulthandler.enable()
    faulthandler.dump_traceback_later(TIMEOUT, exit=True)
    logging.disable()
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda unraisable: None
    threading.excepthook = lambda args: None
    world = World(kind, "outside")
    names = names_of(world.target)
    world.close()
    for way in "outside", "inside", "thread":
        caller = Caller(log, way)
        for name in names:
            caller.exhaust(kind, name)
        gc.collect()
        print(f"{way}: {caller.n_calls} calls of {len(names)} names", file=sys.stderr)


if __name__ == "__main__":
    main()
