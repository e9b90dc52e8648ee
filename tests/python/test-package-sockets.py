# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who closes the descriptor of a transport's socket, on libloop's loop as on asyncio's own."""

import asyncio
import os
import socket
import unittest

import libloop
import tap


class CountingSocket(socket.socket):
    n_closed = 0

    def close(self):
        self.n_closed += 1
        super().close()


class Lost(asyncio.Protocol):
    def __init__(self):
        self.is_lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error):
        self.is_lost.set_result(error)


def make_pair():
    ours, theirs = socket.socketpair()
    return CountingSocket(fileno=ours.detach()), theirs


async def connect(sock):
    return await asyncio.get_running_loop().create_connection(Lost, sock=sock)


async def end(transport, protocol):
    transport.abort()
    await protocol.is_lost
    await asyncio.sleep(0)


class TestSockets:
    def run_test(self, function):
        ours, theirs = make_pair()
        with asyncio.Runner(loop_factory=self.new_event_loop) as runner, ours, theirs:
            return runner.run(function(ours, theirs))

    def test_closed_by_transport(self):
        async def main(ours, theirs):
            transport, protocol = await connect(ours)
            await end(transport, protocol)
            self.assertEqual(ours.n_closed, 1)
            self.assertEqual(ours.fileno(), -1)
            self.assertEqual(theirs.recv(1), b"")

        self.run_test(main)

    def test_closed_by_somebody_else(self):
        async def main(ours, theirs):
            transport, protocol = await connect(ours)
            fd = ours.fileno()
            ours.close()
            with open(os.devnull, "rb", buffering=0) as file:
                self.assertEqual(file.fileno(), fd)
                await end(transport, protocol)
                self.assertEqual(file.read(), b"")

        self.run_test(main)

    def test_detached(self):
        async def main(ours, theirs):
            transport, protocol = await connect(ours)
            fd = ours.detach()
            await end(transport, protocol)
            os.close(fd)

        self.run_test(main)

    def test_kept_open_by_file(self):
        async def main(ours, theirs):
            with ours.makefile("wb", buffering=0) as file:
                transport, protocol = await connect(ours)
                await end(transport, protocol)
                file.write(b"still")
                self.assertEqual(theirs.recv(5), b"still")
            self.assertEqual(theirs.recv(1), b"")

        self.run_test(main)

    def test_of_server(self):
        async def main(ours, theirs):
            loop = asyncio.get_running_loop()
            made = loop.create_future()
            server = await loop.create_server(lambda: Served(made), "127.0.0.1", 0)
            async with server:
                transport, protocol = await loop.create_connection(Lost, *server.sockets[0].getsockname())
                served = await made
                # Whoever asks for it may keep it.
                sock = served.transport.get_extra_info("socket")
                await end(transport, protocol)
                await served.is_lost
                await asyncio.sleep(0)
                self.assertEqual(sock.fileno(), -1)

        class Served(Lost):
            def __init__(self, made):
                super().__init__()
                self.made = made

            def connection_made(self, transport):
                self.transport = transport
                self.made.set_result(self)

        self.run_test(main)


class TestOnLibloop(TestSockets, unittest.TestCase):
    new_event_loop = staticmethod(libloop.new_event_loop)


class TestOnAsyncio(TestSockets, unittest.TestCase):
    new_event_loop = staticmethod(asyncio.new_event_loop)


if __name__ == "__main__":
    tap.main()
