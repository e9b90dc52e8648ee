# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exceptions of Python's reach the exception handler, and nothing is left behind."""

import gc
import os
import socket
import subprocess
import sys
import unittest
import weakref

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class Failure(Exception):
    pass


class Callback:
    """Can be watched, and counts."""

    def __init__(self, fails=False):
        self.calls = 0
        self.fails = fails

    def __call__(self, *args):
        self.calls += 1
        if self.fails:
            raise Failure("as asked")


class ExceptionCase(unittest.TestCase):
    def setUp(self):
        self.reports = []
        self.loop = Loop.EventLoop()
        self.loop.set_exception_handler(self.note_report)

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def note_report(self, loop, context):
        self.assertIs(loop, self.loop)
        self.assertIs(type(context), dict)
        self.reports.append(context)

    def take_report(self):
        (context,) = self.reports
        self.reports.clear()
        return context

    def run_for(self, seconds):
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()


class TestHandler(ExceptionCase):
    def test_calls(self):
        for schedule in (
            self.loop.call_soon,
            self.loop.call_soon_threadsafe,
            lambda callback, *args: self.loop.call_later(0.001, callback, *args),
            lambda callback, *args: self.loop.call_at(self.loop.time(), callback, *args),
        ):
            callback = Callback(fails=True)
            handle = schedule(callback, 1)
            self.run_for(0.003)
            context = self.take_report()
            self.assertEqual(context["message"], f"Exception in callback {callback!r}")
            self.assertEqual(repr(context["exception"]), "Failure('as asked')")
            self.assertEqual(context["handle"].get_id(), handle.get_id())
            self.assertIn("#", handle.describe())
            handle.set_name("named")
            self.assertEqual(handle.get_name(), "named")

    def test_watches(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for add, remove in (
                (self.loop.add_reader, self.loop.remove_reader),
                (self.loop.add_writer, self.loop.remove_writer),
            ):
                callback = Callback(fails=True)
                theirs.send(b"x")
                add(ours, callback)
                self.loop.call_soon(self.loop.stop)
                self.loop.run_forever()
                self.assertTrue(remove(ours))
                self.assertFalse(remove(ours))
                self.assertIsInstance(self.take_report()["exception"], Failure)

    def test_done_callback(self):
        future = self.loop.create_future()
        future.add_done_callback(Callback(fails=True))
        future.set_result(None)
        self.run_for(0)
        context = self.take_report()
        self.assertIs(context["future"], future)
        self.assertIsInstance(context["exception"], Failure)

    def test_never_retrieved(self):
        error = Failure("nobody asks")
        self.loop.create_future().set_exception(error)
        context = self.take_report()
        self.assertEqual(context["message"], "Future exception was never retrieved")
        self.assertIs(context["exception"], error)
        self.assertIsInstance(context["future"], Loop.Future)

    def test_handler_that_raises(self):
        program = """if True:
            import gi
            gi.require_version("Loop", "1.0")
            from gi.repository import GLib, Loop
            loop = Loop.EventLoop()
            def handler(loop, context):
                raise ValueError("the handler failed")
            loop.set_exception_handler(handler)
            assert loop.get_exception_handler() is handler
            loop.call_soon(lambda: 1 / 0)
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.set_exception_handler(None)
            assert loop.get_exception_handler() is None
            loop.call_exception_handler({"message": "by hand", "other": 42})
            loop.default_exception_handler(Loop.ExceptionContext.new("a context", GLib.Error("x")))
            """
        result = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, timeout=20)
        self.assertEqual(result.returncode, 0)
        for text in (
            "ZeroDivisionError: division by zero",
            "Unhandled error in exception handler",
            "ValueError: the handler failed",
            "by hand\nother: 42",
            "a context",
        ):
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("libloop-WARNING"), 4)

    def test_dict_and_context(self):
        self.loop.call_exception_handler({"message": "mine", "key": 1})
        self.assertEqual(self.take_report(), {"message": "mine", "key": 1})
        future = self.loop.create_future()
        context = Loop.ExceptionContext.new("theirs", GLib.Error("full", "g-io-error-quark", Gio.IOErrorEnum.NO_SPACE))
        context.set_future(future)
        self.loop.call_exception_handler(context)
        context = self.take_report()
        self.assertEqual((context["message"], context["future"]), ("theirs", future))
        self.assertTrue(context["exception"].matches(Gio.io_error_quark(), Gio.IOErrorEnum.NO_SPACE))
        for wrong in (42, "handler"):
            with self.assertRaises(TypeError):
                self.loop.set_exception_handler(wrong)

    def test_all_keys(self):
        error = GLib.Error("full", "g-io-error-quark", Gio.IOErrorEnum.NO_SPACE)
        context = Loop.ExceptionContext.new("all of it", error)
        handle = self.loop.call_soon(print)
        handle.cancel()
        sock = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT)
        protocol, future = Loop.Protocol(), self.loop.create_future()
        context.set_handle(handle)
        context.set_future(future)
        context.set_protocol(protocol)
        context.set_transport(None)
        context.set_socket(sock)
        self.assertEqual(context.get_message(), "all of it")
        self.assertTrue(context.get_exception().matches(Gio.io_error_quark(), Gio.IOErrorEnum.NO_SPACE))
        self.assertEqual(context.get_handle().get_id(), handle.get_id())
        self.assertIsNone(context.get_transport())
        found = (context.get_future(), context.get_protocol(), context.get_socket())
        self.assertEqual(found, (future, protocol, sock))

        self.loop.call_exception_handler(context)
        report = self.take_report()
        self.assertEqual(sorted(report), ["exception", "future", "handle", "message", "protocol", "socket"])
        self.assertEqual((report["future"], report["protocol"], report["socket"]), found)

    def test_executor(self):
        error = Failure("in a thread")

        def work():
            raise error

        with self.assertRaises(Failure) as caught:
            self.loop.run_until_complete(self.loop.run_in_executor(None, work))
        self.assertIs(caught.exception, error)

    def test_invalid_state(self):
        import asyncio

        future = self.loop.create_future()
        for call in (future.result, future.exception):
            with self.assertRaises(asyncio.InvalidStateError):
                call()
        future.set_result(1)
        self.assertIsNone(future.exception())
        with self.assertRaises(asyncio.InvalidStateError):
            future.set_exception(Failure)
        with self.assertRaises(TypeError):
            self.loop.create_future().set_exception(42)
        with self.assertRaises(TypeError):
            self.loop.create_future().set_exception(StopIteration)

    def test_properties(self):
        self.assertFalse(self.loop.debug)
        self.loop.debug = True
        self.assertTrue(self.loop.get_debug())
        self.loop.set_debug(False)
        self.assertFalse(self.loop.debug)
        self.loop.set_slow_callback_duration(0.25)
        self.assertEqual(self.loop.slow_callback_duration, 0.25)
        self.loop.slow_callback_duration = 0.5
        self.assertEqual(self.loop.get_slow_callback_duration(), 0.5)


class TestLeaks(ExceptionCase):
    def assert_freed(self, *weak):
        # What one GObject holds of another it lets go of when it is collected.
        for _ in range(3):
            gc.collect()
        self.assertEqual([ref() for ref in weak], [None] * len(weak))

    def test_callbacks(self):
        for fails in (False, True):
            callbacks = [Callback(fails) for _ in range(6)]
            weak = [weakref.ref(callback) for callback in callbacks]
            argument = Callback()
            weak.append(weakref.ref(argument))
            self.loop.call_soon(callbacks[0], argument)
            self.loop.call_later(0, callbacks[1], argument)
            self.loop.call_soon_threadsafe(callbacks[2])
            self.loop.call_soon(callbacks[3]).cancel()
            self.loop.call_later(100, callbacks[4], argument).cancel()
            future = self.loop.create_future()
            future.add_done_callback(callbacks[5])
            future.set_result(argument)
            self.run_for(0.005)
            self.assertEqual([callback.calls for callback in callbacks], [1, 1, 1, 0, 0, 1])
            self.assertEqual(len(self.reports), 4 if fails else 0)
            self.reports.clear()
            del callbacks, argument, future
            self.assert_freed(*weak)

    def test_closed_loop(self):
        loop = Loop.EventLoop()
        callback = Callback()
        weak = [weakref.ref(callback), weakref.ref(loop)]
        read, write = os.pipe()
        loop.call_soon(callback)
        loop.call_later(100, callback)
        loop.add_reader(read, callback)
        loop.set_exception_handler(lambda loop_, context, cycle=(loop, callback): None)
        future = loop.create_future()
        future.add_done_callback(lambda done, cycle=(loop, future, callback): None)
        loop.close()
        os.close(read)
        os.close(write)
        del callback, loop, future
        self.assert_freed(*weak)

    def test_future_in_its_own_traceback(self):
        """The exception refers to frames that refer to the future."""
        weak = []

        async def main():
            future = self.loop.create_future()
            weak.append(weakref.ref(future))
            error = Failure("in a circle")
            weak.append(weakref.ref(error))
            future.set_exception(error)
            task = Loop.current_task()
            weak.append(weakref.ref(task))
            await future

        def run():
            task = self.loop.create_task(main())
            try:
                self.loop.run_until_complete(task)
            except Failure as error:
                self.circle = error
                self.circle = None

        run()
        self.assert_freed(*weak)

    def test_gathered(self):
        error = Failure("once")
        weak = weakref.ref(error)

        async def child(error):
            raise error

        async def main(error):
            await Loop.gather(child(error), Loop.sleep(0))

        try:
            self.loop.run_until_complete(main(error))
        except Failure as caught:
            self.assertIs(caught, error)
        del error
        self.assert_freed(weak)

    def test_results(self):
        result = Callback()
        before = sys.getrefcount(result)

        async def give():
            return result

        for _ in range(10):
            self.assertIs(self.loop.run_until_complete(give()), result)
            self.assertIs(self.loop.run_until_complete(self.loop.run_in_executor(None, lambda: result)), result)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        gc.collect()
        self.assertEqual(sys.getrefcount(result), before)

    def test_tasks(self):
        weak = []

        async def main(argument):
            weak.append(weakref.ref(Loop.current_task()))
            await Loop.sleep(0.001)

        for cancel in (False, True):
            argument = Callback()
            weak.append(weakref.ref(argument))
            task = self.loop.create_task(main(argument))
            if cancel:
                self.loop.call_soon(task.cancel)
            while not task.done():
                self.run_for(0.001)
            self.run_for(0)
            del task, argument
        self.assert_freed(*weak)

    def test_pending_task_at_close(self):
        argument = Callback()
        weak = weakref.ref(argument)
        closed = []

        async def main(argument):
            try:
                await Loop.sleep(100)
            finally:
                closed.append(True)

        self.loop.create_task(main(argument))
        self.run_for(0)
        self.loop.close()
        self.assertIn("it is pending", self.take_report()["message"])
        self.assertEqual(closed, [True])
        del argument
        self.assert_freed(weak)


class TestServers(ExceptionCase):
    def test_with(self):
        class Echo(Loop.Protocol):
            def connection_made(self, transport):
                self.transport = transport

            def data_received(self, data):
                self.transport.write(bytearray(data))

        class Loud(Echo):
            def data_received(self, data):
                super().data_received(data.upper())

        class Client(Loop.Protocol):
            def __init__(self, loop):  # as asyncio's users write it, without super ()
                self.answer = loop.create_future()

            def data_received(self, data):
                self.answer.set_result(data)

        async def main():
            async with await self.loop.create_server(Loud, host="127.0.0.1", port=0, backlog=5) as server:
                self.assertTrue(server.is_serving())
                port = server.sockets[0].get_local_address().get_port()
                transport, protocol = await self.loop.create_connection(
                    lambda: Client(self.loop), host="127.0.0.1", port=port
                )
                transport.writelines([b"he", bytearray(b"llo")])
                self.assertEqual(await protocol.answer, b"HELLO")
                self.assertEqual(transport.get_extra_info("no such thing", 42), 42)
                transport.close()
            self.assertFalse(server.is_serving())

            with socket.create_server(("127.0.0.1", 0)) as sock:
                with await self.loop.create_server(Echo, sock=sock) as server:
                    self.assertEqual(len(server.sockets), 1)
                self.assertEqual(sock.fileno(), -1)

        self.loop.run_until_complete(main())

    def test_vfunc_by_its_own_name(self):
        with self.assertRaisesRegex(TypeError, "Wrong.do_data_received is to be called data_received"):

            class Wrong(Loop.Protocol):
                def do_data_received(self, data, length):
                    pass


tap.main()
