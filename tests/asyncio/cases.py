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
    test_events.TestCGetEventLoop test_sslproto.SslProtoHandshakeTests test_unix_events.TestFunctional
    test.test_asyncgen.AsyncGenAsyncioTest test.test_contextlib_async test.test_coroutines.CoroAsyncIOCompatTest
    unittest.test.test_async_case
"""

# Classes that make asyncio's own loop, and are given another.
BY_ATTRIBUTE = """
    test_base_events.BaseEventLoopTests test_base_events.BaseEventLoopWithSelectorTests
    test_unix_events.SelectorEventLoopSignalTests test_unix_events.SelectorEventLoopUnixSocketTests
    test_unix_events.SelectorEventLoopUnixSockSendfileTests
"""

# What is left out, and why.
INSIDES = "calls or replaces _run_once(), _ready, _scheduled or the selector of asyncio's own loop"
MOCKS = "its sockets are mocks, which have no number"
LEFT_OUT = {
    "EventLoop.test_internal_fds": "counts the descriptors of asyncio's own selector loop",
    **dict.fromkeys((f"test_base_events.BaseEventLoopTests.{name}" for name in (
        "test__run_once", "test__run_once_schedule_handle", "test__run_once_cancelled_event_cleanup", "test_call_later",
        "test_call_soon", "test_run_forever_pre_stopped", "test_set_exc_handler_broken", "test_set_exc_handler_custom",
        "test_single_selecter_event_callback_after_stopping")), INSIDES),
    "test_base_events.BaseEventLoopTests.test_not_implemented": MOCKS,
    **dict.fromkeys((f"test_base_events.BaseEventLoopWithSelectorTests.{name}" for name in (
        "test_create_connection_ip_addr", "test_create_connection_ipv6_scope", "test_create_connection_no_inet_pton",
        "test_create_connection_service_name", "test_create_datagram_endpoint_ip_addr",
        "test_create_server_soreuseport_only_defined")), MOCKS),
    "test_base_events.BaseEventLoopWithSelectorTests.test_log_slow_callbacks": INSIDES,
    "test_unix_events.SelectorEventLoopSignalTests.test_close_on_finalizing": "replaces sys in asyncio.unix_events",
    "test_unix_events.SelectorEventLoopUnixSockSendfileTests.test_sock_sendfile_blocking_error": INSIDES,
}


def load(path):
    """A module, or a class of one; of test.test_asyncio, if the path does not begin with another package."""
    if not path.startswith(("test.", "unittest.")):
        path = f"test.test_asyncio.{path}"
    package, _, name = path.rpartition(".")
    if name[0].isupper():
        return getattr(importlib.import_module(package), name)
    return importlib.import_module(path)


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


def give_loop(case):
    class Tests(case):
        def setUp(self):
            super().setUp()
            self.loop.close()
            self.loop = libloop.new_event_loop()
            self.set_event_loop(self.loop)

    Tests.__name__, Tests.__qualname__ = case.__name__, case.__qualname__
    return Tests


def use_policy():
    asyncio.DefaultEventLoopPolicy._loop_factory = staticmethod(libloop.new_event_loop)


def tests_of(case):
    return [case(name) for name in unittest.defaultTestLoader.getTestCaseNames(case)]


def classes_of(path):
    loaded = load(path)
    if isinstance(loaded, type):
        return [loaded]
    return [value for value in vars(loaded).values()
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == loaded.__name__]


def cases(wanted=None):
    """All tests, or all that are near those that are wanted: their names, and what makes them."""
    def is_wanted(prefix):
        return wanted is None or any(name.startswith(f"{prefix}.") for name in wanted)

    for name, path in MIXINS.items():
        if is_wanted(name):
            for test in tests_of(make_mixin(name, path)):
                yield f"{name}.{test._testMethodName}", test
    use_policy()
    for path in BY_POLICY.split():
        module = next(part for part in reversed(path.split(".")) if not part[0].isupper())
        if is_wanted(module):
            for case in classes_of(path):
                for test in tests_of(case):
                    yield f"{module}.{case.__name__}.{test._testMethodName}", test
    for path in BY_ATTRIBUTE.split():
        if is_wanted(path):
            for test in tests_of(give_loop(load(path))):
                yield f"{path}.{test._testMethodName}", test


def main():
    names = sys.argv[1:]
    if names == ["--list"]:
        print("\n".join(name for name, _ in cases()))
        return 0
    found = dict(cases(names))
    suite = unittest.TestSuite(found[name] for name in names)
    return not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
