# SPDX-License-Identifier: LGPL-2.1-or-later
"""The default executor of the package's loop."""

import asyncio
import concurrent.futures
import contextvars
import gc
import subprocess
import sys
import textwrap
import threading
import time
import unittest
import weakref

import libloop
from libloop._executor import MAX_THREADS, DefaultExecutor

import tap


def fail(error):
    raise error


class TestRunInExecutor(unittest.TestCase):
    def setUp(self):
        self.loop = libloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def call(self, *call):
        return self.loop.run_until_complete(self.loop.run_in_executor(None, *call))

    def test_result(self):
        self.assertEqual(self.call(divmod, 7, 2), (3, 1))

    def test_thread(self):
        thread = self.call(threading.current_thread)
        self.assertIsNot(thread, threading.current_thread())
        self.assertEqual(thread.name, "asyncio_0")
        self.assertIs(self.call(threading.current_thread), thread)

    def test_exceptions(self):
        for error in ValueError("wrong"), GeneratorExit():
            with self.assertRaises(type(error)) as caught:
                self.call(fail, error)
            self.assertIs(caught.exception, error)

    def test_stop_iteration(self):
        with self.assertRaisesRegex(RuntimeError, "raised StopIteration") as caught:
            self.call(next, iter(()))
        self.assertIsInstance(caught.exception.__cause__, StopIteration)

    def test_cancelled_error(self):
        with self.assertRaises(asyncio.CancelledError):
            self.call(fail, concurrent.futures.CancelledError())

    def test_many(self):
        async def main():
            return await asyncio.gather(*(self.loop.run_in_executor(None, int, i) for i in range(2000)))

        self.assertEqual(self.loop.run_until_complete(main()), list(range(2000)))

    def test_threads_are_started_when_needed(self):
        async def main(count):
            barrier = threading.Barrier(count + 1)
            futures = [self.loop.run_in_executor(None, barrier.wait, 30) for _ in range(count)]
            await self.loop.run_in_executor(concurrent.futures.ThreadPoolExecutor(1), barrier.wait, 30)
            await asyncio.gather(*futures)

        self.loop.run_until_complete(main(2))
        self.assertEqual(len(self.loop._default_executor._threads), 2)
        self.loop.run_until_complete(main(MAX_THREADS))
        self.assertEqual(len(self.loop._default_executor._threads), MAX_THREADS)
        for _ in range(10):
            self.call(int)
        self.assertEqual(len(self.loop._default_executor._threads), MAX_THREADS)

    def test_cancel_before_it_begins(self):
        began = []

        async def main():
            release = threading.Event()
            busy = [self.loop.run_in_executor(None, release.wait, 30) for _ in range(MAX_THREADS)]
            waiting = self.loop.run_in_executor(None, began.append, 1)
            waiting.cancel()
            await asyncio.sleep(0)
            release.set()
            await asyncio.gather(*busy)
            await self.loop.run_in_executor(None, int)
            self.assertTrue(waiting.cancelled())

        self.loop.run_until_complete(main())
        self.assertEqual(began, [])

    def test_cancel_while_it_runs(self):
        async def main():
            begun, release, ended = (threading.Event() for _ in range(3))

            def work():
                begun.set()
                release.wait(30)
                ended.set()
                return 1

            future = self.loop.run_in_executor(None, work)
            while not begun.is_set():
                await asyncio.sleep(0.001)
            future.cancel()
            release.set()
            with self.assertRaises(asyncio.CancelledError):
                await future
            await self.loop.run_in_executor(None, ended.wait, 30)
            self.assertTrue(ended.is_set())

        self.loop.run_until_complete(main())
        self.assertEqual(self.reports, [])

    def test_context(self):
        variable = contextvars.ContextVar("variable", default=0)

        async def main():
            variable.set(1)
            self.assertEqual(await self.loop.run_in_executor(None, variable.get), 0)
            self.assertEqual(await asyncio.to_thread(variable.get), 1)

        self.loop.run_until_complete(main())

    def test_debug(self):
        async def coroutine():
            pass

        self.loop.set_debug(True)
        with self.assertRaisesRegex(TypeError, "coroutines cannot be used with run_in_executor"):
            self.loop.run_in_executor(None, coroutine)

    def test_closed(self):
        self.loop.close()
        with self.assertRaisesRegex(RuntimeError, "closed"):
            self.loop.run_in_executor(None, int)

    def test_close_while_it_runs(self):
        begun, release = threading.Event(), threading.Event()

        def work():
            begun.set()
            release.wait(30)

        future = self.loop.run_in_executor(None, work)
        thread, = self.loop._default_executor._threads
        begun.wait(30)
        self.loop.close()
        release.set()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertFalse(future.done())

    def test_shutdown(self):
        ended = []
        self.loop.run_in_executor(None, lambda: (time.sleep(0.05), ended.append(1)))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.assertEqual(ended, [1])
        with self.assertRaisesRegex(RuntimeError, "Executor shutdown has been called"):
            self.loop.run_in_executor(None, int)

    def test_dropped_loop(self):
        self.call(int)
        thread, = self.loop._default_executor._threads
        executor = weakref.ref(self.loop._default_executor)
        self.loop.close()
        gc.collect()
        self.assertIsNone(executor())
        thread.join(30)
        self.assertFalse(thread.is_alive())

    def test_wrong_loop(self):
        queue = DefaultExecutor()._queue
        with self.assertRaisesRegex(TypeError, "must be a libloop.EventLoop, not object"):
            queue.add(object(), None, int, ())


class TestExecutor(unittest.TestCase):
    """As an executor of concurrent.futures."""

    def setUp(self):
        self.executor = DefaultExecutor()
        self.addCleanup(self.executor.shutdown)

    def test_submit(self):
        self.assertEqual(self.executor.submit(int, "ff", base=16).result(30), 255)
        self.assertIsInstance(self.executor.submit(fail, ValueError()).exception(30), ValueError)
        self.assertEqual(list(self.executor.map(abs, (-1, 2))), [1, 2])

    def test_shutdown(self):
        self.executor.shutdown()
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            self.executor.submit(int)

    def test_cancel_futures(self):
        loop = libloop.new_event_loop()
        self.addCleanup(loop.close)
        release = threading.Event()
        busy = [self.executor.run(loop, release.wait, (30,)) for _ in range(MAX_THREADS)]
        waiting = [self.executor.run(loop, int, ()) for _ in range(3)]
        self.executor.shutdown(wait=False, cancel_futures=True)
        release.set()
        loop.run_until_complete(asyncio.wait(busy + waiting, timeout=30))
        self.assertEqual([future.cancelled() for future in busy + waiting], [False] * MAX_THREADS + [True] * 3)

    def test_set_default_executor(self):
        loop = libloop.new_event_loop()
        self.addCleanup(loop.close)
        loop.set_default_executor(self.executor)
        self.assertEqual(loop.run_until_complete(loop.run_in_executor(None, int, "3")), 3)
        with self.assertRaises(TypeError):
            loop.set_default_executor(None)


class TestExit(unittest.TestCase):
    def run_script(self, script):
        done = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c",
                               textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_what_was_begun_is_ended(self):
        self.assertEqual(self.run_script("""
            import libloop, time
            loop = libloop.new_event_loop()
            loop.run_in_executor(None, lambda: (time.sleep(0.3), print("ended", flush=True)))
            """), "ended\n")

    def test_idle_threads(self):
        self.assertEqual(self.run_script("""
            import libloop
            loop = libloop.new_event_loop()
            print(loop.run_until_complete(loop.run_in_executor(None, int, "5")))
            """), "5\n")


tap.main()
