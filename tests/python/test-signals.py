# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals through introspection."""

import gc
import os
import signal
import subprocess
import time
import unittest
import weakref

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class TestSignals(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.seen = []

    def tearDown(self):
        self.loop.close()

    def run_for(self, seconds):
        self.loop.call_later(seconds, self.loop.stop)
        self.assertTrue(self.loop.run_forever())

    def run_until(self, condition):
        deadline = time.monotonic() + 15
        while not condition():
            self.assertLess(time.monotonic(), deadline, "waited in vain")
            self.run_for(0.002)

    def test_catch_and_remove(self):
        self.loop.add_signal_handler(signal.SIGUSR1, self.seen.append, "usr1")
        self.loop.add_signal_handler(signal.SIGTERM, lambda *args: self.seen.append(args), 1, None)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.run_until(lambda: self.seen)
        os.kill(os.getpid(), signal.SIGTERM)
        self.run_until(lambda: len(self.seen) == 2)
        self.assertEqual(self.seen, ["usr1", (1, None)])

        self.assertTrue(self.loop.remove_signal_handler(signal.SIGUSR1))
        self.assertFalse(self.loop.remove_signal_handler(signal.SIGUSR1))
        self.assertTrue(self.loop.remove_signal_handler(signal.SIGTERM))

    def test_replace(self):
        self.loop.add_signal_handler(signal.SIGUSR1, self.seen.append, "a")
        self.loop.add_signal_handler(signal.SIGUSR1, self.seen.append, "b")
        os.kill(os.getpid(), signal.SIGUSR1)
        self.run_until(lambda: self.seen)
        self.assertEqual(self.seen, ["b"])

    def test_errors(self):
        for signum in (0, -1, 65, 1000, 32, 33, signal.SIGKILL, signal.SIGSTOP):
            with self.assertRaises(GLib.Error) as caught:
                self.loop.add_signal_handler(signum, print)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_ARGUMENT))
        self.assertFalse(self.loop.remove_signal_handler(signal.SIGKILL))
        with self.assertRaises(TypeError):
            self.loop.add_signal_handler(signal.SIGUSR1, None)
        with self.assertRaises(TypeError):
            self.loop.add_signal_handler("SIGUSR1", print)

        other = Loop.EventLoop.new()
        other.add_signal_handler(signal.SIGUSR1, print)
        with self.assertRaises(GLib.Error) as caught:
            self.loop.add_signal_handler(signal.SIGUSR1, print)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.EXISTS))
        other.close()
        with self.assertRaises(GLib.Error) as caught:
            other.add_signal_handler(signal.SIGUSR1, print)
        self.assertTrue(caught.exception.matches(Loop.error_quark(), Loop.Error.CLOSED))

    def test_real_time(self):
        for _ in range(100):
            self.loop.add_signal_handler(signal.SIGRTMIN + 2, self.seen.append, 1)
            os.kill(os.getpid(), signal.SIGRTMIN + 2)
        self.run_until(lambda: len(self.seen) >= 100)
        self.run_for(0.005)
        self.assertEqual(len(self.seen), 100)

    def test_python_gets_its_handler_back(self):
        previous = signal.signal(signal.SIGUSR1, lambda signum, frame: self.seen.append("python"))
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)
        self.loop.add_signal_handler(signal.SIGUSR1, self.seen.append, "loop")
        os.kill(os.getpid(), signal.SIGUSR1)
        self.run_until(lambda: self.seen)
        self.loop.remove_signal_handler(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.run_until(lambda: len(self.seen) == 2)
        self.assertEqual(self.seen, ["loop", "python"])

    def test_exception(self):
        def fail():
            raise RuntimeError("no luck")

        self.loop.add_signal_handler(signal.SIGUSR1, fail)
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
        os.kill(os.getpid(), signal.SIGUSR1)
        self.run_until(lambda: reports)
        self.assertEqual(repr(reports), "[RuntimeError('no luck')]")

    def test_callbacks_are_freed(self):
        class Callback:
            def __call__(self):
                pass

        callbacks = [Callback(), Callback(), Callback()]
        weak = [weakref.ref(callback) for callback in callbacks]
        self.loop.add_signal_handler(signal.SIGUSR1, callbacks[0])
        self.loop.add_signal_handler(signal.SIGUSR2, callbacks[1])
        self.loop.add_signal_handler(signal.SIGTERM, callbacks[2])
        del callbacks
        self.loop.remove_signal_handler(signal.SIGUSR1)
        self.loop.add_signal_handler(signal.SIGUSR2, print)
        self.loop.close()
        gc.collect()
        self.assertEqual([ref() for ref in weak], [None] * 3)

    def test_children_of_subprocess(self):
        """Programs that Python runs have default handlers, and SIGCHLD tells of their end."""
        self.loop.add_signal_handler(signal.SIGCHLD, self.seen.append, "chld")
        self.loop.add_signal_handler(signal.SIGTERM, self.seen.append, "term")
        with subprocess.Popen(["sleep", "60"]) as child:
            child.terminate()
            self.assertEqual(child.wait(15), -signal.SIGTERM)
        self.run_until(lambda: self.seen)
        self.assertEqual(set(self.seen), {"chld"})


tap.main()
