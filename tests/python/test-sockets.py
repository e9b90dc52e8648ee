# SPDX-License-Identifier: LGPL-2.1-or-later
"""The low-level socket operations, with sockets of Python's and of GIO's."""

import array
import asyncio
import os
import socket
import ssl
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class TestSockets(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.addCleanup(self.loop.close)

    def run_async(self, coro):
        return self.loop.run_until_complete(Loop.wait_for(self.loop.create_task(coro), 20))

    def make_pair(self):
        pair = socket.socketpair()
        for sock in pair:
            sock.setblocking(False)
            self.addCleanup(sock.close)
        return pair

    def make_gio_pair(self):
        pair = [Gio.Socket.new_from_fd(sock.detach()) for sock in self.make_pair()]
        for sock in pair:
            sock.set_blocking(False)
            self.addCleanup(sock.close)
        return pair

    def listen(self, family=socket.AF_INET, address=("127.0.0.1", 0)):
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.bind(address)
        sock.listen()
        sock.setblocking(False)
        return sock

    def test_recv_and_sendall(self):
        for pair in (self.make_pair(), self.make_gio_pair()):
            a, b = pair

            async def run():
                receiving = self.loop.create_task(self.loop.sock_recv(a, 100))
                await Loop.sleep(0.01)
                self.assertFalse(receiving.done())
                self.assertIsNone(await self.loop.sock_sendall(b, b"hello"))
                self.assertEqual(await receiving, b"hello")
                for data in (bytearray(b"one"), memoryview(b"xtwox")[1:4], array.array("H", [1, 2])):
                    await self.loop.sock_sendall(b, data)
                    self.assertEqual(await self.loop.sock_recv(a, 100), bytes(data))

            self.run_async(run())

    def test_sendall_of_much(self):
        data = os.urandom(3_000_000)
        for a, b in (self.make_pair(), self.make_gio_pair()):

            async def run():
                sending = self.loop.create_task(self.loop.sock_sendall(a, data))
                received = bytearray()
                while len(received) < len(data):
                    received += await self.loop.sock_recv(b, 200_000)
                await sending
                return received

            self.assertEqual(self.run_async(run()), data)

    def test_recv_into(self):
        for a, b in (self.make_pair(), self.make_gio_pair()):

            async def run():
                first = bytearray(b"xxxxxx")
                receiving = self.loop.create_task(self.loop.sock_recv_into(a, memoryview(first)[1:4]))
                await Loop.sleep(0)
                await self.loop.sock_sendall(b, b"abcde")
                self.assertEqual(await receiving, 3)
                self.assertEqual(first, b"xabcxx")
                second = array.array("H", [0, 0])
                self.assertEqual(await self.loop.sock_recv_into(a, second), 2)
                self.assertEqual(second.tobytes(), b"de\0\0")
                # asyncio's: what is read-only is refused, at once.
                with self.assertRaises((TypeError, BufferError)):
                    await self.loop.sock_sendall(b, b"x")
                    await self.loop.sock_recv_into(a, b"read-only")

            self.run_async(run())

    def test_datagrams(self):
        a, b = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for sock in (a, b):
            self.addCleanup(sock.close)
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)

        async def run():
            self.assertEqual(await self.loop.sock_sendto(a, b"ping", b.getsockname()), 4)
            self.assertEqual(await self.loop.sock_recvfrom(b, 100), (b"ping", a.getsockname()))
            receiving = self.loop.create_task(self.loop.sock_recvfrom_into(b, buffer := bytearray(8), 3))
            await Loop.sleep(0)
            await self.loop.sock_sendto(a, bytearray(b"pong"), b.getsockname())
            self.assertEqual(await receiving, (3, a.getsockname()))
            self.assertEqual(buffer, b"pon" + bytes(5))

        self.run_async(run())

    def test_gio_datagrams(self):
        any_address = Gio.InetSocketAddress.new_from_string("127.0.0.1", 0)
        a, b = (Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM, 0) for _ in range(2))
        for sock in (a, b):
            self.addCleanup(sock.close)
            sock.bind(any_address, True)

        async def run():
            self.assertEqual(await self.loop.sock_sendto(a, b"ping", b.get_local_address()), 4)
            data, address = await self.loop.sock_recvfrom(b, 100)
            self.assertEqual((data, address.get_port()), (b"ping", a.get_local_address().get_port()))
            await self.loop.sock_sendto(a, b"pong", b.get_local_address())
            size, address = await self.loop.sock_recvfrom_into(b, buffer := bytearray(3))
            self.assertEqual((size, bytes(buffer), address.get_family()), (3, b"pon", Gio.SocketFamily.IPV4))

        self.run_async(run())

    def test_connect_and_accept(self):
        listener = self.listen()

        async def run():
            for host in ("127.0.0.1",):
                client = socket.socket()
                client.setblocking(False)
                accepting = self.loop.create_task(self.loop.sock_accept(listener))
                self.assertIsNone(await self.loop.sock_connect(client, (host, listener.getsockname()[1])))
                connection, address = await accepting
                self.assertEqual(connection.gettimeout(), 0)
                self.assertFalse(connection.get_inheritable())
                self.assertEqual(address, client.getsockname())
                await self.loop.sock_sendall(connection, b"welcome")
                self.assertEqual(await self.loop.sock_recv(client, 100), b"welcome")
                connection.close()
                self.assertEqual(await self.loop.sock_recv(client, 100), b"")
                client.close()

        self.run_async(run())

    def test_gio_connect_and_accept(self):
        listener = Gio.Socket.new_from_fd(self.listen().detach())
        self.addCleanup(listener.close)
        address = listener.get_local_address()

        async def run():
            for target in (address, ("127.0.0.1", address.get_port()),
                           Gio.NetworkAddress.new("127.0.0.1", address.get_port())):
                client = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0)
                await self.loop.sock_connect(client, target)
                connection, peer = await self.loop.sock_accept(listener)
                self.assertFalse(connection.get_blocking())
                self.assertEqual(peer.get_port(), client.get_local_address().get_port())
                await self.loop.sock_sendall(connection, b"welcome")
                self.assertEqual(await self.loop.sock_recv(client, 100), b"welcome")
                connection.close()
                client.close()

        self.run_async(run())

    def test_unix(self):
        path = f"\0libloop-test-sockets-{os.getpid()}"
        listener = self.listen(socket.AF_UNIX, path)

        async def run():
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            await self.loop.sock_connect(client, path)
            connection, _ = await self.loop.sock_accept(listener)
            other = Gio.Socket.new(Gio.SocketFamily.UNIX, Gio.SocketType.STREAM, 0)
            await self.loop.sock_connect(other, path)
            second, _ = await self.loop.sock_accept(listener)
            for sock in (client, connection, other, second):
                sock.close()

        self.run_async(run())

    def test_unix_queue_is_full(self):
        """A client for which the server has no room waits, whatever socket it has."""
        path = f"\0libloop-test-sockets-full-{os.getpid()}"

        async def run():
            with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
                listener.bind(path)
                listener.listen(0)
                first.connect(path)
                own = socket.socket(socket.AF_UNIX)
                own.setblocking(False)
                for client in (own, Gio.Socket.new(Gio.SocketFamily.UNIX, Gio.SocketType.STREAM, 0)):
                    connecting = self.loop.create_task(self.loop.sock_connect(client, path))
                    await Loop.sleep(0.05)
                    self.assertFalse(connecting.done())
                    listener.accept()[0].close()
                    await connecting
                    client.close()

        self.run_async(run())

    def test_refused(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        async def run():
            with socket.socket() as client:
                client.setblocking(False)
                with self.assertRaisesRegex(ConnectionRefusedError, "Connect call failed"):
                    await self.loop.sock_connect(client, ("127.0.0.1", port))

        self.run_async(run())

    def test_misuse(self):
        a, b = self.make_pair()

        async def run():
            self.loop.set_debug(True)
            a.setblocking(True)
            for attempt in (
                self.loop.sock_recv(a, 1), self.loop.sock_recv_into(a, bytearray(1)), self.loop.sock_recvfrom(a, 1),
                self.loop.sock_recvfrom_into(a, bytearray(1)), self.loop.sock_sendall(a, b"x"),
                self.loop.sock_sendto(a, b"x", ("127.0.0.1", 1)), self.loop.sock_connect(a, "/x"),
                self.loop.sock_accept(a),
            ):
                with self.assertRaisesRegex(ValueError, "the socket must be non-blocking"):
                    await attempt
            gio = self.make_gio_pair()[0]
            gio.set_blocking(True)
            with self.assertRaisesRegex(ValueError, "must be non-blocking"):
                await self.loop.sock_recv(gio, 1)
            self.loop.set_debug(False)
            a.setblocking(False)
            self.assertTrue(self.loop.sock_check(a.fileno()))
            with self.assertRaises(TypeError):
                await self.loop.sock_recv(17, 1)
            wrapped = ssl.create_default_context().wrap_socket(b.dup(), do_handshake_on_connect=False,
                                                               server_hostname="x")
            with self.assertRaisesRegex(TypeError, "SSLSocket"):
                await self.loop.sock_recv(wrapped, 1)
            wrapped.close()

        self.run_async(run())

    def test_transport_has_it(self):
        class Protocol(Loop.Protocol):
            pass

        listener = self.listen()

        async def run():
            transport, _ = await self.loop.create_connection(Protocol, *listener.getsockname())
            sock = transport.get_extra_info("socket")
            with self.assertRaisesRegex(RuntimeError, "transport"):
                await self.loop.sock_recv(sock, 1)
            same = socket.socket(fileno=sock.get_fd())
            try:
                with self.assertRaisesRegex(RuntimeError, "transport"):
                    await self.loop.sock_sendall(same, b"x")
                with self.assertRaisesRegex(RuntimeError, "transport"):
                    self.loop.add_reader(same, print)
                with self.assertRaises(RuntimeError):
                    await self.loop.sock_wait(same.fileno(), GLib.IOCondition.IN)
            finally:
                same.detach()
            transport.abort()

        self.run_async(run())

    def test_cancel(self):
        for pair in (self.make_pair(), self.make_gio_pair()):
            a, b = pair

            async def run():
                receiving = self.loop.create_task(self.loop.sock_recv(a, 100))
                await Loop.sleep(0.01)
                await self.loop.sock_sendall(b, b"hello")
                receiving.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await receiving
                self.assertEqual(await self.loop.sock_recv(a, 100), b"hello")
                with self.assertRaises(TimeoutError):
                    await Loop.wait_for(self.loop.sock_recv(a, 100), 0.01)

            self.run_async(run())

    def test_cancelled_accepts(self):
        """As many are accepted as have connected, however many give up."""
        listener = self.listen()

        async def run():
            waiting = [self.loop.create_task(self.loop.sock_accept(listener)) for _ in range(20)]
            await Loop.sleep(0.01)
            clients = []
            for number in range(20):
                client = socket.create_connection(listener.getsockname())
                client.sendall(b"%d" % number)
                clients.append(client)
            await Loop.sleep(0)
            for task in waiting[::2]:
                task.cancel()
            done, _ = await Loop.wait(waiting, timeout=0.2)
            accepted = [task.result()[0] for task in done if not task.cancelled()]
            while len(accepted) < 20:
                accepted.append((await self.loop.sock_accept(listener))[0])
            tokens = sorted([int(await self.loop.sock_recv(sock, 10)) for sock in accepted])
            self.assertEqual(tokens, list(range(20)))
            for sock in accepted + clients:
                sock.close()
            for task in waiting:
                task.cancel()

        self.run_async(run())

    def test_closed_loop(self):
        a, _ = self.make_pair()
        loop = Loop.EventLoop.new()
        loop.close()
        with self.assertRaises(GLib.Error):
            loop.sock_recv(a, 1).send(None)


tap.main()
