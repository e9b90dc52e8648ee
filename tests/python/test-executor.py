# SPDX-License-Identifier: LGPL-2.1-or-later
"""Executors through introspection: Python functions in threads of the library's."""

import asyncio
import concurrent.futures
import gc
import math
import multiprocessing
import sys
import threading
import time
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import GLib, GObject, Loop  # noqa: E402


class ExecutorCase(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.executor = Loop.ThreadPoolExecutor.new(2, "py")

    def tearDown(self):
        self.executor.shutdown(True, True)
        self.loop.close()

    def run_for(self, seconds):
        self.loop.call_later(seconds, self.loop.stop)
        self.assertTrue(self.loop.run_forever())

    def wait_for(self, future):
        return self.loop.run_until_complete(future)


class TestExecutor(ExecutorCase):
    def submit(self, function, *args):
        return self.loop.run_in_executor(self.executor, function, *args)

    def test_runs_elsewhere(self):
        seen = []

        def work(*args):
            seen.append((threading.get_ident(), args))
            return None

        self.wait_for(self.submit(work, "a", 1))
        (ident, args), = seen
        self.assertNotEqual(ident, threading.get_ident())
        self.assertEqual(args, ("a", 1))

    def test_result(self):
        for value in (42, "text", 1.5, None, [1, "two"], {"three": 3}, self.loop):
            with self.subTest(value=value):
                self.assertEqual(self.wait_for(self.submit(lambda: value)), value)

    def test_error(self):
        def work():
            raise GLib.Error("no space", "g-file-error-quark", GLib.FileError.NOSPC)

        with self.assertRaises(GLib.Error) as caught:
            self.wait_for(self.submit(work))
        self.assertTrue(caught.exception.matches(GLib.file_error_quark(), GLib.FileError.NOSPC))
        self.assertEqual(caught.exception.message, "no space")

    def test_properties(self):
        self.assertEqual(self.executor.props.max_workers, 2)
        self.assertEqual(self.executor.props.thread_name_prefix, "py")
        self.assertEqual(self.executor.get_max_workers(), 2)
        self.assertEqual(self.executor.get_thread_name_prefix(), "py")
        self.assertEqual(self.executor.props.n_workers, 0)
        self.wait_for(self.submit(lambda: None))
        self.assertEqual(self.executor.get_n_workers(), 1)
        self.assertEqual(self.executor.get_n_idle(), 1)
        self.assertEqual(self.executor.get_queue_depth(), 0)

    def test_loop_goes_on(self):
        ticks = []

        def tick():
            ticks.append(None)
            self.loop.call_later(0.001, tick)

        def work():
            time.sleep(0.05)
            return "slept"

        tick()
        self.assertEqual(self.wait_for(self.submit(work)), "slept")
        self.assertGreater(len(ticks), 5)

    def test_many(self):
        futures = [self.loop.run_in_executor(None, int, i) for i in range(300)]
        self.assertEqual([self.wait_for(future) for future in futures], list(range(300)))

    def test_cancel(self):
        gate = threading.Event()
        seen = []

        def work(name):
            gate.wait(15)
            seen.append(name)
            return name

        futures = [self.submit(work, name) for name in "abcd"]
        while self.executor.get_queue_depth() > 2:
            time.sleep(0.001)
        self.assertTrue(futures[3].cancel())
        self.assertTrue(futures[0].cancel())
        gate.set()
        self.assertEqual(self.wait_for(futures[2]), "c")
        self.executor.shutdown(True, False)
        self.run_for(0)
        self.assertEqual(sorted(seen), ["a", "b", "c"])
        self.assertTrue(futures[0].cancelled())

    def test_functions_are_freed(self):
        def work():
            return None

        before = sys.getrefcount(work)
        futures = [self.submit(work) for _ in range(20)]
        futures[-1].cancel()
        for future in futures[:-1]:
            self.wait_for(future)
        del futures, future
        self.executor.shutdown(True, False)
        self.run_for(0)
        gc.collect()
        self.assertEqual(sys.getrefcount(work), before)

    def test_loop_closed(self):
        gate = threading.Event()

        def work():
            gate.wait(15)
            return None

        before = sys.getrefcount(work)
        for _ in range(4):
            self.submit(work)
        self.loop.close()
        gate.set()
        self.executor.shutdown(True, False)
        gc.collect()
        self.assertEqual(sys.getrefcount(work), before)

    def test_default(self):
        self.loop.set_default_executor(self.executor)
        self.wait_for(self.loop.run_in_executor(None, lambda: None))
        self.assertEqual(self.executor.get_n_workers(), 1)
        self.wait_for(self.loop.shutdown_default_executor(10))
        self.assertEqual(self.executor.get_n_workers(), 0)
        with self.assertRaises(GLib.Error) as caught:
            self.wait_for(self.loop.run_in_executor(None, lambda: None))
        self.assertTrue(caught.exception.matches(Loop.error_quark(), Loop.Error.CLOSED))
        self.assertEqual(caught.exception.message, "Executor shutdown has been called")


class TestConcurrentFutures(ExecutorCase):
    """Executors of concurrent.futures, as with asyncio."""

    def setUp(self):
        super().setUp()
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.addCleanup(self.pool.shutdown)

    def test_outcomes(self):
        def fail(error):
            raise error

        seen = []
        result = [1, {}]
        self.assertIs(self.wait_for(self.loop.run_in_executor(self.pool, lambda *args: result, 1, "a")), result)
        self.wait_for(self.loop.run_in_executor(self.pool, lambda: seen.append(threading.get_ident())))
        self.assertNotEqual(seen, [threading.get_ident()])
        error = KeyError("no luck")
        with self.assertRaises(KeyError) as caught:
            self.wait_for(self.loop.run_in_executor(self.pool, fail, error))
        self.assertIs(caught.exception, error)
        with self.assertRaises(asyncio.CancelledError):
            self.wait_for(self.loop.run_in_executor(self.pool, fail, concurrent.futures.CancelledError()))
        with self.assertRaises(TypeError):
            self.loop.run_in_executor(self.pool, None)

    def test_processes(self):
        with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            self.assertEqual(self.wait_for(self.loop.run_in_executor(pool, math.factorial, 20)), math.factorial(20))

    def test_cancel(self):
        gate = threading.Event()
        futures = [self.loop.run_in_executor(self.pool, gate.wait, 15) for _ in range(4)]
        futures[3].cancel()
        self.run_for(0.001)
        gate.set()
        for future in futures[:3]:
            self.assertTrue(self.wait_for(future))
        self.assertTrue(futures[3].cancelled())
        # One that runs goes on, and nobody is told.
        gate.clear()
        running = self.loop.run_in_executor(self.pool, gate.wait, 15)
        running.cancel()
        gate.set()
        self.run_for(0.01)
        self.assertTrue(running.cancelled())

    def test_default(self):
        self.loop.set_default_executor(self.pool)
        names = [self.wait_for(self.loop.run_in_executor(None, lambda: threading.current_thread().name))]
        self.loop.set_default_executor(self.executor)
        names.append(self.wait_for(self.loop.run_in_executor(None, lambda: threading.current_thread().name)))
        self.assertTrue(names[0].startswith("ThreadPoolExecutor"))
        self.assertFalse(names[1].startswith("ThreadPoolExecutor"))

        self.loop.set_default_executor(self.pool)
        gate = threading.Event()
        last = self.loop.run_in_executor(None, gate.wait, 15)
        with self.assertWarns(RuntimeWarning):
            self.wait_for(self.loop.shutdown_default_executor(0.01))
        self.assertFalse(last.done())
        self.loop.call_later(0.01, gate.set)
        self.wait_for(self.loop.shutdown_default_executor(timeout=15))
        self.assertTrue(self.wait_for(last))
        with self.assertRaises(RuntimeError):
            self.loop.run_in_executor(None, print)

    def test_closed(self):
        """The loop shuts its default executor down, and waits for nobody."""
        gate = threading.Event()
        self.loop.set_default_executor(self.pool)
        self.loop.run_in_executor(None, gate.wait, 15)
        self.loop.close()
        gate.set()
        with self.assertRaises(RuntimeError):
            self.pool.submit(print)
        self.pool.shutdown()

    def test_references(self):
        def work(argument):
            return argument

        argument = object()
        before = sys.getrefcount(work), sys.getrefcount(argument)
        for _ in range(10):
            self.assertIs(self.wait_for(self.loop.run_in_executor(self.pool, work, argument)), argument)
            self.loop.run_in_executor(self.pool, work, argument).cancel()
        self.pool.shutdown()
        self.run_for(0.01)
        gc.collect()
        self.assertEqual((sys.getrefcount(work), sys.getrefcount(argument)), before)


class TestOthers(ExecutorCase):
    def test_refused(self):
        class Executor(GObject.Object, Loop.Executor):
            def do_submit(self, loop, func, user_data):
                raise AssertionError

        class Pool(concurrent.futures.Executor):
            pass

        for wrong in (Executor(), 42, threading, object()):
            with self.assertRaises(TypeError):
                self.loop.run_in_executor(wrong, print)
            with self.assertRaises(TypeError):
                self.loop.set_default_executor(wrong)
        with self.assertRaises(TypeError):
            self.loop.set_default_executor(Pool())
        with self.assertRaises(TypeError):
            self.loop.set_default_executor(None)

    def test_arguments(self):
        executor = Loop.ThreadPoolExecutor(3, "name")
        self.assertEqual((executor.get_max_workers(), executor.get_thread_name_prefix()), (3, "name"))
        self.assertGreater(Loop.ThreadPoolExecutor().get_max_workers(), 0)
        executor.shutdown()
        with self.assertRaises(RuntimeError):
            self.loop.run_in_executor(executor, print)


if __name__ == "__main__":  # What another process imports is not to run the tests.
    tap.main()
