# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that are sent, as asyncio's users know it."""

import asyncio
import errno
import io
import os
import resource
import socket
import tempfile
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class Peer(Loop.Protocol):
    def __init__(self, loop):
        self.data = b""
        self.lost = loop.create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data

    def connection_lost(self, exc):
        self.lost.set_result(exc)


class TestSendfile(unittest.TestCase):
    DATA = os.urandom(3_000_000)

    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)

    async def connect(self):
        self.peer = Peer(self.loop)
        self.server = await self.loop.create_server(lambda: self.peer, "127.0.0.1", 0)
        port = self.server.sockets[0].get_local_address().get_port()
        transport, self.client = await self.loop.create_connection(lambda: Peer(self.loop), "127.0.0.1", port)
        return transport

    async def finish(self, transport):
        transport.close()
        await self.peer.lost
        self.server.close()
        return self.peer.data

    def run_with(self, send):
        async def run():
            transport = await self.connect()
            await send(transport)
            return await self.finish(transport)

        return self.loop.run_until_complete(run())

    def test_file(self):
        with tempfile.TemporaryFile() as file:
            file.write(self.DATA)
            file.flush()

            async def send(transport):
                transport.write(b"before ")
                self.assertEqual(await self.loop.sendfile(transport, file), len(self.DATA))
                self.assertEqual(file.tell(), len(self.DATA))
                self.assertEqual(await self.loop.sendfile(transport, file, 1000, 20, fallback=False), 20)
                self.assertEqual(file.tell(), 1020)
                self.assertEqual(await self.loop.sendfile(transport, file, offset=10, count=None), len(self.DATA) - 10)
                transport.write(b" after")

            self.assertEqual(
                self.run_with(send), b"before " + self.DATA + self.DATA[1000:1020] + self.DATA[10:] + b" after"
            )
            # It is still Python's.
            os.fstat(file.fileno())

    def test_stream(self):
        stream = Gio.MemoryInputStream.new_from_bytes(GLib.Bytes(self.DATA))

        async def send(transport):
            self.assertEqual(await self.loop.sendfile(transport, stream, 5), len(self.DATA) - 5)
            with self.assertRaises(asyncio.SendfileNotAvailableError):
                await self.loop.sendfile(transport, stream, fallback=False)

        self.assertEqual(self.run_with(send), self.DATA[5:])

    def test_io_stream(self):
        here, there = (Gio.Socket.new_from_fd(sock.detach()) for sock in socket.socketpair())

        async def run():
            self.peer = Peer(self.loop)
            await self.loop.connect_io_stream(lambda: self.peer, there.connection_factory_create_connection())
            sender = Peer(self.loop)
            await self.loop.connect_io_stream(lambda: sender, here.connection_factory_create_connection())
            with tempfile.TemporaryFile() as file:
                file.write(self.DATA)
                file.flush()
                with self.assertRaises(asyncio.SendfileNotAvailableError):
                    await self.loop.sendfile(sender.transport, file, fallback=False)
                self.assertEqual(await self.loop.sendfile(sender.transport, file, 5), len(self.DATA) - 5)
            sender.transport.close()
            await self.peer.lost

        self.loop.run_until_complete(run())
        self.assertEqual(self.peer.data, self.DATA[5:])

    def test_cancel(self):
        read, write = os.pipe()

        async def send(transport):
            with os.fdopen(read, "rb") as file:
                sending = self.loop.sendfile(transport, file)
                os.write(write, b"half")
                while self.peer.data != b"half":
                    await Loop.sleep(0.001)
                sending.cancel()
                transport.write(b" way")
            os.close(write)

        self.assertEqual(self.run_with(send), b"half way")

    def check_sockets(self, left, right, wrap):
        async def receive():
            data = b""
            while len(data) < len(self.DATA) - 5:
                data += await self.loop.sock_recv(right, 1000000)
            return data

        async def run():
            with tempfile.TemporaryFile() as file:
                file.write(self.DATA)
                file.flush()
                receiving = self.loop.create_task(receive())
                self.assertEqual(await self.loop.sock_sendfile(left, wrap(file), 5), len(self.DATA) - 5)
                self.assertEqual(await receiving, self.DATA[5:])
                with self.assertRaises(asyncio.SendfileNotAvailableError):
                    stream = Gio.MemoryInputStream.new_from_bytes(GLib.Bytes(b"data"))
                    await self.loop.sock_sendfile(left, stream, fallback=False)

        self.loop.run_until_complete(run())

    def test_sockets(self):
        pair = socket.socketpair()
        for sock in pair:
            sock.setblocking(False)
            self.addCleanup(sock.close)
        self.check_sockets(*pair, lambda file: file)
        self.assertEqual(pair[0].gettimeout(), 0)

    def test_gio_sockets(self):
        pair = [Gio.Socket.new_from_fd(sock.detach()) for sock in socket.socketpair()]
        for sock in pair:
            sock.set_blocking(False)
            self.addCleanup(sock.close)
        self.check_sockets(*pair, lambda file: Gio.MemoryInputStream.new_from_bytes(GLib.Bytes(self.DATA)))

    def test_blocking_socket(self):
        left, right = socket.socketpair()

        async def run():
            with tempfile.TemporaryFile() as file:
                file.write(b"data")
                file.flush()
                self.assertEqual(await self.loop.sock_sendfile(left, file), 4)
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with datagrams, tempfile.TemporaryFile() as file, self.assertRaises(ValueError):
                await self.loop.sock_sendfile(datagrams, file)

        with left, right:
            self.loop.run_until_complete(run())
            # It was made for a moment what it is again.
            self.assertTrue(os.get_blocking(left.fileno()))
            self.assertEqual(right.recv(10), b"data")

    def test_no_descriptors(self):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)

        async def send(transport):
            left, right = socket.socketpair()
            with left, right, tempfile.TemporaryFile() as file:
                first_free = os.dup(0)
                os.close(first_free)
                resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, limits[1]))
                try:
                    with self.assertRaises(OSError) as caught:
                        self.loop.sendfile(transport, file)
                    self.assertEqual(caught.exception.errno, errno.EMFILE)
                    with self.assertRaises(OSError) as caught:
                        await self.loop.sock_sendfile(left, file)
                    self.assertEqual(caught.exception.errno, errno.EMFILE)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        self.assertEqual(self.run_with(send), b"")

    def test_misuse(self):
        async def send(transport):
            with tempfile.TemporaryFile("w") as file, self.assertRaises(ValueError):
                self.loop.sendfile(transport, file)
            with self.assertRaises(io.UnsupportedOperation):
                self.loop.sendfile(transport, io.BytesIO())
            with tempfile.TemporaryFile() as file, self.assertRaises(ValueError):
                await self.loop.sendfile(transport, file, -1)
            left, right = socket.socketpair()
            with left, right, tempfile.TemporaryFile() as file:
                for count in 0, -2:
                    with self.assertRaises(ValueError):
                        await self.loop.sendfile(transport, file, 0, count)
                    with self.assertRaises(ValueError):
                        await self.loop.sock_sendfile(left, file, 0, count)

        self.run_with(send)


tap.main()
