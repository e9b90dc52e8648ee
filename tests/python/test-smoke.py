# SPDX-License-Identifier: LGPL-2.1-or-later
"""libloop through introspection alone: callbacks, futures, a server and a client."""

import asyncio
import contextlib
import gc
import hashlib
import math
import os
import socket
import sys
import threading
import time
import unittest
import weakref

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, GObject, Loop  # noqa: E402


class Recorder(Loop.Protocol):
    """Writes down what happens, and echoes if it is asked to."""

    def __init__(self, echo=False, keep_open=False, on_data=None):
        super().__init__()
        self.echo = echo
        self.keep_open = keep_open
        self.on_data = on_data
        self.events = []
        self.received = bytearray()
        self.transport = None
        self.exception = None

    def connection_made(self, transport):
        self.events.append("made")
        self.transport = transport

    def data_received(self, data):
        assert isinstance(data, bytes)
        if self.events[-1:] != ["data"]:
            self.events.append("data")
        self.received += data
        if self.echo:
            self.transport.write(data)
        if self.on_data:
            self.on_data(data)

    def eof_received(self):
        self.events.append("eof")
        return self.keep_open

    def pause_writing(self):
        self.events.append("pause")

    def resume_writing(self):
        self.events.append("resume")

    def connection_lost(self, exception):
        self.events.append("lost")
        self.exception = exception


class LoopCase(unittest.TestCase):
    def setUp(self):
        self.reports = []
        self.loop = Loop.EventLoop.new()
        self.loop.set_exception_handler(self.note_report)

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def note_report(self, loop, context):
        self.reports.append((context["message"], context.get("exception")))

    def run_for(self, seconds):
        self.loop.call_later(seconds, self.loop.stop)
        self.assertTrue(self.loop.run_forever())

    def run_until(self, condition):
        deadline = time.monotonic() + 15
        while not condition():
            self.assertLess(time.monotonic(), deadline, "waited in vain")
            self.run_for(0.002)

    def wait_for(self, future):
        return self.loop.run_until_complete(future)

    @contextlib.contextmanager
    def assert_error(self, domain, code):
        with self.assertRaises(GLib.Error) as caught:
            yield caught
        self.assertTrue(caught.exception.matches(domain, code), caught.exception)


class TestCallbacks(LoopCase):
    def test_order(self):
        seen = []
        for i in range(5):
            self.loop.call_soon(seen.append, i)
        self.loop.call_soon(self.loop.stop)
        self.assertTrue(self.loop.run_forever())
        self.assertEqual(seen, list(range(5)))

    def test_arguments(self):
        seen = []
        self.loop.call_soon(lambda *args: seen.append(args), "a", None, [1])
        self.loop.call_soon(lambda *args: seen.append(args))
        self.run_for(0)
        self.assertEqual(seen, [("a", None, [1]), ()])

    def test_timers(self):
        seen = []
        start = self.loop.time()
        self.loop.call_later(0.02, seen.append, "later")
        self.loop.call_at(start + 0.01, seen.append, "at")
        self.loop.call_later(-1, seen.append, "now")
        never = self.loop.call_later(math.inf, seen.append, "never")
        handle = self.loop.call_later(0.015, seen.append, "cancelled")
        self.assertAlmostEqual(handle.when(), start + 0.015, delta=0.01)
        self.assertFalse(handle.cancelled())
        handle.cancel()
        self.assertTrue(handle.cancelled())
        self.run_until(lambda: len(seen) == 3)
        self.assertGreaterEqual(self.loop.time() - start, 0.02)
        self.assertEqual(seen, ["now", "at", "later"])
        never.cancel()

    def test_bad_delay(self):
        with self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_ARGUMENT):
            self.loop.call_later(math.nan, print)
        with self.assertRaises(TypeError):
            self.loop.call_later("soon", print)
        with self.assertRaises(TypeError):
            self.loop.call_soon(42)

    def test_cancel(self):
        seen = []
        self.loop.call_soon(seen.append, 1)
        self.loop.call_soon(seen.append, 2).cancel()
        self.run_for(0)
        self.assertEqual(seen, [1])

    def test_from_thread(self):
        seen = []

        def work():
            for i in range(100):
                self.loop.call_soon_threadsafe(lambda i: seen.append((i, threading.current_thread())), i)
            self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=work)
        thread.start()
        self.assertTrue(self.loop.run_forever())
        thread.join()
        self.assertEqual(seen, [(i, threading.main_thread()) for i in range(100)])

    def test_exception_in_callback(self):
        seen = []

        def fail():
            raise RuntimeError("no luck")

        self.loop.call_soon(fail)
        self.loop.call_soon(seen.append, 1)
        self.run_for(0)
        self.assertEqual(seen, [1])
        (message, error), = self.reports
        self.reports.clear()
        self.assertIn("Exception in callback <function", message)
        self.assertEqual(repr(error), "RuntimeError('no luck')")

    def test_running_loop(self):
        seen = []
        self.assertIsNone(Loop.EventLoop.get_running())
        self.loop.call_soon(lambda: seen.append(Loop.EventLoop.get_running()))
        self.loop.call_soon(lambda: seen.append(self.loop.is_running()))
        self.run_for(0)
        self.assertEqual(seen, [self.loop, True])
        self.assertFalse(self.loop.is_running())

    def test_run_while_running(self):
        errors = []

        def run_again():
            for loop in (self.loop, Loop.EventLoop.new()):
                try:
                    loop.run_forever()
                except GLib.Error as error:
                    errors.append(error)

        self.loop.call_soon(run_again)
        self.run_for(0)
        self.assertEqual(len(errors), 2)
        for error in errors:
            self.assertTrue(error.matches(Loop.error_quark(), Loop.Error.RUNNING), error)

    def test_closed(self):
        self.assertFalse(self.loop.is_closed())
        self.assertTrue(self.loop.close())
        self.assertTrue(self.loop.close())
        self.assertTrue(self.loop.is_closed())
        for call in (
            lambda: self.loop.call_soon(print),
            lambda: self.loop.call_later(1, print),
            lambda: self.loop.call_at(1, print),
            lambda: self.loop.call_soon_threadsafe(print),
            lambda: self.loop.run_forever(),
        ):
            with self.assert_error(Loop.error_quark(), Loop.Error.CLOSED):
                call()

    def test_error_domain(self):
        self.loop.close()
        with self.assertRaises(GLib.Error) as caught:
            self.loop.run_forever()
        self.assertEqual(caught.exception.domain, "loop-error-quark")

    def test_references(self):
        def callback(data):
            pass

        class Data:
            pass

        data = Data()
        weak = weakref.ref(data)
        before = sys.getrefcount(callback)
        self.loop.call_soon(callback, data)
        self.loop.call_later(0, callback, data)
        self.loop.call_later(1000, callback, data).cancel()
        pending = self.loop.call_later(1000, callback, data)
        del data
        self.run_for(0.005)
        self.assertIsNotNone(weak())
        pending.cancel()
        del pending
        self.run_for(0)
        gc.collect()
        self.assertIsNone(weak())
        self.assertEqual(sys.getrefcount(callback), before)

    def test_references_at_close(self):
        class Data:
            pass

        data = Data()
        weak = weakref.ref(data)
        self.loop.call_soon(print, data)
        self.loop.call_later(1000, print, data)
        self.loop.call_soon_threadsafe(print, data)
        del data
        self.loop.close()
        gc.collect()
        self.assertIsNone(weak())

    def test_reader(self):
        seen = []
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.loop.add_reader(ours.fileno(), lambda: seen.append(ours.recv(10)))
            theirs.send(b"x")
            self.run_until(lambda: seen)
            self.assertTrue(self.loop.remove_reader(ours.fileno()))
            self.assertFalse(self.loop.remove_reader(ours.fileno()))
        self.assertEqual(seen, [b"x"])
        with self.assertRaisesRegex(ValueError, "-1"):
            self.loop.add_reader(-1, print)

    def test_main_context(self):
        """The default context, iterated by somebody else: what a GTK application has."""
        seen = []
        loop = Loop.EventLoop.new_for_context(None)
        main = GLib.MainLoop()
        loop.call_soon(seen.append, "soon")
        loop.call_later(0.01, seen.append, "later")
        loop.call_later(0.02, main.quit)
        main.run()
        self.assertEqual(seen, ["soon", "later"])
        loop.close()


class TestFutures(LoopCase):
    def test_results(self):
        for result in (42, "text", 1.5, True, self.loop, None):
            future = self.loop.create_future()
            self.assertFalse(future.done())
            self.loop.call_soon(future.set_result, result)
            self.assertEqual(self.wait_for(future), result)
            self.assertTrue(future.done())
            self.assertEqual(future.result(), result)

    def test_exception(self):
        future = self.loop.create_future()
        error = GLib.Error.new_literal(Gio.io_error_quark(), "busy", Gio.IOErrorEnum.BUSY)
        self.loop.call_soon(future.set_exception, error)
        with self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY):
            self.wait_for(future)
        self.assertTrue(future.exception().matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))

    def test_cancel(self):
        future = self.loop.create_future()
        self.loop.call_soon(future.cancel)
        with self.assertRaises(asyncio.CancelledError):
            self.wait_for(future)
        self.assertTrue(future.cancelled())

    def test_invalid_state(self):
        future = self.loop.create_future()
        with self.assert_error(Loop.error_quark(), Loop.Error.INVALID_STATE):
            future.result()
        future.set_result(1)
        with self.assert_error(Loop.error_quark(), Loop.Error.INVALID_STATE):
            future.set_result(2)

    def test_callbacks(self):
        seen = []
        future = self.loop.create_future()
        future.add_done_callback(seen.append)
        future.add_done_callback(print)
        future.add_done_callback(print)
        self.assertEqual(future.remove_done_callback(print), 2)
        self.assertEqual(future.remove_done_callback(print), 0)
        future.set_result(1)
        self.assertEqual(seen, [])
        self.run_for(0)
        self.assertEqual(seen, [future])

    def test_unretrieved_exception(self):
        future = self.loop.create_future()
        future.set_exception(GLib.Error.new_literal(Gio.io_error_quark(), "busy", Gio.IOErrorEnum.BUSY))
        del future
        gc.collect()
        self.assertEqual([message for message, _ in self.reports], ["Future exception was never retrieved"])
        self.reports.clear()

    def test_stopped(self):
        self.loop.call_soon(self.loop.stop)
        with self.assert_error(Loop.error_quark(), Loop.Error.STOPPED):
            self.wait_for(self.loop.create_future())


class TestTcp(LoopCase):
    def setUp(self):
        super().setUp()
        self.accepted = []
        self.server = None
        self.n_fds = len(os.listdir("/proc/self/fd"))

    def serve(self, factory=None, options={}, **keywords):
        def make():
            self.accepted.append(Recorder(**keywords))
            return self.accepted[-1]

        self.server = self.wait_for(self.loop.create_server(factory or make, "127.0.0.1", 0, **options))
        self.port = self.server.sockets[0].get_local_address().get_port()

    def connect(self, **keywords):
        client = Recorder(**keywords)
        transport, protocol = self.wait_for(self.loop.create_connection(lambda: client, "127.0.0.1", self.port))
        self.assertIs(protocol, client)
        self.assertIs(transport.get_protocol(), client)
        self.assertEqual(client.events, ["made"])
        return client

    def raw(self):
        raw = socket.create_connection(("127.0.0.1", self.port), 15)
        self.addCleanup(raw.close)
        return raw

    def test_echo(self):
        self.serve(echo=True)
        client = self.connect()
        client.transport.write(b"hello ")
        client.transport.write_bytes(GLib.Bytes.new(b"from "))
        client.transport.writelines([GLib.Bytes.new(b"Py"), GLib.Bytes.new(b"thon")])
        self.run_until(lambda: len(client.received) == 17)
        self.assertEqual(client.received, b"hello from Python")

        client.transport.close()
        self.assertTrue(client.transport.is_closing())
        self.run_until(lambda: self.accepted[0].events[-1] == "lost")
        self.assertEqual(client.events, ["made", "data", "lost"])
        self.assertEqual(self.accepted[0].events, ["made", "data", "eof", "lost"])
        self.assertIsNone(client.exception)

    def test_binary(self):
        """All bytes, NUL among them, and much of them."""
        self.serve(echo=True)
        client = self.connect()
        data = bytes(range(256)) * 20000
        client.transport.write(data)
        self.run_until(lambda: len(client.received) == len(data))
        self.assertEqual(hashlib.sha256(client.received).digest(), hashlib.sha256(data).digest())
        self.assertIn("pause", client.events)
        self.assertIn("resume", client.events)

    def test_many_clients(self):
        self.serve(echo=True)
        clients = [self.connect() for _ in range(50)]
        for i, client in enumerate(clients):
            client.transport.write(b"<%d>" % i)
        self.run_until(lambda: all(client.received for client in clients))
        self.assertEqual([bytes(client.received) for client in clients], [b"<%d>" % i for i in range(50)])

    def test_plain_socket(self):
        self.serve(echo=True, keep_open=True)
        raw = self.raw()
        raw.sendall(b"request")
        raw.shutdown(socket.SHUT_WR)
        self.run_until(lambda: self.accepted and self.accepted[0].events[-1] == "eof")
        self.accepted[0].transport.write(b" and answer")
        self.accepted[0].transport.close()
        self.run_until(lambda: self.accepted[0].events[-1] == "lost")
        self.assertEqual(raw.makefile("rb").read(), b"request and answer")

    def test_reset(self):
        self.serve()
        raw = self.raw()
        self.run_until(lambda: self.accepted and self.accepted[0].events)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
        self.run_until(lambda: self.accepted[0].events[-1] == "lost")
        self.assertEqual(self.accepted[0].events, ["made", "lost"])
        self.assertTrue(self.accepted[0].exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_CLOSED))

    def test_transport(self):
        self.serve()
        client = self.connect()
        transport = client.transport
        self.assertIsInstance(transport, Loop.Transport)
        self.assertIs(transport.get_loop(), self.loop)
        self.assertTrue(transport.is_reading())
        transport.pause_reading()
        self.assertFalse(transport.is_reading())
        transport.resume_reading()
        self.assertTrue(transport.can_write_eof())
        self.assertEqual(transport.get_write_buffer_size(), 0)
        transport.set_write_buffer_limits(1000, 100)
        self.assertEqual(tuple(transport.get_write_buffer_limits()), (100, 1000))
        with self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.INVALID_ARGUMENT):
            transport.set_write_buffer_limits(100, 1000)
        self.assertEqual(transport.get_extra_info("peername").get_port(), self.port)
        self.assertIsInstance(transport.get_extra_info("socket"), Gio.Socket)
        self.assertIsNone(transport.get_extra_info("no such thing"))

        other = Recorder()
        transport.set_protocol(other)
        self.assertIs(transport.props.protocol, other)
        self.run_until(lambda: self.accepted)
        self.accepted[0].transport.write(b"for the other")
        self.run_until(lambda: other.received)
        self.assertEqual(client.received, b"")
        transport.abort()
        self.run_until(lambda: other.events[-1] == "lost")

    def test_server(self):
        self.serve()
        client = self.connect()
        self.assertTrue(self.server.is_serving())
        self.assertIs(self.server.get_loop(), self.loop)
        with self.assert_error(Loop.error_quark(), Loop.Error.RUNNING):
            forever = self.server.serve_forever()
            self.wait_for(self.server.serve_forever())
        self.server.close()
        self.assertFalse(self.server.is_serving())
        self.assertFalse(self.server.get_sockets())
        self.run_for(0)
        self.assertTrue(forever.cancelled())
        self.server.close_clients()
        self.wait_for(self.server.wait_closed())
        self.run_until(lambda: client.events[-1] == "lost")
        with self.assert_error(Loop.error_quark(), Loop.Error.CLOSED):
            self.wait_for(self.server.start_serving())

    def test_options(self):
        options = {"start_serving": False, "backlog": 5, "reuse_port": True}
        self.serve(options=options)
        self.assertFalse(self.server.is_serving())
        with self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED):
            self.connect()
        self.wait_for(self.server.start_serving())
        for local in (("127.0.0.3", 0), Gio.InetSocketAddress.new_from_string("127.0.0.3", 0)):
            self.wait_for(self.loop.create_connection(Recorder, "127.0.0.1", self.port, local_addr=local))
        self.run_until(lambda: self.accepted and self.accepted[0].transport)
        peer = self.accepted[0].transport.get_extra_info("peername")
        self.assertEqual(peer.get_address().to_string(), "127.0.0.3")

    def test_bad_hosts(self):
        self.serve()
        for host in ("127.0.0.1\0.example.org", "\0", "a" * 300, "nonexistent.invalid", "", 42):
            with self.subTest(host=host):
                with self.assertRaises((GLib.Error, ValueError, TypeError)) as caught:
                    self.wait_for(self.loop.create_connection(Recorder, host, self.port))
                self.assertNotIn("SystemError", repr(caught.exception))
        for host in ("127.0.0.1\0.example.org", "\0", "a" * 300, "nonexistent.invalid", 42):
            with self.subTest(server=host):
                with self.assertRaises((GLib.Error, ValueError, TypeError)):
                    self.wait_for(self.loop.create_server(Recorder, ["127.0.0.1", host], 0))
        self.run_for(0.01)
        self.assertEqual(self.accepted, [])

    def test_bad_ports(self):
        for port in (-1, 65536, "http"):
            with self.subTest(port=port):
                with self.assertRaises((OverflowError, TypeError)):
                    self.loop.create_connection(Recorder, "127.0.0.1", port)

    def test_port_in_use(self):
        self.serve()
        with self.assert_error(Gio.io_error_quark(), Gio.IOErrorEnum.ADDRESS_IN_USE) as caught:
            self.wait_for(self.loop.create_server(Recorder, "127.0.0.1", self.port))
        self.assertIn(f"127.0.0.1:{self.port}", caught.exception.message)

    def check_factory(self, factory, kind, text):
        """One connection is refused and reported, by server and client; the next is served."""
        good = []

        def mostly(*args):
            if not good:
                good.append(None)
                return factory()
            good.append(Recorder(echo=True))
            return good[-1]

        self.serve(mostly)
        raw = self.raw()
        self.run_until(lambda: self.reports)
        self.assertEqual(raw.recv(1), b"")
        (message, error), = self.reports
        self.assertIsInstance(error, kind)
        self.assertIn(text, str(error))
        self.reports.clear()

        raw = self.raw()
        raw.sendall(b"x")
        self.run_until(lambda: len(good) > 1 and good[1].received)
        self.assertEqual(raw.recv(1), b"x")

        with self.assertRaisesRegex(kind, text):
            self.wait_for(self.loop.create_connection(factory, "127.0.0.1", self.port))
        self.run_for(0.01)

    def test_factory_raises(self):
        def factory():
            raise RuntimeError("no protocol today")

        self.check_factory(factory, RuntimeError, "no protocol today")

    def test_factory_returns_no_protocol(self):
        for factory in (lambda: None, lambda: 42, GObject.Object):
            with self.subTest(factory=factory):
                self.check_factory(factory, TypeError, "is to return a Loop.Protocol")

    def test_factory_closes_server(self):
        def factory():
            self.server.close()
            self.accepted.append(Recorder(echo=True))
            return self.accepted[-1]

        self.serve(factory)
        raw = self.raw()
        raw.sendall(b"x")
        self.run_until(lambda: self.accepted and self.accepted[0].received)
        self.assertEqual(raw.recv(1), b"x")
        self.assertFalse(self.server.is_serving())

    def test_exception_in_protocol(self):
        """It is reported, and ends the connection."""

        def fail(data):
            raise RuntimeError("bad data")

        self.serve(on_data=fail)
        raw = self.raw()
        raw.sendall(b"bad")
        self.run_until(lambda: self.accepted and self.accepted[0].events[-1] == "lost")
        (message, error), = self.reports
        self.reports.clear()
        self.assertEqual(message, "Fatal error: protocol.data_received() call failed.")
        self.assertEqual(str(error), "bad data")
        self.assertIs(self.accepted[0].exception, error)

    def test_references(self):
        """Protocols, transports and factories go when they are not needed any more."""
        weak_protocols = []
        data = GLib.Bytes.new(b"x" * 1000)

        def factory():
            protocol = Recorder(echo=True)
            weak_protocols.append(weakref.ref(protocol))
            return protocol

        before = sys.getrefcount(factory)
        self.serve(factory)
        for _ in range(5):
            weak_protocols.append(self.exchange(data))
        weak_server = weakref.ref(self.server)
        self.server.close()
        self.wait_for(self.server.wait_closed())
        self.server = None
        self.run_for(0.005)
        gc.collect()
        self.assertEqual([weak() for weak in weak_protocols], [None] * 10)
        self.assertIsNone(weak_server())
        self.assertEqual(sys.getrefcount(factory), before)

    def exchange(self, data):
        client = self.connect()
        client.transport.write_bytes(data)
        self.run_until(lambda: len(client.received) == data.get_size())
        client.transport.close()
        self.run_until(lambda: client.events[-1] == "lost")
        client.transport = None
        return weakref.ref(client)

    def test_loop_closed_with_all_open(self):
        self.serve(echo=True)
        client = self.connect()
        raw = self.raw()
        self.run_until(lambda: len(self.accepted) == 2 and all(peer.transport for peer in self.accepted))
        self.loop.close()
        self.assertEqual(raw.recv(1), b"")
        self.assertEqual(client.events, ["made"])
        raw.close()
        weak = weakref.ref(self.loop)
        client.transport = None
        for peer in self.accepted:
            peer.transport = None
        self.server = None
        self.loop = None
        gc.collect()
        self.assertIsNone(weak())
        self.assertLess(len(os.listdir("/proc/self/fd")), self.n_fds)
        self.loop = Loop.EventLoop.new()

    def test_client_in_thread(self):
        """Servers do not care who the client is: here a blocking one, in another thread."""
        self.serve(echo=True)
        answers = []

        def work():
            with socket.create_connection(("127.0.0.1", self.port), 15) as raw:
                for i in range(100):
                    raw.sendall(b"%d" % i)
                    answers.append(raw.recv(100))
            self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=work)
        thread.start()
        self.assertTrue(self.loop.run_forever())
        thread.join()
        self.assertEqual(answers, [b"%d" % i for i in range(100)])


tap.main()
