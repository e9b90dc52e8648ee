# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocols with memory of their own, as asyncio's users know them."""

import os
import socket
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class Buffered(Loop.BufferedProtocol):
    def __init__(self, loop, make_buffer=lambda sizehint: bytearray(4)):
        self.make_buffer = make_buffer
        self.events = []
        self.received = b""
        self.lost = loop.create_future()

    def connection_made(self, transport):
        self.events.append("made")
        self.transport = transport

    def get_buffer(self, sizehint):
        self.events.append(sizehint)
        self.buffer = self.make_buffer(sizehint)
        return self.buffer

    def buffer_updated(self, nbytes):
        self.events.append(nbytes)
        self.received += bytes(memoryview(self.buffer)[:nbytes])

    def eof_received(self):
        self.events.append("eof")

    def connection_lost(self, exc):
        self.events.append("lost")
        self.lost.set_result(exc)


class Plain(Loop.Protocol):
    def __init__(self, received, switch):
        self.received = received
        self.switch = switch

    def data_received(self, data):
        self.received += data
        self.switch()


class TestBuffered(unittest.TestCase):
    def setUp(self):
        self.reports = []
        self.loop = Loop.EventLoop()
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))
        self.addCleanup(self.loop.close)

    def tearDown(self):
        self.assertEqual(self.reports, [])

    def connect(self, protocol):
        """A read pipe with ``protocol``, and the other end."""
        theirs, ours = os.pipe()
        self.loop.run_until_complete(self.loop.connect_read_pipe(lambda: protocol, open(theirs, "rb", 0)))
        return open(ours, "wb", 0)

    def check(self, make_buffer, events):
        protocol = Buffered(self.loop, make_buffer)
        with self.connect(protocol) as pipe:
            pipe.write(b"hello, world")
        self.assertIsNone(self.loop.run_until_complete(protocol.lost))
        self.assertEqual(protocol.received, b"hello, world")
        self.assertEqual(protocol.events, ["made", *events, -1, "eof", "lost"])

    def test_bytearray(self):
        self.check(lambda sizehint: bytearray(4), [-1, 4, -1, 4, -1, 4])

    def test_view(self):
        memory = bytearray(100)
        self.check(lambda sizehint: memoryview(memory)[10:30], [-1, 12])
        self.assertEqual(memory[10:22], b"hello, world")
        # It is exported no more.
        memory.extend(b"!")

    def test_the_same_memory(self):
        memory = bytearray(5)
        self.check(lambda sizehint: memory, [-1, 5, -1, 5, -1, 2])
        memory.extend(b"!")

    def test_is_a_protocol(self):
        protocol = Buffered(self.loop)
        self.assertIsInstance(protocol, Loop.BufferedProtocol)
        with self.assertRaises(TypeError):

            class Wrong(Loop.BufferedProtocol):
                def do_get_buffer(self, sizehint):
                    return None

    def check_failure(self, make_buffer, kind, text):
        protocol = Buffered(self.loop, make_buffer)
        with self.connect(protocol) as pipe:
            pipe.write(b"hello, world")
            exception = self.loop.run_until_complete(protocol.lost)
        self.assertIsInstance(exception, kind)
        self.assertIn(text, str(exception))
        self.assertEqual(protocol.events, ["made", -1, "lost"])
        context = self.reports.pop()
        self.assertIs(context["exception"], exception)
        self.assertIs(context["protocol"], protocol)
        self.assertIn("get_buffer() of a protocol failed", context["message"])

    def test_failures(self):
        def fail(sizehint):
            raise KeyError("no buffer")

        self.check_failure(lambda sizehint: bytearray(), RuntimeError, "get_buffer() returned an empty buffer")
        self.check_failure(lambda sizehint: None, TypeError, "bytes-like")
        self.check_failure(lambda sizehint: b"only to be read", TypeError, "not writable")
        self.check_failure(fail, KeyError, "no buffer")

    def test_buffer_updated_raises(self):
        protocol = Buffered(self.loop)
        protocol.buffer_updated = lambda nbytes: 1 // 0
        with self.connect(protocol) as pipe:
            pipe.write(b"hello, world")
            exception = self.loop.run_until_complete(protocol.lost)
        self.assertIsInstance(exception, ZeroDivisionError)
        self.assertIs(self.reports.pop()["exception"], exception)

    def test_set_protocol(self):
        """Both ways, in the middle of what is sent: not a byte is lost, and none is in another's place."""
        ours, theirs = socket.socketpair()
        received = bytearray()
        buffered = Buffered(self.loop, lambda sizehint: bytearray(3000))
        plain = Plain(received, lambda: buffered.transport.set_protocol(buffered))

        def updated(nbytes):
            received.extend(buffered.buffer[:nbytes])
            buffered.transport.set_protocol(plain)

        buffered.buffer_updated = updated
        sent = os.urandom(300000)

        async def talk():
            transport, _ = await self.loop.create_connection(lambda: buffered, sock=ours)
            self.assertIs(transport.get_protocol(), buffered)
            other, _ = await self.loop.create_connection(Loop.Protocol, sock=theirs)
            other.write(sent)
            while len(received) < len(sent):
                await Loop.sleep(0.001)
            transport.abort()
            other.abort()

        self.loop.run_until_complete(talk())
        self.assertEqual(bytes(received), sent)

    def test_by_hand(self):
        protocol = Buffered(self.loop)
        size, pointer = Loop.BufferedProtocol.do_get_buffer(protocol, 7)
        self.assertTrue(pointer)
        self.assertEqual((size, protocol.events), (4, [7]))
        with self.assertRaises(GLib.Error) as caught:
            # The default of the class.
            Loop.BufferedProtocol().do_get_buffer(-1)
        self.assertNotEqual(caught.exception.domain, GLib.quark_to_string(Gio.io_error_quark()))


tap.main()
