# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package libloop: what its loop does beyond what CPython's own tests of asyncio say."""

import asyncio
import concurrent.futures
import contextvars
import gc
import os
import signal
import socket
import sys
import threading
import time
import unittest
import warnings
import weakref

import libloop
import tap


class LoopCase(unittest.TestCase):
    def setUp(self):
        self.loop = libloop.new_event_loop()
        self.addCleanup(self.close)
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def close(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def run_once(self):
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()


class TestWays(unittest.TestCase):
    """The ways in which a program comes to run on a loop of ours."""

    async def main(self):
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    def test_run(self):
        loop = libloop.run(self.main())
        self.assertIsInstance(loop, libloop.EventLoop)
        self.assertTrue(loop.is_closed())

    def test_run_debug(self):
        async def main():
            return asyncio.get_running_loop().get_debug()

        self.assertTrue(libloop.run(main(), debug=True))
        self.assertFalse(libloop.run(main(), debug=False))

    def test_run_inside(self):
        async def main():
            inner = self.main()
            with self.assertRaisesRegex(RuntimeError, "cannot be called from a running event loop"):
                libloop.run(inner)
            inner.close()

        libloop.run(main())

    def test_runner(self):
        with asyncio.Runner(loop_factory=libloop.new_event_loop) as runner:
            self.assertIs(runner.run(self.main()), runner.get_loop())

    def test_policy(self):
        self.addCleanup(asyncio.set_event_loop_policy, None)
        libloop.install()
        self.assertIsInstance(asyncio.get_event_loop_policy(), libloop.EventLoopPolicy)
        self.assertIsInstance(asyncio.run(self.main()), libloop.EventLoop)

    def test_without_policy(self):
        libloop.run(self.main())
        loop = asyncio.new_event_loop()
        self.assertNotIsInstance(loop, libloop.EventLoop)
        loop.close()

    def test_type(self):
        loop = libloop.new_event_loop()
        self.assertIsInstance(loop, asyncio.AbstractEventLoop)
        self.assertIsInstance(loop.call_soon(int), asyncio.Handle)
        self.assertIsInstance(loop.call_later(1, int), asyncio.TimerHandle)
        loop.close()

    def test_context_type(self):
        with self.assertRaisesRegex(TypeError, "GLib.MainContext or None, not int"):
            libloop.new_event_loop(5)


class TestCallbacks(LoopCase):
    def test_order(self):
        seen = []
        for number in range(5):
            self.loop.call_soon(seen.append, number)
        self.run_once()
        self.assertEqual(seen, [0, 1, 2, 3, 4])

    def test_arguments(self):
        seen = []
        self.loop.call_soon(lambda *args: seen.append(args), 1, "two", None)
        self.run_once()
        self.assertEqual(seen, [(1, "two", None)])

    def test_keyword(self):
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'argument'"):
            self.loop.call_soon(int, argument=1)
        with self.assertRaisesRegex(TypeError, "at least 1 positional"):
            self.loop.call_soon()
        with self.assertRaisesRegex(TypeError, "context must be a contextvars.Context, not int"):
            self.loop.call_soon(int, context=5)

    def test_context(self):
        variable = contextvars.ContextVar("variable", default=0)
        seen = []
        context = contextvars.copy_context()
        context.run(variable.set, 1)
        self.loop.call_soon(lambda: seen.append(variable.get()), context=context)
        variable.set(2)
        self.loop.call_soon(lambda: seen.append(variable.get()))
        variable.set(3)
        self.loop.call_later(0, lambda: (seen.append(variable.get()), self.loop.stop()))
        self.loop.run_forever()
        self.assertEqual(seen, [1, 2, 3])

    def test_cancel(self):
        seen = []
        handles = [self.loop.call_soon(seen.append, 1), self.loop.call_later(0, seen.append, 2)]
        for handle in handles:
            self.assertFalse(handle.cancelled())
            handle.cancel()
            handle.cancel()
            self.assertTrue(handle.cancelled())
        self.run_once()
        self.run_once()
        self.assertEqual(seen, [])

    def test_cancel_in_batch(self):
        seen = []
        self.loop.call_soon(lambda: second.cancel())
        second = self.loop.call_soon(seen.append, 2)
        self.run_once()
        self.assertEqual(seen, [])

    def test_cancel_from_thread(self):
        seen = []
        handle = self.loop.call_later(0.05, seen.append, 1)
        thread = threading.Thread(target=handle.cancel)
        self.loop.call_soon(thread.start)
        self.loop.call_later(0.1, self.loop.stop)
        self.loop.run_forever()
        thread.join()
        self.assertEqual(seen, [])

    def test_cancel_frees(self):
        class Argument:
            pass

        argument = Argument()
        reference = weakref.ref(argument)
        handle = self.loop.call_later(1000, id, argument)
        del argument
        self.assertIsNotNone(reference())
        handle.cancel()
        self.assertIsNone(reference())

    def test_done_frees(self):
        class Argument:
            pass

        argument = Argument()
        reference = weakref.ref(argument)
        self.loop.call_soon(id, argument)
        del argument
        self.run_once()
        self.assertIsNone(reference())

    def test_handles_are_used_again(self):
        # None of what one handle was told is left for the next.
        first = self.loop.call_soon(print, "first")
        first.cancel()
        del first
        seen = []
        second = self.loop.call_soon(seen.append, 2)
        self.assertFalse(second.cancelled())
        self.assertIn("append", repr(second))
        self.run_once()
        self.assertEqual(seen, [2])

    def test_time(self):
        self.assertAlmostEqual(self.loop.time(), time.monotonic(), places=2)
        handle = self.loop.call_at(self.loop.time() + 5, int)
        self.assertAlmostEqual(handle.when(), time.monotonic() + 5, places=1)
        handle.cancel()

    def test_bad_times(self):
        for method in self.loop.call_later, self.loop.call_at:
            with self.assertRaises(TypeError):
                method(None, int)
            with self.assertRaises(TypeError):
                method("soon", int)
            with self.assertRaises(ValueError):
                method(float("nan"), int)
        never = self.loop.call_later(float("inf"), int)
        self.run_once()
        never.cancel()

    def test_negative_time(self):
        seen = []
        self.loop.call_later(-5, seen.append, 1)
        self.loop.call_later(0.01, self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(seen, [1])

    def test_ties(self):
        seen = []
        when = self.loop.time() + 0.01
        for number in range(20):
            self.loop.call_at(when, seen.append, number)
        self.loop.call_at(when, self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(seen, list(range(20)))


class TestDescriptors(LoopCase):
    def test_reader(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        seen = []
        self.loop.add_reader(ours, lambda: (seen.append(os.read(ours, 10)), self.loop.stop()))
        os.write(theirs, b"x")
        self.loop.run_forever()
        self.assertEqual(seen, [b"x"])
        self.assertTrue(self.loop.remove_reader(ours))
        self.assertFalse(self.loop.remove_reader(ours))

    def test_regular_file(self):
        with open(__file__, "rb") as file, self.assertRaises(PermissionError):
            self.loop.add_reader(file, int)

    def test_bad_descriptor(self):
        with self.assertRaises(ValueError):
            self.loop.add_reader(-1, int)
        with self.assertRaises(ValueError):
            self.loop.add_reader("file", int)
        with self.assertRaises(OSError):
            self.loop.add_reader(9999, int)


class TestFailures(LoopCase):
    def test_exception(self):
        def fail():
            raise ValueError("planted")

        handle = self.loop.call_soon(fail)
        self.run_once()
        [report] = self.reports
        self.reports.clear()
        self.assertIsInstance(report["exception"], ValueError)
        self.assertIn("fail()", report["message"])
        self.assertIs(report["handle"], handle)
        self.assertIsNotNone(report["exception"].__traceback__)

    def test_exit(self):
        seen = []
        self.loop.call_soon(seen.append, 1)
        self.loop.call_soon(sys.exit, 3)
        self.loop.call_soon(seen.append, 2)
        with self.assertRaises(SystemExit) as caught:
            self.loop.run_forever()
        self.assertEqual(caught.exception.code, 3)
        # As with asyncio, what came after it is for the next run.
        self.assertEqual(seen, [1])
        self.run_once()
        self.assertEqual(seen, [1, 2])

    def test_exit_of_task(self):
        async def leave():
            sys.exit(4)

        with self.assertRaises(SystemExit):
            self.loop.run_until_complete(leave())

    def test_handler_fails(self):
        def handler(loop, context):
            raise ZeroDivisionError

        self.loop.set_exception_handler(handler)
        self.loop.call_soon(int, "x")
        with self.assertLogs("asyncio", "ERROR"):
            self.run_once()

    def test_slow_callback(self):
        self.loop.set_debug(True)
        self.loop.slow_callback_duration = 0.01
        self.loop.call_soon(time.sleep, 0.02)
        with self.assertLogs("asyncio", "WARNING") as logs:
            self.run_once()
        self.assertRegex(logs.output[-1], r"Executing <Handle.*sleep.*created at .*> took 0\.\d+ seconds")

    def test_wrong_thread(self):
        self.loop.set_debug(True)
        caught = []

        def call():
            try:
                self.loop.call_soon(int)
            except RuntimeError as error:
                caught.append(str(error))
            self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=call)
        self.loop.call_soon(thread.start)
        self.loop.run_forever()
        thread.join()
        self.assertIn("Non-thread-safe operation", caught[0])

    def test_coroutine_as_callback(self):
        async def nothing():
            pass

        self.loop.set_debug(True)
        with self.assertRaisesRegex(TypeError, "coroutines cannot be used"):
            self.loop.call_soon(nothing)
        with self.assertRaisesRegex(TypeError, "a callable object was expected"):
            self.loop.call_later(1, 5)

    def test_closed(self):
        self.loop.close()
        self.loop.close()
        for call in (lambda: self.loop.call_soon(int), lambda: self.loop.call_later(1, int),
                     lambda: self.loop.call_soon_threadsafe(int), lambda: self.loop.add_reader(0, int),
                     self.loop.run_forever):
            with self.assertRaisesRegex(RuntimeError, "Event loop is closed"):
                call()
        self.assertTrue(self.loop.is_closed())

    def test_run_within(self):
        caught = []

        def run():
            try:
                self.loop.run_forever()
            except RuntimeError as error:
                caught.append(str(error))

        self.loop.call_soon(run)
        self.run_once()
        self.assertEqual(caught, ["This event loop is already running"])

    def test_close_running(self):
        caught = []

        def close():
            try:
                self.loop.close()
            except RuntimeError as error:
                caught.append(str(error))

        self.loop.call_soon(close)
        self.run_once()
        self.assertEqual(caught, ["Cannot close a running event loop"])


class TestSignals(LoopCase):
    def send(self, number, delay=0.05):
        def send():
            time.sleep(delay)
            os.kill(os.getpid(), number)

        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)

    def test_interrupt_while_waiting(self):
        self.send(signal.SIGINT)
        begun = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            self.loop.call_later(60, int)
            self.loop.run_forever()
        self.assertLess(time.monotonic() - begun, 30)

    def test_interrupt_while_busy(self):
        def again():
            self.loop.call_soon(again)

        again()
        self.send(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            self.loop.run_forever()

    def test_interrupt_of_run(self):
        seen = []

        async def main():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        self.send(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            libloop.run(main())
        self.assertEqual(seen, ["cancelled"])

    def test_handler(self):
        seen = []
        self.loop.add_signal_handler(signal.SIGUSR1, lambda: (seen.append(1), self.loop.stop()))
        self.send(signal.SIGUSR1)
        self.loop.run_forever()
        self.assertEqual(seen, [1])
        self.assertTrue(self.loop.remove_signal_handler(signal.SIGUSR1))
        self.assertFalse(self.loop.remove_signal_handler(signal.SIGUSR1))

    def test_wakeup_is_put_back(self):
        self.run_once()
        self.assertEqual(signal.set_wakeup_fd(-1), -1)

    def test_handler_in_thread(self):
        caught = []

        def run():
            loop = libloop.new_event_loop()
            try:
                loop.add_signal_handler(signal.SIGUSR1, int)
            except (RuntimeError, ValueError) as error:
                caught.append(error)
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(len(caught), 1)


class TestThreads(LoopCase):
    def test_threadsafe(self):
        seen = []

        def post():
            for number in range(1000):
                self.loop.call_soon_threadsafe(seen.append, number)
            self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=post)
        self.loop.call_soon(thread.start)
        self.loop.run_forever()
        thread.join()
        self.assertEqual(seen, list(range(1000)))

    def test_others_go_on(self):
        """A loop that waits does not have the interpreter's lock."""
        counts = []

        def count():
            for _ in range(100):
                counts.append(1)
                time.sleep(0.0001)
            self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=count)
        self.loop.call_soon(thread.start)
        self.loop.run_forever()
        thread.join()
        self.assertEqual(len(counts), 100)

    def test_loops_in_threads(self):
        def run(number):
            async def main():
                await asyncio.sleep(0.001 * number)
                return number

            return libloop.run(main())

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(run, range(50))), list(range(50)))

    def test_to_thread(self):
        self.assertEqual(libloop.run(asyncio.to_thread(int, "42")), 42)

    def test_process_pool(self):
        async def main():
            with concurrent.futures.ProcessPoolExecutor(1) as pool:
                return await asyncio.get_running_loop().run_in_executor(pool, os.getpid)

        self.assertNotEqual(libloop.run(main()), os.getpid())


class TestSockets(LoopCase):
    def test_nodelay(self):
        """As asyncio's, at both ends: a write goes out at once."""
        def get_nodelay(transport):
            return transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

        async def main():
            accepted = self.loop.create_future()

            class Server(asyncio.Protocol):
                def connection_made(self, transport):
                    accepted.set_result(transport)

            server = await self.loop.create_server(Server, "127.0.0.1", 0)
            client, _ = await self.loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
            transports = client, await accepted
            self.assertTrue(all(map(get_nodelay, transports)))
            for transport in transports:
                transport.close()
            server.close()
            await asyncio.sleep(0.01)

        self.loop.run_until_complete(main())


class TestCollector(LoopCase):
    """Handles of which the garbage collector learns late."""

    class Owner:
        def called(self, *args):
            pass

    def check_collected(self, schedule):
        owner = self.Owner()
        owner.handle = schedule(owner)
        watched = weakref.ref(owner)
        del owner
        gc.collect()
        return watched

    def test_pending(self):
        handle = self.loop.call_soon(print)
        timer = self.loop.call_later(1000, print, [])
        self.assertFalse(gc.is_tracked(handle) or gc.is_tracked(timer))
        gc.collect(0)
        self.assertFalse(gc.is_tracked(handle) or gc.is_tracked(timer))
        gc.collect()
        self.assertTrue(gc.is_tracked(handle) and gc.is_tracked(timer) and gc.is_tracked(timer._args))
        handle.cancel()
        timer.cancel()

    def test_context(self):
        handle = self.loop.call_soon(print)
        self.assertTrue(gc.is_tracked(handle._context))
        self.assertIsInstance(handle._context, contextvars.Context)
        handle._context = contextvars.copy_context()
        del handle._context
        with self.assertRaises(AttributeError):
            handle._context
        handle.cancel()
        self.run_once()

    def test_kept_after_it_ran(self):
        watched = self.check_collected(lambda owner: self.loop.call_soon(owner.called, owner))
        self.assertIsNotNone(watched())
        self.run_once()
        gc.collect()
        self.assertIsNone(watched())

    def test_cycle_through_a_context(self):
        variable = contextvars.ContextVar("variable")

        def schedule(owner):
            context = contextvars.copy_context()
            context.run(variable.set, owner)
            return context.run(self.loop.call_soon, owner.called)

        watched = self.check_collected(schedule)
        self.run_once()
        gc.collect()
        self.assertIsNone(watched())

    def test_cancelled(self):
        def schedule(owner):
            timer = self.loop.call_later(1000, owner.called, owner)
            timer.cancel()
            return timer

        watched = self.check_collected(schedule)
        self.run_once()
        gc.collect()
        self.assertIsNone(watched())

    def test_loop_with_what_is_pending(self):
        loop = libloop.new_event_loop()
        owner = self.Owner()
        owner.loop = loop
        owner.handle = loop.call_later(1000, owner.called, owner)
        loop.call_soon(owner.called, owner)
        watched = weakref.ref(owner)
        del owner, loop
        with warnings.catch_warnings(record=True):
            gc.collect()
        self.assertIsNone(watched())


class TestProcess(unittest.TestCase):
    """Forks, other interpreters, the end of this one."""

    def fork(self, function):
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(function())
            except BaseException:
                os._exit(99)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @staticmethod
    def run_in_child():
        async def main():
            await asyncio.sleep(0.001)
            return 7

        return libloop.run(main())

    def test_fork(self):
        self.assertEqual(self.fork(self.run_in_child), 7)

    def test_fork_of_task(self):
        async def main():
            return self.fork(self.run_in_child)

        self.assertEqual(libloop.run(main()), 7)

    def test_sub_interpreter(self):
        import _xxsubinterpreters as interpreters

        other = interpreters.create()
        self.addCleanup(interpreters.destroy, other)
        with self.assertRaisesRegex(interpreters.RunFailedError, "cannot be used in a sub-interpreter"):
            interpreters.run_string(other, "import libloop")

    def run_script(self, script):
        import subprocess

        return subprocess.run([sys.executable, "-X", "dev", "-X", "faulthandler", "-W", "ignore", "-c", script],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_exit_with_work(self):
        done = self.run_script("import libloop, asyncio\n"
                               "loop = libloop.new_event_loop()\n"
                               "loop.call_later(10, print)\n"
                               "loop.create_task(asyncio.sleep(5))\n"
                               "loop.call_soon(loop.stop)\n"
                               "loop.run_forever()\n")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_exit_with_loop_of_policy(self):
        """Which nobody closes."""
        done = self.run_script("import libloop, asyncio\n"
                               "libloop.install()\n"
                               "policy = asyncio.get_event_loop_policy()\n"
                               "policy.set_event_loop(policy.new_event_loop())\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_exit_of_callback(self):
        done = self.run_script("import libloop, sys\n"
                               "async def main(): sys.exit(5)\n"
                               "libloop.run(main())\n")
        self.assertEqual((done.returncode, done.stdout), (5, ""), done.stderr)

    def test_no_warnings(self):
        done = self.run_script("import warnings; warnings.simplefilter('error')\n"
                               "import libloop, asyncio\n"
                               "async def main():\n"
                               "    server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)\n"
                               "    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())\n"
                               "    await reader.read()\n"
                               "    writer.close()\n"
                               "    server.close()\n"
                               "    await server.wait_closed()\n"
                               "libloop.run(main())\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class TestMemory(unittest.TestCase):
    def test_loop_is_freed(self):
        loop = libloop.new_event_loop()
        loop.call_soon(int)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        reference = weakref.ref(loop)
        del loop
        gc.collect()
        self.assertIsNone(reference())

    def test_unclosed_loop_is_freed(self):
        loop = libloop.new_event_loop()
        loop.call_later(1000, print)
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        loop.add_reader(ours, print)
        reference = weakref.ref(loop)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del loop
            gc.collect()
        self.assertIsNone(reference())
        self.assertIn("unclosed event loop", str(caught[0].message))

    def test_growth(self):
        async def main():
            class Echo(asyncio.Protocol):
                def connection_made(self, transport):
                    self.transport = transport

                def data_received(self, data):
                    self.transport.write(data)

            loop = asyncio.get_running_loop()
            server = await loop.create_server(Echo, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            counts = []
            for _ in range(6):
                for _ in range(50):
                    reader, writer = await asyncio.open_connection(*address)
                    writer.write(b"x" * 1000)
                    await reader.readexactly(1000)
                    writer.close()
                    await writer.wait_closed()
                    loop.call_later(1000, int).cancel()
                await asyncio.sleep(0.01)
                gc.collect()
                counts.append((len(gc.get_objects()), len(os.listdir("/proc/self/fd"))))
            server.close()
            return counts

        counts = libloop.run(main())
        self.assertLessEqual(counts[-1][0] - counts[2][0], 20, counts)
        self.assertEqual(counts[-1][1], counts[2][1], counts)


if __name__ == "__main__":
    tap.main()
