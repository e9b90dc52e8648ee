# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ctrl-C, and other handlers of Python's signal module, while a loop runs: real signals, sent by another thread."""

import gc
import os
import signal
import sys
import threading
import time
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import GLib, Loop  # noqa: E402


class HandlerError(Exception):
    pass


class InterruptCase(unittest.TestCase):
    def setUp(self):
        self.printed = []
        self.threads = []
        # PyGObject has Python print what C cannot be told of.
        self.addCleanup(setattr, sys, "excepthook", sys.excepthook)
        sys.excepthook = lambda *error: self.printed.append(error)
        self.handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        # The first one makes the default context, and the file that GLib wakes that with.
        Loop.EventLoop().close()
        gc.collect()
        self.n_files = len(os.listdir("/proc/self/fd"))
        self.loop = Loop.EventLoop()
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def tearDown(self):
        for thread in self.threads:
            thread.join()
        self.loop.close()
        self.assertEqual(self.printed, [])
        self.assertEqual(self.reports, [])
        self.assertEqual([signal.getsignal(number) for number in signal.valid_signals()], self.handlers)
        self.assertEqual(signal.set_wakeup_fd(-1), -1)
        del self.loop
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), self.n_files)

    def send(self, *delays, number=signal.SIGINT):
        def work():
            for delay in delays:
                time.sleep(delay)
                os.kill(os.getpid(), number)

        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()

    def set_handler(self, number, handler):
        self.addCleanup(signal.signal, number, signal.signal(number, handler))
        self.handlers = [signal.getsignal(number) for number in signal.valid_signals()]

    def run_shortly(self):
        self.loop.call_later(0.001, self.loop.stop)
        self.loop.run_forever()

    def assert_interrupted(self, run, *args, delay=0.02, number=signal.SIGINT, kind=KeyboardInterrupt):
        start = time.monotonic()
        with self.assertRaises(kind) as caught:
            self.send(delay, number=number)
            run(*args)
        self.assertLess(time.monotonic() - start, 5)
        self.assertIsNone(caught.exception.__context__)
        # It goes on as ever.
        self.run_shortly()


class TestCtrlC(InterruptCase):
    def test_idle(self):
        for run in (
            self.loop.run_forever,
            lambda: self.loop.run_until_complete(self.loop.create_future()),
            lambda: self.loop.run_until_complete(Loop.sleep(20)),
        ):
            self.assert_interrupted(run)
            for task in self.loop.all_tasks():
                task.cancel()
            self.run_shortly()

    def test_endless_callback(self):
        def spin():
            while True:
                pass

        async def sleep():
            time.sleep(20)

        self.loop.call_soon(spin)
        self.assert_interrupted(self.loop.run_forever)
        self.assert_interrupted(self.loop.run_until_complete, sleep())

    def test_busy_at_any_moment(self):
        """In the callback, in the overrides and in the library."""
        calls = []

        def chain():
            calls.append(None)
            self.loop.call_soon(chain)

        async def spin():
            while True:
                await Loop.sleep(0)

        for i in range(100):
            self.loop.call_soon(chain)
            self.assert_interrupted(self.loop.run_forever, delay=0.0002 * (i % 10))
        for i in range(30):
            task = self.loop.create_task(spin())
            self.assert_interrupted(self.loop.run_until_complete, task, delay=0.0002 * (i % 10))
            task.cancel()
            self.run_shortly()
            if not task.cancelled():
                self.assertIsInstance(task.exception(), KeyboardInterrupt)
        self.assertGreater(len(calls), 100)

    def test_caught_in_a_callback(self):
        caught = []

        def stubborn():
            try:
                time.sleep(20)
            except KeyboardInterrupt as error:
                caught.append(error)

        for _ in range(3):
            self.loop.call_soon(stubborn)
        self.loop.call_soon(self.loop.stop)
        self.send(0.02, 0.02, 0.02)
        self.loop.run_forever()
        self.assertEqual(len(caught), 3)

        self.assert_interrupted(self.loop.run_forever)

    def test_before_and_after(self):
        """In each line that leads up to the library and away from it."""

        def trace(frame, event, arg):
            if frame.f_code.co_filename.endswith("_loop_signals.py") or frame.f_code.co_name == "_run":
                lines.append(frame.f_lineno)
                if len(lines) == wanted:
                    sys.settrace(None)
                    os.kill(os.getpid(), signal.SIGINT)
            return trace

        n_files = len(os.listdir("/proc/self/fd"))
        for wanted in range(1, 1000):
            lines = []
            self.loop.call_soon(self.loop.stop)
            sys.settrace(trace)
            try:
                self.loop.run_forever()
            except KeyboardInterrupt:
                pass
            else:
                break
            finally:
                sys.settrace(None)
            self.assertEqual(signal.set_wakeup_fd(-1), -1)
            self.assertEqual(len(os.listdir("/proc/self/fd")), n_files, lines)
            self.run_shortly()
        self.assertEqual(len(lines), wanted - 1)
        self.assertGreater(wanted, 20)


class TestHandlers(InterruptCase):
    def test_own_handler(self):
        """The loop goes on, if the handler says nothing else."""
        for number in (signal.SIGINT, signal.SIGUSR2, signal.SIGALRM):
            seen = []
            self.set_handler(number, lambda number, frame: seen.append(number))
            self.send(0.01, 0.01, number=number)
            start = time.monotonic()
            while len(seen) < 2 and time.monotonic() - start < 5:
                self.loop.call_later(0.1, self.loop.stop)
                self.loop.run_forever()
            self.assertEqual(seen, [number, number])
            self.send(0.02, number=number)
            self.set_handler(number, lambda number, frame: self.loop.stop())
            self.loop.run_forever()
            self.assertLess(time.monotonic() - start, 10)

    def test_own_handler_raises(self):
        def handler(number, frame):
            raise HandlerError(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            self.set_handler(number, handler)
            for _ in range(10):
                self.assert_interrupted(self.loop.run_forever, number=number, kind=HandlerError)

    def test_handler_of_the_loop(self):
        """Set while the loop runs, and still set when it has stopped."""
        seen = []

        def handle():
            seen.append(True)
            self.loop.stop()

        self.loop.call_soon(self.loop.add_signal_handler, signal.SIGINT, handle)
        for n in (1, 2):
            self.send(0.02)
            self.loop.run_forever()
            self.assertEqual(len(seen), n)
        self.assertTrue(self.loop.remove_signal_handler(sig=signal.SIGINT))
        self.assert_interrupted(self.loop.run_forever)

    def test_wakeup_fd_of_others(self):
        ours, theirs = os.pipe2(os.O_NONBLOCK)
        signal.set_wakeup_fd(theirs)
        try:
            self.assert_interrupted(self.loop.run_forever)
        finally:
            self.assertEqual(signal.set_wakeup_fd(-1), theirs)
        try:
            # Set while the loop runs, it stays.
            self.loop.call_soon(signal.set_wakeup_fd, theirs)
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        finally:
            self.assertEqual(signal.set_wakeup_fd(-1), theirs)
        os.close(ours)
        os.close(theirs)


class TestNested(InterruptCase):
    def test_main_loop_in_callback(self):
        after = []

        def dialog():
            main = GLib.MainLoop()
            main.run()
            after.append(True)

        self.loop.call_soon(dialog)
        self.assert_interrupted(self.loop.run_forever)
        self.assertEqual(after, [True])

    def test_loop_in_main_loop(self):
        for run in (self.loop.run_forever, lambda: self.loop.run_until_complete(self.loop.create_future())):
            main = GLib.MainLoop()
            caught = []

            def callback():
                try:
                    run()
                except KeyboardInterrupt as error:
                    caught.append(error)

            GLib.idle_add(callback)
            self.assert_interrupted(main.run)
            self.assertEqual(len(caught), 1)

    def test_run_within_a_run(self):
        """It is refused, and leaves the outer one as it was."""

        def again():
            for loop in (self.loop, Loop.EventLoop()):
                with self.assertRaises(GLib.Error) as caught:
                    loop.run_forever()
                self.assertTrue(caught.exception.matches(Loop.error_quark(), Loop.Error.RUNNING))
                if loop is not self.loop:
                    loop.close()

        self.loop.call_soon(again)
        self.assert_interrupted(self.loop.run_forever)


class TestThreads(InterruptCase):
    def test_other_thread(self):
        """A loop in another thread goes on, whatever happens in the main thread."""
        loop = Loop.EventLoop()
        errors = []

        def work():
            try:
                loop.run_forever()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            self.send(0.02)
            time.sleep(20)
        self.assert_interrupted(self.loop.run_forever)
        self.assertTrue(thread.is_alive())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        self.assertFalse(thread.is_alive())
        self.assertEqual(errors, [])
        loop.close()


tap.main()
