# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting as GIO does, asynchronous generators of other languages, and what an error is about."""

import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import GLib, GObject, Loop  # noqa: E402


class Generator(GObject.Object, Loop.AsyncGenerator):
    closing = None
    n_closed = 0

    def do_aclose(self):
        self.n_closed += 1
        return self.closing


class TestBridges(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)

    def test_wait(self):
        future = self.loop.create_future()
        seen = []

        def waited(source, result):
            self.assertIs(source, future)
            source.wait_finish(result)
            seen.append(source.result())
            self.loop.stop()

        self.loop.call_soon(future.wait_async, None, waited)
        self.loop.call_later(0.002, future.set_result, 42)
        self.loop.run_forever()
        self.assertEqual(seen, [42])

    def test_async_generators(self):
        generator = Generator()
        generator.closing = self.loop.create_future()
        self.loop.track_async_generator(generator)
        self.loop.call_later(0.002, generator.closing.set_result, None)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.assertEqual(generator.n_closed, 1)

    def test_failing_generator(self):
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context))
        generator = Generator()
        generator.closing = self.loop.create_future()
        self.loop.track_async_generator(generator)
        self.loop.call_later(0.002, generator.closing.set_exception, KeyError("lost"))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        (report,) = reports
        self.assertIs(report["asyncgen"], generator)
        self.assertIsInstance(report["exception"], KeyError)

    def test_source_traceback(self):
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context))
        self.loop.set_debug(True)
        self.loop.create_future().set_exception(KeyError("lost"))
        self.assertIn("source_traceback", reports[0])
        self.loop.set_debug(False)
        self.loop.create_future().set_exception(KeyError("lost"))
        self.assertNotIn("source_traceback", reports[1])

    def test_context(self):
        context = Loop.ExceptionContext.new("something failed", GLib.Error("no space"))
        self.assertIsNone(context.get_source_traceback())
        context.set_source_traceback("  here")
        self.assertEqual(context.get_source_traceback(), "  here")
        generator = Generator()
        context.set_async_generator(generator)
        self.assertIs(context.get_async_generator(), generator)


tap.main()
