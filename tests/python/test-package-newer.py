# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Python 3.12 to 3.14 have added to event loops, on the Python that runs this."""

import asyncio
import contextlib
import contextvars
import os
import socket
import tempfile
import threading
import time
import unittest
import warnings

import libloop
import tap


class Peer(asyncio.Protocol):
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()
        self.received = bytearray()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data

    def connection_lost(self, error):
        self.lost.set_result(error)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class Test(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        # Each test's loop is ours: IsolatedAsyncioTestCase of 3.11 takes the policy's.
        self._asyncioRunner.close()
        self._asyncioRunner = asyncio.Runner(debug=True, loop_factory=libloop.new_event_loop)

    async def asyncSetUp(self):
        self.loop = asyncio.get_running_loop()
        self.assertIsInstance(self.loop, libloop.EventLoop)

    def make_folder(self):
        folder = tempfile.TemporaryDirectory(prefix="loop-newer-")
        self.addCleanup(folder.cleanup)
        return folder.name

    # --- create_connection(all_errors=), 3.12 ---

    async def test_all_errors(self):
        port = unused_port()
        for delay in (None, 0.01):
            with self.subTest(happy_eyeballs_delay=delay), self.assertRaises(ExceptionGroup) as caught:
                await self.loop.create_connection(Peer, "localhost", port, family=socket.AF_INET, all_errors=True,
                                                  happy_eyeballs_delay=delay)
            self.assertEqual(caught.exception.message, "create_connection failed")
            self.assertEqual([type(error) for error in caught.exception.exceptions], [ConnectionRefusedError])

    async def test_all_errors_of_all(self):
        port = unused_port()
        infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port)) for n in (1, 2, 3)]

        async def getaddrinfo(*args, **kwargs):
            return infos

        self.loop.getaddrinfo = getaddrinfo
        for delay in (None, 0.001):
            with self.assertRaises(ExceptionGroup) as caught:
                await self.loop.create_connection(Peer, "a.test", port, all_errors=True, happy_eyeballs_delay=delay)
            texts = sorted(str(error) for error in caught.exception.exceptions)
            self.assertEqual(len(texts), 3)
            for n, text in enumerate(texts, 1):
                self.assertIn(f"127.0.0.{n}", text)

    async def test_errors_that_are_no_attempts(self):
        with self.assertRaises(socket.gaierror):
            await self.loop.create_connection(Peer, "no-such-host.invalid", 1, all_errors=True)
        with self.assertRaises(ValueError):
            await self.loop.create_connection(Peer, all_errors=True)

    async def test_no_errors(self):
        server = await self.loop.create_server(Peer, "127.0.0.1", 0)
        async with server:
            transport, peer = await self.loop.create_connection(Peer, *server.sockets[0].getsockname(), all_errors=True)
            transport.close()
            await peer.lost

    # --- create_server(keep_alive=), 3.13 ---

    async def test_keep_alive(self):
        for value in (None, False, True):
            peers = []
            server = await self.loop.create_server(lambda: peers.append(Peer()) or peers[-1], "127.0.0.1", 0,
                                                   keep_alive=value)
            async with server:
                transport, peer = await self.loop.create_connection(Peer, *server.sockets[0].getsockname())
                await asyncio.sleep(0.01)
                sock = peers[0].transport.get_extra_info("socket")
                self.assertEqual(bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)), bool(value))
                transport.abort()
                await peers[0].lost

    async def test_start_serving(self):
        server = await self.loop.create_server(Peer, "127.0.0.1", 0, keep_alive=True, start_serving=False)
        self.assertFalse(server.is_serving())
        await server.start_serving()
        self.assertTrue(server.is_serving())
        server.close()

    # --- Datagrams without data, 3.13 ---

    async def test_empty_datagram(self):
        got = asyncio.Queue()

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                got.put_nowait((data, address))

        receiver, _ = await self.loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
        address = receiver.get_extra_info("sockname")
        for connected in (True, False):
            with self.subTest(connected=connected):
                sender, _ = await self.loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=address if connected else None)
                for data in (b"", bytearray(), memoryview(b""), b"x"):
                    sender.sendto(data, None if connected else address)
                    self.assertEqual(await asyncio.wait_for(got.get(), 5),
                                     (bytes(data), sender.get_extra_info("sockname")))
                for data in (None, "", ()):
                    self.assertRaises(TypeError, sender.sendto, data, address)
                sender.close()
        receiver.close()

    async def test_waiting_datagrams_are_counted(self):
        class Sender(asyncio.DatagramProtocol):
            paused = 0
            resumed = 0

            def pause_writing(self):
                self.paused += 1

            def resume_writing(self):
                self.resumed += 1

        path = os.path.join(self.make_folder(), "a.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as theirs:
            theirs.bind(path)
            theirs.setblocking(False)
            transport, protocol = await self.loop.create_datagram_endpoint(Sender, remote_addr=path,
                                                                           family=socket.AF_UNIX)
            transport.set_write_buffer_limits(800, 0)
            n = 0
            while not protocol.paused:
                transport.sendto(b"")
                n += 1
                self.assertLess(n, 100_000)
            self.assertEqual(transport.get_write_buffer_size(), 808)

            for _ in range(n):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self.assertEqual(theirs.recv(10), b"")
                        n -= 1
                if n == 0:
                    break
                await asyncio.sleep(0)
            self.assertEqual((n, transport.get_write_buffer_size()), (0, 0))
            self.assertEqual((protocol.paused, protocol.resumed), (1, 1))
            transport.close()
            await asyncio.sleep(0)

    # --- create_unix_server(cleanup_socket=), 3.13 ---

    async def test_cleanup_socket(self):
        path = os.path.join(self.make_folder(), "a.sock")
        for value, stays in ((True, False), (False, True)):
            server = await self.loop.create_unix_server(Peer, path, cleanup_socket=value)
            self.assertTrue(os.path.exists(path))
            server.close()
            self.assertEqual(os.path.exists(path), stays)

    async def test_cleanup_of_given_socket(self):
        path = os.path.join(self.make_folder(), "a.sock")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
            server = await self.loop.create_unix_server(Peer, sock=sock, cleanup_socket=True)
            server.close()
        self.assertFalse(os.path.exists(path))

    async def test_other_file_at_the_path(self):
        path = os.path.join(self.make_folder(), "a.sock")
        server = await self.loop.create_unix_server(Peer, path, cleanup_socket=True)
        # So that the number is not used again.
        os.rename(path, path + ".old")
        with open(path, "wb"):
            server.close()
        self.assertTrue(os.path.exists(path))

    async def test_file_gone(self):
        path = os.path.join(self.make_folder(), "a.sock")
        server = await self.loop.create_unix_server(Peer, path, cleanup_socket=True)
        os.unlink(path)
        server.close()

    async def test_abstract(self):
        server = await self.loop.create_unix_server(Peer, f"\0libloop-newer-{os.getpid()}", cleanup_socket=True)
        server.close()

    # --- Server.close_clients(), abort_clients(), 3.13 ---

    async def connect_three(self, server):
        return [await self.loop.create_connection(Peer, *server.sockets[0].getsockname()) for _ in range(3)]

    async def test_close_clients(self):
        served = []
        server = await self.loop.create_server(lambda: served.append(Peer()) or served[-1], "127.0.0.1", 0)
        other = await self.loop.create_server(Peer, "127.0.0.1", 0)
        async with server, other:
            stays, peer = await self.loop.create_connection(Peer, *other.sockets[0].getsockname())
            clients = await self.connect_three(server)
            await asyncio.sleep(0.01)
            much = bytes(1 << 20)
            for peer_of_server in served:
                peer_of_server.transport.write(much)
            server.close_clients()
            await asyncio.wait_for(asyncio.gather(*(peer.lost for _, peer in clients)), 5)
            self.assertEqual([len(peer.received) for _, peer in clients], [len(much)] * 3)
            self.assertFalse(peer.lost.done())
            self.assertTrue(server.is_serving())
            stays.abort()

    async def test_abort_clients(self):
        served = []
        server = await self.loop.create_server(lambda: served.append(Peer()) or served[-1], "127.0.0.1", 0)
        async with server:
            clients = await self.connect_three(server)
            for transport, _ in clients:
                transport.pause_reading()
            await asyncio.sleep(0.01)
            for peer in served:
                peer.transport.write(bytes(1 << 26))
            server.abort_clients()
            await asyncio.wait_for(asyncio.gather(*(peer.lost for peer in served)), 5)
            for transport, _ in clients:
                transport.abort()

    async def test_no_clients(self):
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        server.close_clients()
        server.abort_clients()
        server.close()
        server.close_clients()

    # --- shutdown_default_executor(timeout=), 3.12 ---

    async def test_shutdown_in_time(self):
        await asyncio.to_thread(int)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await self.loop.shutdown_default_executor(timeout=10)
        with self.assertRaises(RuntimeError):
            await asyncio.to_thread(int)

    async def test_shutdown_too_late(self):
        over = threading.Event()
        self.addCleanup(over.set)
        future = self.loop.run_in_executor(None, over.wait, 10)
        started = time.monotonic()
        with self.assertWarnsRegex(RuntimeWarning, "did not finish joining its threads within 0.05 seconds"):
            await self.loop.shutdown_default_executor(timeout=0.05)
        self.assertLess(time.monotonic() - started, 5)
        over.set()
        self.assertTrue(await future)

    async def test_shutdown_of_none(self):
        await self.loop.shutdown_default_executor(timeout=1)

    # --- create_task(**kwargs), 3.13 ---

    async def test_task_arguments(self):
        seen = {}

        def factory(loop, coro, **kwargs):
            seen.update(kwargs)
            return asyncio.Task(coro, loop=loop, name=kwargs["name"])

        self.loop.set_task_factory(factory)
        try:
            task = self.loop.create_task(asyncio.sleep(0, 7), name="seven", priority=1)
        finally:
            self.loop.set_task_factory(None)
        self.assertEqual(await task, 7)
        self.assertEqual((task.get_name(), seen), ("seven", {"name": "seven", "priority": 1}))

    async def test_wrong_task_arguments(self):
        coro = asyncio.sleep(0)
        with self.assertRaisesRegex(TypeError, "priority"):
            self.loop.create_task(coro, priority=1)
        with self.assertRaises(TypeError):
            self.loop.create_task(priority=1)
        for args in ((), (coro, "name"), (coro, coro)):
            with self.assertRaisesRegex(TypeError, "one positional argument"):
                self.loop.create_task(*args)
        with self.assertRaises(TypeError):
            self.loop.create_task(coro, coro=coro)
        with self.assertRaises(TypeError):
            self.loop.create_task(1)
        coro.close()

    async def test_task_arguments_by_name(self):
        context = contextvars.copy_context()
        variable = contextvars.ContextVar("variable")

        async def set_variable():
            variable.set(1)

        task = self.loop.create_task(coro=set_variable(), context=context, name="that")
        await task
        self.assertEqual((task.get_name(), context.get(variable), variable.get(None)), ("that", 1, None))
        self.assertRegex(self.loop.create_task(name=None, coro=asyncio.sleep(0)).get_name(), r"^Task-\d+$")


if __name__ == "__main__":
    tap.main()
