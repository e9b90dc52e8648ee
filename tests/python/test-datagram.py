# SPDX-License-Identifier: LGPL-2.1-or-later
"""Datagram endpoints, as asyncio's users know them."""

import os
import socket
import tempfile
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, Loop  # noqa: E402


# asyncio's documented example of a server and a client, whose messages go to a list.
class EchoServerProtocol:
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        message = data.decode()
        self.printed.append("Received %r from %s" % (message, addr))
        self.transport.sendto(data, addr)


class EchoClientProtocol:
    def __init__(self, message, on_con_lost):
        self.message = message
        self.on_con_lost = on_con_lost
        self.transport = None
        self.printed = []

    def connection_made(self, transport):
        self.transport = transport
        self.printed.append(f"Send: {self.message}")
        self.transport.sendto(self.message.encode())

    def datagram_received(self, data, addr):
        self.printed.append(f"Received: {data.decode()}")
        self.transport.close()

    def error_received(self, exc):
        self.printed.append(f"Error received: {exc}")

    def connection_lost(self, exc):
        self.printed.append("Connection closed")
        self.on_con_lost.set_result(True)


class Server(EchoServerProtocol, Loop.DatagramProtocol):
    def __init__(self):
        self.printed = []


class Client(EchoClientProtocol, Loop.DatagramProtocol):
    pass


class Peer(Loop.DatagramProtocol):
    def __init__(self, loop):
        self.loop = loop
        self.received = []
        self.errors = []
        self.paused = 0
        self.lost = loop.create_future()
        self.waiter = None

    def wait(self):
        self.waiter = self.loop.create_future()
        return self.waiter

    def wake(self):
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.set_result(None)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.received.append((data, addr))
        self.wake()

    def error_received(self, exc):
        self.errors.append(exc)
        self.wake()

    def pause_writing(self):
        self.paused += 1

    def connection_lost(self, exc):
        self.lost.set_result(exc)


class TestDatagram(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def run_async(self, function):
        self.loop.run_until_complete(function())

    def endpoint(self, *args, **options):
        return self.loop.create_datagram_endpoint(lambda: Peer(self.loop), *args, **options)

    def test_documented_example(self):
        async def main():
            loop = Loop.get_running_loop()
            transport, server = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
            port = transport.get_extra_info("sockname").get_port()

            on_con_lost = loop.create_future()
            client_transport, client = await loop.create_datagram_endpoint(
                lambda: Client("Hello World!", on_con_lost), remote_addr=("127.0.0.1", port)
            )
            client_port = client_transport.get_extra_info("sockname").get_port()
            try:
                await on_con_lost
            finally:
                client_transport.close()
            transport.close()
            self.assertEqual(client.printed, ["Send: Hello World!", "Received: Hello World!", "Connection closed"])
            self.assertEqual(server.printed, [f"Received 'Hello World!' from ('127.0.0.1', {client_port})"])

        self.run_async(main)
        self.assertEqual(self.reports, [])

    def test_names_and_empty_datagrams(self):
        async def main():
            transport, server = await self.endpoint(local_addr=("localhost", 0), family=socket.AF_INET)
            port = transport.get_extra_info("sockname").get_port()
            other, client = await self.endpoint(remote_addr=("localhost", port), family=socket.AF_INET)
            waiting = server.wait()
            other.sendto(b"")
            await waiting
            waiting = client.wait()
            transport.sendto(bytearray(b"back"), server.received[0][1])
            await waiting
            self.assertEqual(server.received[0][0], b"")
            self.assertEqual(client.received, [(b"back", ("127.0.0.1", port))])
            with self.assertRaises(ValueError):
                other.sendto(b"x", ("127.0.0.1", port + 1 if port < 65535 else 1))
            other.sendto(b"x", ("127.0.0.1", port))
            with self.assertRaises(ValueError):
                transport.sendto(b"x")
            with self.assertRaises(ValueError):
                transport.sendto(b"x", ("localhost", port))
            with self.assertRaises(TypeError):
                transport.sendto("text", ("127.0.0.1", port))

        self.run_async(main)

    def test_errors(self):
        async def main():
            transport, peer = await self.endpoint(remote_addr=("127.0.0.1", self.unused_port()))
            waiting = peer.wait()
            transport.sendto(b"x")
            await waiting
            self.assertTrue(peer.errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED))
            waiting = peer.wait()
            transport.sendto(bytes(65508))
            await waiting
            self.assertTrue(peer.errors[1].matches(Gio.io_error_quark(), Gio.IOErrorEnum.MESSAGE_TOO_LARGE))
            transport.abort()
            self.assertIsNone(await peer.lost)

        self.run_async(main)

    def unused_port(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            return sock.getsockname()[1]

    def test_bad_options(self):
        for options in ({}, {"local_addr": ("127.0.0.1", 0), "family": socket.AF_UNIX}):
            with self.assertRaises(ValueError):
                self.loop.run_until_complete(self.endpoint(**options))
        with self.assertRaises(TypeError):
            self.endpoint(local_addr=("127.0.0.1", 0), reuse_address=True)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock, self.assertRaises(ValueError):
            self.loop.run_until_complete(self.endpoint(sock=sock))

    def test_factory(self):
        def fail():
            raise ZeroDivisionError

        for factory, kind in ((fail, ZeroDivisionError), (Loop.Protocol, TypeError)):
            with self.assertRaises(kind):
                self.loop.run_until_complete(
                    self.loop.create_datagram_endpoint(factory, local_addr=("127.0.0.1", 0))
                )

    def test_sock(self):
        async def main():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            address = sock.getsockname()
            transport, peer = await self.endpoint(sock=sock)
            other, _ = await self.endpoint(remote_addr=address)
            waiting = peer.wait()
            other.sendto(b"hello")
            await waiting
            self.assertEqual(peer.received[0][0], b"hello")

        self.run_async(main)

    def test_unix(self):
        async def main():
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "socket")
                transport, server = await self.endpoint(local_addr=path, family=socket.AF_UNIX)
                other, client = await self.endpoint(remote_addr=path, family=socket.AF_UNIX)
                waiting = server.wait()
                other.sendto(b"hello")
                await waiting
                self.assertEqual(server.received, [(b"hello", None)])
                named, _ = await self.endpoint(local_addr="\0" + path, remote_addr=path, family=socket.AF_UNIX)
                waiting = server.wait()
                named.sendto(b"again")
                await waiting
                self.assertEqual(server.received[1], (b"again", b"\0" + os.fsencode(path)))
                waiting = named.get_protocol().wait()
                transport.sendto(b"back", server.received[1][1])
                await waiting

        self.run_async(main)

    def test_flow_control(self):
        async def main():
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            with theirs:
                transport, peer = await self.endpoint(sock=ours)
                transport.set_write_buffer_limits(high=100)
                self.assertEqual(transport.get_write_buffer_limits(), (25, 100))
                while not peer.paused:
                    transport.sendto(b"x")
                # Each counts a byte and the charge.
                self.assertEqual(transport.get_write_buffer_size(), 12 * 9)
                transport.abort()
                self.assertTrue(transport.is_closing())
                await peer.lost

        self.run_async(main)

    def test_exception_in_protocol(self):
        class Broken(Peer):
            def datagram_received(self, data, addr):
                super().datagram_received(data, addr)
                raise ZeroDivisionError

        async def main():
            transport, peer = await self.loop.create_datagram_endpoint(
                lambda: Broken(self.loop), local_addr=("127.0.0.1", 0)
            )
            port = transport.get_extra_info("sockname").get_port()
            other, _ = await self.endpoint(remote_addr=("127.0.0.1", port))
            for _ in range(2):
                waiting = peer.wait()
                other.sendto(b"x")
                await waiting

        self.run_async(main)
        # The endpoint goes on, as asyncio's does.
        self.assertEqual([type(report["exception"]) for report in self.reports], [ZeroDivisionError] * 2)
        self.assertIsInstance(self.reports[0]["transport"], Loop.DatagramTransport)


tap.main()
