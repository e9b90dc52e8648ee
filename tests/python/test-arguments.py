# SPDX-License-Identifier: LGPL-2.1-or-later
"""Arguments have the names, the order and the defaults of asyncio's, and none of them is kept."""

import asyncio
import functools
import gc
import inspect
import math
import os
import signal
import socket
import sys
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402

# Arguments that exist here only, or that are asyncio's and the library has no use for.
OPTIONS = set("""
    family flags proto backlog ssl reuse_address reuse_port server_hostname ssl_handshake_timeout ssl_shutdown_timeout
    happy_eyeballs_delay interleave
""".split())
EXTRA = {"loop", "timeout", "options"}

LOOP_METHODS = """
    run_forever run_until_complete stop is_running is_closed close shutdown_asyncgens shutdown_default_executor
    call_soon call_later call_at call_soon_threadsafe time create_future create_task set_task_factory get_task_factory
    add_reader remove_reader add_writer remove_writer add_signal_handler remove_signal_handler
    run_in_executor set_default_executor set_exception_handler get_exception_handler default_exception_handler
    call_exception_handler get_debug set_debug create_connection create_server
""".split()
FUNCTIONS = "sleep gather wait_for shield timeout timeout_at create_task current_task all_tasks".split()
CLASSES = {
    "Future": "result exception done cancelled cancel set_result set_exception get_loop".split(),
    "Task": "cancel cancelling uncancel get_name get_coro".split(),
    "Lock": "acquire locked release".split(),
    "Event": "is_set set clear wait".split(),
    "Condition": "wait wait_for notify notify_all".split(),
    "Semaphore": "acquire locked release".split(),
    "Barrier": "wait reset abort".split(),
    "Queue": "put put_nowait get get_nowait qsize empty full join task_done".split(),
    "TaskGroup": ["create_task"],
    "Timeout": "when reschedule expired".split(),
    "Server": "close get_loop is_serving start_serving serve_forever wait_closed".split(),
    "Protocol": "connection_made connection_lost data_received eof_received pause_writing resume_writing".split(),
    "Transport": "write writelines get_extra_info set_protocol set_write_buffer_limits get_write_buffer_limits".split(),
}


def get_arguments(function):
    """What a caller sees: (name, kind, default) of each argument but self."""
    if inspect.isfunction(function) or inspect.ismethoddescriptor(function) and function.__class__.__module__ != "gi":
        parameters = list(inspect.signature(function).parameters.values())
        if parameters and parameters[0].name == "self":
            parameters = parameters[1:]
        return [
            (p.name, p.kind is p.KEYWORD_ONLY, p.kind is p.VAR_POSITIONAL, p.default)
            for p in parameters
            if p.name not in OPTIONS and p.kind is not p.VAR_KEYWORD
        ]
    # As introspection has it.
    given = [argument for argument in function.get_arguments() if argument.get_direction() == 0]
    return [(argument.get_name(), False, False, inspect.Parameter.empty) for argument in given]


class TestSignatures(unittest.TestCase):
    def compare(self, ours, theirs, name):
        wanted, found = get_arguments(theirs), get_arguments(ours)
        extra = [argument for argument in found if argument not in wanted]
        with self.subTest(name):
            if all(inspect.signature(theirs).parameters[argument[0]].kind is not inspect.Parameter.POSITIONAL_ONLY
                   for argument in wanted):
                self.assertEqual([argument for argument in found if argument not in extra], wanted)
            else:
                found, wanted = ([argument[1:] for argument in found], [argument[1:] for argument in wanted])
                self.assertEqual(found, wanted)
                extra = []
            self.assertLessEqual({argument[0] for argument in extra}, EXTRA)
            self.assertNotIn(inspect.Parameter.empty, [argument[3] for argument in extra])

    def test_loop(self):
        for name in LOOP_METHODS:
            theirs = vars(asyncio.BaseEventLoop).get(name) or getattr(asyncio.AbstractEventLoop, name)
            self.compare(getattr(Loop.EventLoop, name), theirs, name)

    def test_functions(self):
        for name in FUNCTIONS:
            theirs = getattr(asyncio, name)
            if name == "gather":
                # Its first argument has the name of the documentation.
                found = get_arguments(Loop.gather)[1:]
                self.assertEqual([found[0]], get_arguments(theirs)[1:])
            else:
                self.compare(getattr(Loop, name), theirs, name)
        self.assertEqual([(a[0], a[1]) for a in get_arguments(Loop.wait)],
                         [("aws", False), ("timeout", True), ("return_when", True)])

    def test_classes(self):
        for kind, names in CLASSES.items():
            for name in names:
                self.compare(getattr(getattr(Loop, kind), name), getattr(getattr(asyncio, kind), name),
                             f"{kind}.{name}")


class ArgumentCase(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def run_for(self, seconds):
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()


class TestValues(ArgumentCase):
    def test_value_errors(self):
        async def main():
            for make in (
                lambda: Loop.Semaphore(-1),
                lambda: Loop.BoundedSemaphore(-1),
                lambda: Loop.Barrier(0),
                lambda: Loop.Queue().task_done(),
                lambda: self.loop.call_later(math.nan, print),
                lambda: self.loop.add_reader(-1, print),
                lambda: self.loop.add_reader(object(), print),
                lambda: self.loop.remove_writer(-1),
                lambda: self.loop.add_signal_handler(99, print),
                lambda: Loop.ThreadPoolExecutor(0),
            ):
                with self.assertRaises(ValueError):
                    make()

        self.loop.run_until_complete(main())

    def test_type_errors(self):
        async def coroutine():
            pass

        for wrong in (
            lambda: self.loop.call_later(None, print),
            lambda: self.loop.call_soon(None),
            lambda: self.loop.add_signal_handler(signal.SIGUSR1, coroutine),
            lambda: self.loop.run_in_executor(None, None),
            lambda: self.loop.create_server(Loop.Protocol, "127.0.0.1", 0, no_such_option=1),
        ):
            with self.assertRaises(TypeError):
                wrong()

    def test_runtime_errors(self):
        self.loop.call_soon(self.loop.close)
        self.run_for(0)
        self.assertIsInstance(self.reports.pop()["exception"], RuntimeError)
        coro = Loop.sleep(0)
        self.loop.close()
        for call in (
            lambda: self.loop.call_soon(print),
            lambda: self.loop.run_forever(),
            lambda: self.loop.run_in_executor(None, print),
            lambda: self.loop.create_task(coro),
        ):
            with self.assertRaises(RuntimeError):
                call()

    def test_defaults_given(self):
        """What asyncio has for a default, and the library may not have."""

        async def main():
            server = await self.loop.create_server(
                Loop.Protocol, "127.0.0.1", 0, family=socket.AF_UNSPEC, flags=socket.AI_PASSIVE, sock=None, backlog=100,
                ssl=None, reuse_address=None, reuse_port=None, ssl_handshake_timeout=None, start_serving=True,
            )
            port = server.sockets[0].get_local_address().get_port()
            transport, _ = await self.loop.create_connection(
                Loop.Protocol, "127.0.0.1", port, ssl=None, family=0, proto=0, flags=0, sock=None, local_addr=None,
                server_hostname=None, happy_eyeballs_delay=None, interleave=None,
            )
            transport.close()
            server.close()
            self.assertEqual(server.sockets, ())
            async with Loop.timeout(None) as limit:
                self.assertIsNone(limit.when())

        self.loop.run_until_complete(main())

    def test_context(self):
        """Of tasks, with a factory and without."""
        made = []

        def factory(loop, coro, **kwargs):
            made.append(kwargs)
            return Loop.Task.new(loop, coro)

        import contextvars

        context = contextvars.copy_context()
        self.loop.set_task_factory(factory)
        self.loop.run_until_complete(self.loop.create_task(Loop.sleep(0), name=7))
        task = self.loop.create_task(Loop.sleep(0), name="named", context=context)
        self.loop.run_until_complete(task)
        self.assertEqual(made, [{}, {"context": context}])
        task.set_name(8)
        self.assertEqual(task.get_name(), "8")

    def test_names(self):
        class Method:
            async def run(self):
                pass

        def named():
            pass

        self.assertIn("named", self.loop.call_soon(functools.partial(named)).get_name())
        self.assertEqual(self.loop.call_later(0, print).get_name(), "print")
        self.assertEqual(self.loop.call_at(0, asyncio.Event().set).get_name(), "Event.set")
        task = self.loop.create_task(Method().run())
        self.assertEqual(task.get_coroutine().get_name().split(".")[-2:], ["Method", "run"])
        self.loop.run_until_complete(task)


class TestHandles(ArgumentCase):
    def break_down(self):
        raise KeyError("no luck")

    def test_of_watches(self):
        """asyncio has a handle for each, which cancels the watch."""
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, signal.SIG_IGN))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            for add, remove, key in (
                (self.loop.add_reader, self.loop.remove_reader, ours),
                (self.loop.add_writer, self.loop.remove_writer, ours),
                (self.loop.add_signal_handler, self.loop.remove_signal_handler, signal.SIGUSR1),
            ):
                add(key, self.break_down)
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGUSR1)
                    while not self.reports:
                        self.run_for(0.002)
                    report = self.reports[0]
                    self.reports.clear()
                    self.assertIsInstance(report.get("handle"), asyncio.Handle, report)
                    self.assertIn("TestHandles.break_down", repr(report["handle"]))
                report["handle"].cancel()
                os.kill(os.getpid(), signal.SIGUSR1)
                self.run_for(0.01)
                self.assertFalse(remove(key))
                # Only of that one.
                add(key, lambda: None)
                self.assertTrue(remove(key))

    def test_of_calls(self):
        handles = [self.loop.call_soon(self.break_down), self.loop.call_later(0, self.fail)]
        self.run_for(0.01)
        self.assertEqual([report["handle"].get_id() for report in self.reports], [h.get_id() for h in handles])
        self.reports.clear()


class TestReferences(ArgumentCase):
    """Callbacks, arguments and results have as many references afterwards as before."""

    def assert_kept_not(self, use, *objects):
        use(*objects)
        for _ in range(3):
            self.run_for(0)
            gc.collect()
        before = [sys.getrefcount(item) for item in objects]
        for _ in range(5):
            use(*objects)
        for _ in range(3):
            self.run_for(0.002)
            gc.collect()
        self.assertEqual([sys.getrefcount(item) for item in objects], before)

    def test_calls(self):
        def callback(*args):
            pass

        argument, loop = object(), self.loop
        read, write = os.pipe()

        def watch(add, remove, fd):
            def use(callback, argument):
                add(fd, callback, argument)
                add(fd, callback, argument)
                self.assertTrue(remove(fd))

            return use

        def finish(callback, argument):
            future = loop.create_future()
            future.add_done_callback(callback)
            future.add_done_callback(callback)
            future.remove_done_callback(callback)
            future.add_done_callback(callback, context=None)
            future.set_result(argument)
            self.assertIs(future.result(), argument)

        def fail(callback, argument):
            future = loop.create_future()
            future.set_exception(KeyError(callback, argument))
            self.assertIsInstance(future.exception(), KeyError)

        async def coro(callback, argument):
            await Loop.sleep(0)
            return callback, argument

        def factory(callback, argument):
            loop.set_task_factory(lambda loop, coro: callback(argument) or Loop.Task.new(loop, coro))
            loop.run_until_complete(coro(callback, argument))
            loop.set_task_factory(None)

        def handler(callback, argument):
            previous = loop.get_exception_handler()
            loop.set_exception_handler(lambda loop, context: callback(context, argument))
            loop.call_soon(lambda: {}[argument])
            loop.call_exception_handler({"message": "m", "exception": KeyError(argument)})
            self.run_for(0)
            loop.set_exception_handler(previous)

        class Kept(Loop.Protocol):
            def __init__(self, *kept):
                self.kept = kept

        async def protocol(callback, argument):
            server = await loop.create_server(lambda: Kept(callback, argument), "127.0.0.1", 0)
            port = server.sockets[0].get_local_address().get_port()
            transport, _ = await loop.create_connection(lambda: Kept(callback, argument), "127.0.0.1", port)
            await Loop.sleep(0.01)
            server.close_clients()
            server.close()
            transport.close()
            await server.wait_closed()

        async def queue(callback, argument):
            for kind in (Loop.Queue, Loop.LifoQueue, Loop.PriorityQueue):
                items = kind()
                items.put_nowait(callback)
                await items.get()
                await items.put(argument)
                items.get_nowait()

        async def condition(callback, argument):
            async with Loop.Condition() as _:
                await Loop.Condition().acquire()

        uses = {
            "call_soon": lambda callback, argument: loop.call_soon(callback, argument),
            "call_soon context": lambda callback, argument: loop.call_soon(callback, argument, context=None),
            "call_soon cancelled": lambda callback, argument: loop.call_soon(callback, argument).cancel(),
            "call_later": lambda callback, argument: loop.call_later(0, callback, argument),
            "call_later cancelled": lambda callback, argument: loop.call_later(99, callback, argument).cancel(),
            "call_at": lambda callback, argument: loop.call_at(0, callback, argument),
            "call_soon_threadsafe": lambda callback, argument: loop.call_soon_threadsafe(callback, argument),
            "reader": watch(loop.add_reader, loop.remove_reader, read),
            "writer": watch(loop.add_writer, loop.remove_writer, write),
            "signal": watch(loop.add_signal_handler, loop.remove_signal_handler, signal.SIGUSR1),
            "future": finish,
            "exception": fail,
            "task": lambda callback, argument: loop.run_until_complete(coro(callback, argument)),
            "cancelled task": lambda callback, argument: loop.create_task(coro(callback, argument)).cancel(),
            "gather": lambda callback, argument: loop.run_until_complete(
                Loop.gather(coro(callback, argument), coro(callback, argument), loop=loop)
            ),
            "executor": lambda callback, argument: loop.run_until_complete(
                loop.run_in_executor(None, lambda: (callback, argument))
            ),
            "executor's arguments": lambda callback, argument: loop.run_until_complete(
                loop.run_in_executor(None, callback, argument)
            ),
            "task factory": factory,
            "exception handler": handler,
            "protocols": lambda callback, argument: loop.run_until_complete(protocol(callback, argument)),
            "queues": lambda callback, argument: loop.run_until_complete(queue(callback, argument)),
            "conditions": lambda callback, argument: loop.run_until_complete(condition(callback, argument)),
        }
        for name, use in uses.items():
            with self.subTest(name):
                self.assert_kept_not(use, callback, argument)
        loop.run_until_complete(loop.shutdown_default_executor())
        os.close(read)
        os.close(write)
        self.reports.clear()


tap.main()
