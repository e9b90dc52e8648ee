# SPDX-License-Identifier: LGPL-2.1-or-later
"""Process pools through introspection: Python functions in workers."""

import ctypes
import os
import signal
import sys
import threading
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402

register = Loop.ProcessPoolExecutor.register


def add(parameters):
    return GLib.Variant("i", sum(parameters.unpack()))


def describe(_parameters, prefix):
    return GLib.Variant("(sii)", (prefix, os.getpid(), threading.active_count()))


def fail(_parameters):
    raise GLib.Error("no space", "g-file-error-quark", GLib.FileError.NOSPC)


def fall(_parameters):
    # What has no place in a GError is printed, which is not for the log of the test.
    os.close(2)
    raise ValueError("unexpected")


def die(_parameters):
    os.kill(os.getpid(), signal.SIGKILL)


def count(_parameters, state=[0]):
    state[0] += 1
    return GLib.Variant("i", state[0])


register("add", GLib.VariantType("ai"), add)
register("describe", None, describe, "from the parent")
for function in (fail, fall, die, count):
    register(function.__name__, None, function)
# A function in C, as a library might register it: this one is good enough, and there.
ctypes.CDLL("libloop-1.so.0").loop_process_pool_executor_register(
    b"echo", None, ctypes.CDLL("libglib-2.0.so.0").g_variant_get_normal_form, None, None, None)
# For all tests: later the process has threads.
Loop.ProcessPoolExecutor.start_zygote()


class ProcessPoolCase(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.pool = Loop.ProcessPoolExecutor.new(2)

    def tearDown(self):
        self.pool.shutdown(True, True)
        self.loop.close()

    def call(self, function, parameters=None):
        return self.loop.run_until_complete(self.pool.submit(self.loop, function, parameters))

    def check_error(self, domain, code, function, parameters=None):
        with self.assertRaises(GLib.Error) as caught:
            self.call(function, parameters)
        self.assertTrue(caught.exception.matches(domain, code), caught.exception)
        return caught.exception.message

    def test_result(self):
        self.assertEqual(self.call("add", GLib.Variant("ai", [1, 2, 3])).unpack(), 6)

    def test_function_in_c(self):
        value = ("text", [1.5, 2.5], {"key": 1})
        self.assertEqual(self.call("echo", GLib.Variant("(sada{si})", value)).unpack(), value)

    def test_runs_elsewhere(self):
        prefix, pid, n_threads = self.call("describe").unpack()
        self.assertEqual(prefix, "from the parent")
        self.assertNotEqual(pid, os.getpid())
        self.assertEqual(n_threads, 1)

    def test_many(self):
        futures = [self.pool.submit(self.loop, "add", GLib.Variant("ai", [i, 1])) for i in range(300)]
        results = [self.loop.run_until_complete(future).unpack() for future in futures]
        self.assertEqual(results, list(range(1, 301)))
        self.assertEqual(self.pool.props.n_workers, 2)
        self.assertEqual(self.pool.props.max_workers, 2)
        self.assertEqual(self.pool.props.queue_depth, 0)

    def test_worker_remembers(self):
        pool = Loop.ProcessPoolExecutor.new(1)
        futures = [pool.submit(self.loop, "count") for _ in range(3)]
        self.assertEqual([self.loop.run_until_complete(future).unpack() for future in futures], [1, 2, 3])
        pool.shutdown(True, False)

    def test_errors(self):
        message = self.check_error(GLib.file_error_quark(), GLib.FileError.NOSPC, "fail")
        self.assertEqual(message, "no space")
        message = self.check_error(Loop.error_quark(), Loop.Error.INVALID_STATE, "fall")
        self.assertEqual(message, "The function “fall” returned neither a result nor an error")
        self.check_error(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND, "unknown")
        self.check_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_ARGUMENT, "add", GLib.Variant("s", "1"))

    def test_crash(self):
        message = self.check_error(Loop.error_quark(), Loop.Error.BROKEN_PROCESS_POOL, "die")
        self.assertIn("killed by signal 9 (Killed)", message)
        self.assertEqual(self.call("add", GLib.Variant("ai", [1])).unpack(), 1)

    def test_registered_too_late(self):
        def late(_parameters):
            return None

        before = sys.getrefcount(late)
        with self.assertRaises(GLib.Error) as caught:
            register("late", None, late)
        self.assertTrue(caught.exception.matches(Loop.error_quark(), Loop.Error.RUNNING))
        self.assertEqual(sys.getrefcount(late), before)

    def test_function_of_this_process(self):
        with self.assertRaises(GLib.Error) as caught:
            self.loop.run_until_complete(self.loop.run_in_executor(self.pool, lambda: (True, None)))
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_SUPPORTED))


tap.main()
