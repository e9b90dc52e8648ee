# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that is asyncio's own, in another thread, talks to a server of libloop."""

import asyncio
import hashlib
import threading
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402

DATA = bytes(range(256)) * 8192  # 2 MiB


class Echo(Loop.Protocol):
    """Echoes, and holds back who sends faster than he reads."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()

    def eof_received(self):
        return False


class Late(Loop.Protocol):
    """Reads to the end, then answers with the checksum of what it read."""

    def connection_made(self, transport):
        self.transport = transport
        self.checksum = hashlib.sha256()

    def data_received(self, data):
        self.checksum.update(data)

    def eof_received(self):
        self.transport.write(self.checksum.hexdigest().encode())
        self.transport.close()
        return True


class Brief(Loop.Protocol):
    """Says something much too long, and hangs up."""

    def connection_made(self, transport):
        transport.write(DATA)
        transport.close()


class TestAsyncioClient(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()
        self.reports = []
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context["message"]))

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def talk_to(self, protocol_class, client):
        """Serve with ``protocol_class``, and run the coroutine ``client (port)`` in a thread."""
        server = self.loop.run_until_complete(self.loop.create_server(protocol_class, "127.0.0.1", 0))
        port = server.sockets[0].get_local_address().get_port()
        result = []

        def work():
            try:
                result.append(asyncio.run(asyncio.wait_for(client(port), 15)))
            except Exception as error:
                result.append(error)
            finally:
                self.loop.call_soon_threadsafe(self.loop.stop)

        thread = threading.Thread(target=work)
        thread.start()
        self.assertTrue(self.loop.run_forever())
        thread.join()

        server.close()
        self.loop.run_until_complete(server.wait_closed())
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def test_ping_pong(self):
        async def client(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answers = []
            for i in range(200):
                writer.write(b"line %d\n" % i)
                await writer.drain()
                answers.append(await reader.readline())
            writer.close()
            await writer.wait_closed()
            return answers

        self.assertEqual(self.talk_to(Echo, client), [b"line %d\n" % i for i in range(200)])

    def test_bulk(self):
        async def client(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            async def send():
                writer.write(DATA)
                await writer.drain()

            _, answer = await asyncio.gather(send(), reader.readexactly(len(DATA)))
            writer.close()
            return answer

        self.assertEqual(self.talk_to(Echo, client), DATA)

    def test_half_close(self):
        async def client(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(DATA)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

        self.assertEqual(self.talk_to(Late, client), hashlib.sha256(DATA).hexdigest().encode())

    def test_read_to_end(self):
        async def client(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.05)
            answer = await reader.read()
            writer.close()
            return answer

        self.assertEqual(self.talk_to(Brief, client), DATA)

    def test_many_clients(self):
        async def one(port, i):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            token = b"<%06d>" % i
            for _ in range(5):
                writer.write(token)
                if await reader.readexactly(len(token)) != token:
                    return False
            writer.close()
            await writer.wait_closed()
            return True

        async def client(port):
            return await asyncio.gather(*(one(port, i) for i in range(100)))

        self.assertEqual(self.talk_to(Echo, client), [True] * 100)

    def test_abort(self):
        """Clients that hang up in the middle do not disturb the others."""

        async def client(port):
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(DATA)
                writer.transport.abort()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"still there?")
            answer = await reader.readexactly(12)
            writer.close()
            return answer

        self.assertEqual(self.talk_to(Echo, client), b"still there?")

    def test_protocol(self):
        """With a protocol in the place of streams, whose calls are ours by the same names."""

        class Protocol(asyncio.Protocol):
            def __init__(self):
                self.events = []
                self.received = b""
                self.lost = asyncio.get_running_loop().create_future()

            def connection_made(self, transport):
                self.events.append("made")
                transport.write(b"hello")
                transport.write_eof()

            def data_received(self, data):
                self.received += data

            def eof_received(self):
                self.events.append("eof")

            def connection_lost(self, exc):
                self.events.append("lost")
                self.lost.set_result(exc)

        async def client(port):
            _, protocol = await asyncio.get_running_loop().create_connection(Protocol, "127.0.0.1", port)
            error = await protocol.lost
            return protocol.events, protocol.received, error

        self.assertEqual(self.talk_to(Echo, client), (["made", "eof", "lost"], b"hello", None))


tap.main()
