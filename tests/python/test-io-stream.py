# SPDX-License-Identifier: LGPL-2.1-or-later
"""Transports as streams of Gio's."""

import asyncio
import hashlib
import random
import socket
import threading
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class Idle(Loop.Protocol):
    pass


class Eager(Loop.Protocol):
    """Has received something before it hands its transport over."""

    def __init__(self, loop):
        self.data = b""
        self.received = loop.create_future()

    def data_received(self, data):
        self.data += data
        if not self.received.done():
            self.received.set_result(None)


class TestIOStream(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)

    def call(self, function, *args):
        """Calls a pair of functions, _async and _finish, and returns a future."""
        future = self.loop.create_future()
        method = function.__name__.removesuffix("_async")

        def done(source, result):
            try:
                future.set_result(getattr(source, method + "_finish")(result))
            except GLib.Error as error:
                future.set_exception(error)

        function(*args, done)
        return future

    async def connect(self, make_protocol=Idle):
        """A transport, and the plain socket at its other end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            transport = (await self.loop.create_connection(make_protocol, "127.0.0.1", listener.getsockname()[1]))[0]
            peer = listener.accept()[0]
        self.addCleanup(peer.close)
        peer.settimeout(10)
        return transport, peer

    def test_echo(self):
        async def main():
            transport, peer = await self.connect()
            stream = Loop.IOStream(transport=transport)
            self.assertIsInstance(stream, Gio.IOStream)
            self.assertIs(stream.dup_transport(), transport)
            self.assertIs(stream.props.transport, transport)
            output, lines = stream.get_output_stream(), Gio.DataInputStream.new(stream.get_input_stream())

            reading = self.call(lines.read_line_async, 0, None)
            self.assertEqual(await self.call(output.write_all_async, b"question\n", 0, None), (True, 9))
            self.assertEqual(peer.recv(100), b"question\n")
            peer.sendall(b"ans")
            peer.sendall(b"wer\nmore")
            self.assertEqual((await reading)[0], b"answer")

            # Half-close.
            self.assertTrue(await self.call(output.close_async, 0, None))
            self.assertEqual(peer.recv(100), b"")
            peer.close()
            self.assertEqual((await self.call(lines.read_line_async, 0, None))[0], b"more")
            self.assertEqual((await self.call(lines.read_line_async, 0, None))[0], b"")
            self.assertTrue(await self.call(stream.close_async, 0, None))
            self.assertIsNone(stream.dup_transport())

        self.loop.run_until_complete(main())

    def test_splice(self):
        data = random.Random(4711).randbytes(4 * 1024 * 1024)
        received = hashlib.sha256()

        def read(peer):
            while chunk := peer.recv(65536):
                received.update(chunk)

        async def main():
            transport, peer = await self.connect()
            stream = Loop.IOStream.new(transport)
            thread = threading.Thread(target=read, args=[peer])
            thread.start()
            source = Gio.MemoryInputStream.new_from_bytes(GLib.Bytes.new(data))
            n = await self.call(stream.get_output_stream().splice_async, source,
                                Gio.OutputStreamSpliceFlags.CLOSE_TARGET, 0, None)
            thread.join(10)
            self.assertEqual(n, len(data))
            self.assertTrue(await self.call(stream.close_async, 0, None))

        self.loop.run_until_complete(main())
        self.assertEqual(received.hexdigest(), hashlib.sha256(data).hexdigest())

    def test_take_over(self):
        async def main():
            protocol = Eager(self.loop)
            transport, peer = await self.connect(lambda: protocol)
            peer.sendall(b"head")
            await protocol.received
            stream = Loop.IOStream.new(transport)
            stream.feed(GLib.Bytes.new(protocol.data))
            peer.sendall(b" body")
            peer.close()
            data = b""
            while chunk := (await self.call(stream.get_input_stream().read_bytes_async, 100, 0, None)).get_data():
                data += chunk
            self.assertEqual(data, b"head body")
            await self.call(stream.close_async, 0, None)

        self.loop.run_until_complete(main())

    def test_cancel(self):
        async def main():
            transport, peer = await self.connect()
            stream = Loop.IOStream.new(transport)
            cancellable = Gio.Cancellable()
            reading = self.call(stream.get_input_stream().read_bytes_async, 100, 0, cancellable)
            self.loop.call_later(0.01, cancellable.cancel)
            with self.assertRaises(asyncio.CancelledError):
                await reading

            # A blocking call would wait for the loop that it keeps from running.
            with self.assertRaises(GLib.Error) as raised:
                stream.get_input_stream().read_bytes(100, None)
            self.assertTrue(raised.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_SUPPORTED))
            await self.call(stream.close_async, 0, None)

        self.loop.run_until_complete(main())


class Collector(Eager):
    def __init__(self, loop):
        super().__init__(loop)
        self.eof = False
        self.lost = loop.create_future()

    def eof_received(self):
        self.eof = True

    def connection_lost(self, exc):
        self.lost.set_result(exc)


class TestConnect(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)
        self.ours, self.peer = socket.socketpair()
        self.addCleanup(self.peer.close)
        self.peer.settimeout(10)

    def stream(self):
        gsocket = Gio.Socket.new_from_fd(self.ours.detach())
        return gsocket.connection_factory_create_connection()

    def test_talk(self):
        async def main():
            stream = self.stream()
            transport, protocol = await self.loop.connect_io_stream(lambda: Collector(self.loop), stream)
            self.assertIs(transport.get_extra_info("io-stream"), stream)
            self.assertIs(transport.get_extra_info("socket"), stream.get_socket())
            transport.write(b"question")
            self.assertEqual(self.peer.recv(100), b"question")
            self.peer.sendall(b"answer")
            await protocol.received
            transport.write_eof()
            self.assertEqual(self.peer.recv(100), b"")
            self.peer.close()
            self.assertIsNone(await protocol.lost)
            self.assertEqual(protocol.data, b"answer")
            self.assertTrue(protocol.eof)
            self.assertTrue(stream.is_closed())

        self.loop.run_until_complete(main())

    def test_not_pollable(self):
        """Gio reads one in threads."""
        async def main():
            stream = Gio.SimpleIOStream.new(Gio.DataInputStream.new(Gio.MemoryInputStream.new_from_data(b"all of it")),
                                            Gio.MemoryOutputStream.new_resizable())
            transport, protocol = await self.loop.connect_io_stream(lambda: Collector(self.loop), stream)
            self.assertIsNone(await protocol.lost)
            self.assertEqual(protocol.data, b"all of it")

        self.ours.close()
        self.loop.run_until_complete(main())

    def test_errors(self):
        async def main():
            stream = self.stream()
            with self.assertRaises(ZeroDivisionError):
                await self.loop.connect_io_stream(lambda: 1 / 0, stream)
            stream.close(None)
            with self.assertRaises(GLib.Error) as raised:
                await self.loop.connect_io_stream(Idle, stream)
            self.assertTrue(raised.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))

        self.loop.run_until_complete(main())


tap.main()
