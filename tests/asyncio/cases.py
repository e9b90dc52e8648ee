# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPython's own tests of asyncio, with libloop's event loop in the place of asyncio's.

    cases.py --list     prints the names of all
    cases.py NAME...    runs those, in this interpreter
"""

import asyncio
import importlib
import sys
import unittest

import libloop

# Classes of CPython's that are told which loop to make.
MIXINS = {
    "EventLoop": "test_events.EventLoopTestsMixin",
    "Subprocess": "test_events.SubprocessTestsMixin",
    "Sock": "test_sock_lowlevel.BaseSockTestsMixin",
    "Sendfile": "test_sendfile.SendfileTestsBase",
    "StartServer": "test_server.BaseStartServer",
    "BufferedProtocol": "test_buffered_proto.BaseTestBufferedProtocol",
    "StartTLS": "test_sslproto.BaseStartTLS",
    "SubprocessStreams": "test_subprocess.SubprocessMixin",
}

# Modules, or classes of them, that ask the policy for a loop.
BY_POLICY = """
    test_streams test_ssl test_locks test_queues test_taskgroups test_timeouts test_waitfor test_threads test_context
    test_events.TestServer test_events.TestAbstractServer test_base_events.RunningLoopTests
    test_server.SelectorStartServerTests
    test_tasks.RunCoroutineThreadsafeTests test_tasks.GenericTaskTests test_tasks.SleepTests test_tasks.CompatibilityTests
    test_tasks.CTask_CFuture_Tests test_tasks.CCurrentLoopTests test_tasks.CTask_Future_Tests test_tasks.FutureGatherTests test_tasks.CoroutineGatherTests
    test_tasks.CIntrospectionTests
"""

# What is left out, and why.
LEFT_OUT = {
    "EventLoop.test_internal_fds": "counts the descriptors of asyncio's own selector loop",
}


def load(path):
    module, _, name = path.partition(".")
    module = importlib.import_module(f"test.test_asyncio.{module}")
    return getattr(module, name) if name else module


def make_mixin(name, path):
    from test.test_asyncio import utils

    class Tests(load(path), utils.TestCase):
        def create_event_loop(self):
            return libloop.new_event_loop()

        new_loop = create_event_loop

        def setUp(self):
            super().setUp()
            if not hasattr(self, "loop"):
                self.loop = self.create_event_loop()
                self.set_event_loop(self.loop)

    if path == "test_events.SubprocessTestsMixin":
        Tests.setUp = lambda self: (utils.TestCase.setUp(self), setattr(self, "loop", libloop.new_event_loop()),
                                    self.set_event_loop(self.loop))[0]
    Tests.__name__ = Tests.__qualname__ = name
    return Tests


def use_policy():
    asyncio.DefaultEventLoopPolicy._loop_factory = staticmethod(libloop.new_event_loop)


def tests_of(case):
    return [case(name) for name in unittest.defaultTestLoader.getTestCaseNames(case)]


def cases():
    """All tests: their names, and what makes them."""
    for name, path in MIXINS.items():
        for test in tests_of(make_mixin(name, path)):
            yield f"{name}.{test._testMethodName}", test
    use_policy()
    for path in BY_POLICY.split():
        loaded = load(path)
        classes = [loaded] if isinstance(loaded, type) else [
            value for value in vars(loaded).values()
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == loaded.__name__]
        for case in classes:
            for test in tests_of(case):
                yield f"{path.split('.')[0]}.{case.__name__}.{test._testMethodName}", test


def main():
    names = sys.argv[1:]
    found = dict(cases())
    if names == ["--list"]:
        print("\n".join(found))
        return 0
    suite = unittest.TestSuite(found[name] for name in names)
    return not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
