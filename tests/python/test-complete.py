# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every function and method of the layers without sockets is called somewhere in these tests."""

import re
import unittest
from pathlib import Path

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402

CLASSES = """
    EventLoop Handle TimerHandle ExceptionContext Future Task Coroutine Timeout
    Lock Event Condition Semaphore Barrier Queue Executor ThreadPoolExecutor
""".split()

# Foreign exceptions and what a wait has seen are behind the override. What Python has no use for, or reaches by
# another way: references are counted by PyGObject, coroutines are driven by tasks.
EXEMPT = """
    ref unref send throw throw_exception cancel_with_message get_errors exit at submit
    get_context get_collect_metrics set_collect_metrics get_metrics
    get_defer_finalization set_defer_finalization
""".split()


class TestComplete(unittest.TestCase):
    def test_every_method(self):
        text = "".join(path.read_text() for path in Path(__file__).parent.glob("test-*.py"))
        called = set(re.findall(r"[.](\w+)\b", text))
        missing = []
        for name in CLASSES:
            methods = [method.get_name() for method in getattr(Loop, name).__info__.get_methods()]
            self.assertTrue(methods, name)
            missing += [f"{name}.{method}" for method in methods if method not in called and method not in EXEMPT]
        self.assertFalse(missing, "\n".join(missing))


tap.main()
