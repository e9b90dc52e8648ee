# SPDX-License-Identifier: LGPL-2.1-or-later
"""getaddrinfo and getnameinfo give what those of the socket module give."""

import asyncio
import socket
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, Loop  # noqa: E402


class TestResolver(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.addCleanup(self.loop.close)

    def run_async(self, coro):
        return self.loop.run_until_complete(Loop.wait_for(self.loop.create_task(coro), 20))

    def check_same(self, *args, **options):
        found = self.run_async(self.loop.getaddrinfo(*args, **options))
        self.assertEqual(found, socket.getaddrinfo(*args, **options))
        return found

    def test_getaddrinfo(self):
        self.check_same("127.0.0.1", 80)
        self.check_same(b"127.0.0.1", 80, type=socket.SOCK_STREAM)
        self.check_same("::1", 443, family=socket.AF_INET6, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
        self.check_same(None, 80, family=socket.AF_INET, flags=socket.AI_PASSIVE)
        self.check_same("127.0.0.1", None)
        self.check_same("127.0.0.1", "8080")
        future = self.loop.getaddrinfo_service("127.0.0.1", "8080", 0, socket.SOCK_STREAM, 0, 0)
        self.assertEqual(len(self.loop.run_until_complete(future).get_addresses()), 1)
        self.check_same("127.0.0.1", 1, flags=socket.AI_CANONNAME)
        found = self.check_same("localhost", 80, type=socket.SOCK_STREAM)
        self.assertIsInstance(found[0][0], socket.AddressFamily)
        self.assertIsInstance(found[0][1], socket.SocketKind)

    def test_service(self):
        try:
            socket.getservbyname("https")
        except OSError:
            self.skipTest("the service “https” is not known")
        self.check_same("127.0.0.1", "https")
        self.check_same("127.0.0.1", b"https", type=socket.SOCK_STREAM)

    def test_scope(self):
        index = dict((name, number) for number, name in socket.if_nameindex()).get("lo")
        if index is None:
            self.skipTest("there is no interface “lo”")
        found = self.check_same("fe80::1%lo", 80, type=socket.SOCK_STREAM)
        self.assertEqual(found[0][4], ("fe80::1", 80, 0, index))

    def test_errors(self):
        with self.assertRaises(socket.gaierror) as caught:
            self.run_async(self.loop.getaddrinfo("127.0.0.1", 80, family=socket.AF_INET6, flags=socket.AI_NUMERICHOST))
        self.assertEqual(caught.exception.errno, socket.EAI_NONAME)
        for host in ("a" * 256, "a" * 64 * 1024, b"a" * 256):
            with self.assertRaisesRegex(ValueError, "longer than 254"):
                self.run_async(self.loop.getaddrinfo(host, 80))
        for host in ("a\0b", b"127.0.0.1\0.example.org"):
            with self.assertRaisesRegex(ValueError, "null"):
                self.run_async(self.loop.getaddrinfo(host, 80))
        with self.assertRaisesRegex(ValueError, "null"):
            self.run_async(self.loop.getaddrinfo("127.0.0.1", "80\0x"))
        with self.assertRaises(OverflowError):
            self.run_async(self.loop.getaddrinfo("127.0.0.1", 65536))
        with self.assertRaises(TypeError):
            self.run_async(self.loop.getaddrinfo(17, 80))

    def test_getnameinfo(self):
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        for sockaddr in (("127.0.0.1", 80), ("::1", 80), ("::1", 80, 0, 0), ("fe80::1", 80, 0, 1)):
            for flags in (numeric, socket.NI_NUMERICHOST):
                self.assertEqual(
                    self.run_async(self.loop.getnameinfo(sockaddr, flags)), socket.getnameinfo(sockaddr, flags)
                )
        address = Gio.InetSocketAddress.new_from_string("127.0.0.1", 80)
        self.assertEqual(self.run_async(self.loop.getnameinfo(address, numeric)), ("127.0.0.1", "80"))
        with self.assertRaises(socket.gaierror):
            self.run_async(self.loop.getnameinfo(("example.org", 80)))

    def test_cancel(self):
        async def run():
            task = self.loop.create_task(self.loop.getaddrinfo("localhost", 80))
            await Loop.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.run_async(run())

    def test_connecting_by_name(self):
        """asyncio's example of sock_connect() with a name that has to be looked up."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.setblocking(False)

        async def run():
            for host in ("localhost", "127.0.0.1"):
                client = socket.socket()
                client.setblocking(False)
                await self.loop.sock_connect(client, (host, listener.getsockname()[1]))
                connection, _ = await self.loop.sock_accept(listener)
                await self.loop.sock_sendall(client, b"ping")
                self.assertEqual(await self.loop.sock_recv(connection, 10), b"ping")
                connection.close()
                client.close()

        self.run_async(run())


tap.main()
