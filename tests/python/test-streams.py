# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams, as asyncio's users know them: what its tests say of them, and the examples of its manual."""

import asyncio
import os
import socket
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import GLib, Loop  # noqa: E402


class LoopCase(unittest.TestCase):
    def setUp(self):
        self.reports = []
        self.loop = Loop.EventLoop()
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def run_async(self, coro):
        async def limited():
            return await Loop.wait_for(coro, 15)

        return self.loop.run_until_complete(limited())

    def reader(self, data=b"", eof=False, **kwargs):
        reader = Loop.StreamReader(loop=self.loop, **kwargs)
        reader.feed_data(data)
        if eof:
            reader.feed_eof()
        return reader


class TestReader(LoopCase):
    DATA = b"line1\nline2\nline3\n"

    def test_limit(self):
        self.assertEqual(self.reader().get_limit(), 2**16)
        for limit in (0, -1):
            with self.assertRaisesRegex(ValueError, "Limit cannot be"):
                Loop.StreamReader(limit, self.loop)

    def test_needs_a_loop(self):
        with self.assertRaises(RuntimeError):
            Loop.StreamReader()

        async def make():
            return Loop.StreamReader()

        self.assertIs(self.run_async(make()).get_loop(), self.loop)

    def test_feed_empty_data(self):
        reader = self.reader(b"")
        self.assertFalse(reader.at_eof())

    def test_read(self):
        reader = self.reader(self.DATA)
        self.assertEqual(self.run_async(reader.read(0)), b"")
        self.assertEqual(self.run_async(reader.read(30)), self.DATA)

    def test_read_line_breaks(self):
        reader = self.reader(b"line1")
        reader.feed_data(b"line2")
        self.assertEqual(self.run_async(reader.read(5)), b"line1")
        self.assertEqual(self.run_async(reader.read(7)), b"line2")

    def test_read_eof(self):
        reader = self.reader()
        self.loop.call_soon(reader.feed_eof)
        self.assertEqual(self.run_async(reader.read(1024)), b"")

    def test_read_until_eof(self):
        reader = self.reader()

        def feed():
            reader.feed_data(b"chunk1\n")
            reader.feed_data(b"chunk2")
            reader.feed_eof()

        self.loop.call_soon(feed)
        self.assertEqual(self.run_async(reader.read()), b"chunk1\nchunk2")
        self.assertEqual(self.run_async(reader.read(-1)), b"")

    def test_read_limit(self):
        reader = self.reader(b"chunk", limit=3)
        self.assertEqual(self.run_async(reader.read(5)), b"chunk")

    def test_exception(self):
        reader = self.reader(b"line\n")
        self.assertEqual(self.run_async(reader.read(2)), b"li")
        self.assertIsNone(reader.exception())
        error = KeyError("mine")
        reader.set_exception(error)
        self.assertIs(reader.exception(), error)
        for read in (reader.read(2), reader.readline(), reader.readexactly(1), reader.readuntil()):
            with self.assertRaises(KeyError) as caught:
                self.run_async(read)
            self.assertIs(caught.exception, error)

    def test_exception_while_waiting(self):
        reader = self.reader()

        async def set_error():
            reader.set_exception(ValueError("mine"))

        async def both():
            task = Loop.create_task(reader.readline())
            await Loop.create_task(set_error())
            with self.assertRaisesRegex(ValueError, "mine"):
                await task

        self.run_async(both())

    def test_exception_while_cancelled(self):
        reader = self.reader()

        async def cancelled():
            task = Loop.create_task(reader.readline())
            await Loop.sleep(0)
            task.cancel()
            await Loop.sleep(0)
            reader.set_exception(RuntimeError("message"))
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.run_async(cancelled())

    def test_readline(self):
        reader = self.reader(b"chunk1 ")

        def feed():
            reader.feed_data(b"chunk2 ")
            reader.feed_data(b"chunk3 ")
            reader.feed_data(b"\n chunk4")

        self.loop.call_soon(feed)
        self.assertEqual(self.run_async(reader.readline()), b"chunk1 chunk2 chunk3 \n")
        self.assertEqual(self.run_async(reader.read(7)), b" chunk4")

    def test_readline_limit(self):
        reader = self.reader(b"li", limit=5)

        def feed():
            reader.feed_data(b"ne1")
            reader.feed_data(b"li")
            reader.feed_data(b"ne2\nline3\n")

        self.loop.call_soon(feed)
        with self.assertRaises(ValueError):
            self.run_async(reader.readline())
        self.assertEqual(self.run_async(reader.readline()), b"line3\n")
        reader = self.reader(b"chunk1\nchunk2\n", limit=3)
        with self.assertRaises(ValueError):
            self.run_async(reader.readline())
        self.assertEqual(self.run_async(reader.read(100)), b"chunk2\n")

    def test_readline_eof(self):
        self.assertEqual(self.run_async(self.reader(b"some data", eof=True).readline()), b"some data")
        self.assertEqual(self.run_async(self.reader(eof=True).readline()), b"")

    def test_readuntil(self):
        reader = self.reader()
        with self.assertRaisesRegex(ValueError, "at least one byte"):
            self.run_async(reader.readuntil(separator=b""))
        reader.feed_data(b"some dataAA")
        self.assertEqual(self.run_async(reader.readuntil(b"AA")), b"some dataAA")
        reader.feed_data(b"QWERtyAAAxxx")
        self.assertEqual(self.run_async(reader.readuntil(b"AAA")), b"QWERtyAAA")
        self.assertEqual(self.run_async(reader.read(100)), b"xxx")

    def test_readuntil_eof(self):
        reader = self.reader(b"data\0in", eof=True)
        self.assertEqual(self.run_async(reader.readuntil(b"\0")), b"data\0")
        with self.assertRaises(asyncio.IncompleteReadError) as caught:
            self.run_async(reader.readuntil(b"AA"))
        self.assertEqual((caught.exception.partial, caught.exception.expected), (b"in", None))

    def test_readuntil_limit(self):
        reader = self.reader(b"some dataAA", limit=3)
        with self.assertRaises(asyncio.LimitOverrunError) as caught:
            self.run_async(reader.readuntil(b"AA"))
        self.assertIn("was found", str(caught.exception))
        self.assertEqual(caught.exception.consumed, 9)
        self.assertEqual(self.run_async(reader.readexactly(9)), b"some data")
        self.assertEqual(self.run_async(reader.readuntil(b"AA")), b"AA")
        reader.feed_data(b"some dataA")
        with self.assertRaises(asyncio.LimitOverrunError) as caught:
            self.run_async(reader.readuntil(b"AA"))
        self.assertIn("was not found", str(caught.exception))
        self.assertEqual(caught.exception.consumed, 9)

    def test_readexactly(self):
        reader = self.reader(self.DATA)
        self.assertEqual(self.run_async(reader.readexactly(0)), b"")
        with self.assertRaisesRegex(ValueError, "less than zero"):
            self.run_async(reader.readexactly(-1))
        self.loop.call_soon(reader.feed_data, self.DATA * 2)
        self.assertEqual(self.run_async(reader.readexactly(3 * len(self.DATA))), self.DATA * 3)
        reader.feed_data(b"chunk")
        self.loop.call_soon(reader.feed_eof)
        with self.assertRaises(asyncio.IncompleteReadError) as caught:
            self.run_async(reader.readexactly(6))
        self.assertEqual((caught.exception.partial, caught.exception.expected), (b"chunk", 6))

    def test_one_at_a_time(self):
        reader = self.reader()

        async def both():
            first = Loop.create_task(reader.readline())
            await Loop.sleep(0)
            with self.assertRaisesRegex(RuntimeError, "waiting for data already"):
                await reader.readline()
            reader.feed_data(b"mine\n")
            return await first

        self.assertEqual(self.run_async(both()), b"mine\n")

    def test_cancelled_read_loses_nothing(self):
        reader = self.reader()

        async def cancel():
            for feed_first in (False, True):
                task = Loop.create_task(reader.readline())
                await Loop.sleep(0)
                if feed_first:
                    reader.feed_data(b" of it\n")
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                if not feed_first:
                    reader.feed_data(b"all")
            return await reader.readline()

        self.assertEqual(self.run_async(cancel()), b"all of it\n")

    def test_iteration(self):
        reader = self.reader(self.DATA + b"rest", eof=True)

        async def lines():
            return [line async for line in reader]

        self.assertEqual(self.run_async(lines()), [b"line1\n", b"line2\n", b"line3\n", b"rest"])


class TestConnections(LoopCase):
    async def start(self, connected, **kwargs):
        server = await Loop.start_server(connected, "127.0.0.1", 0, **kwargs)
        return server, server.sockets[0].get_local_address().get_port()

    def test_documented_echo(self):
        """The TCP echo client and server of asyncio's manual."""
        seen = []

        async def handle_echo(reader, writer):
            data = await reader.read(100)
            message = data.decode()
            seen.append(message)
            self.assertEqual(writer.get_extra_info("peername").get_address().to_string(), "127.0.0.1")
            self.assertEqual(writer.get_extra_info("nothing", 7), 7)
            writer.write(data)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def tcp_echo_client(message, port):
            reader, writer = await Loop.open_connection("127.0.0.1", port)
            writer.write(message.encode())
            await writer.drain()
            data = await reader.read(100)
            writer.close()
            await writer.wait_closed()
            return data.decode()

        async def main():
            server, port = await self.start(handle_echo)
            async with server:
                await server.start_serving()
                return await tcp_echo_client("Hello World!", port)

        self.assertEqual(self.run_async(main()), "Hello World!")
        self.assertEqual(seen, ["Hello World!"])

    def test_documented_socket(self):
        """Registering an open socket to wait for data, from asyncio's manual."""

        async def wait_for_data():
            rsock, wsock = socket.socketpair()
            reader, writer = await Loop.open_connection(sock=rsock)
            Loop.get_running_loop().call_soon(wsock.send, b"abc")
            data = await reader.read(100)
            writer.close()
            wsock.close()
            return data

        self.assertEqual(self.run_async(wait_for_data()), b"abc")

    def test_ways_of_writing(self):
        async def collect(reader, writer):
            received.append(await reader.read())
            writer.write(b"thanks")
            writer.close()

        async def main():
            server, port = await self.start(collect, limit=10)
            reader, writer = await Loop.open_connection("127.0.0.1", port, limit=10)
            writer.write(bytearray(b"one "))
            writer.write(memoryview(b"two "))
            writer.writelines([b"three ", bytearray(b"four "), GLib.Bytes(b"five")])
            self.assertTrue(writer.can_write_eof())
            writer.write_eof()
            self.assertEqual(await reader.read(), b"thanks")
            self.assertFalse(writer.is_closing())
            writer.close()
            self.assertTrue(writer.is_closing())
            await writer.wait_closed()
            server.close()

        received = []
        self.run_async(main())
        self.assertEqual(received, [b"one two three four five"])

    def test_plain_function(self):
        writers = []

        def connected(reader, writer):
            writer.write(b"hello")
            writers.append(writer)

        async def main():
            server, port = await self.start(connected)
            reader, writer = await Loop.open_connection("127.0.0.1", port)
            self.assertEqual(await reader.readexactly(5), b"hello")
            # It is closed when nobody has it any more.
            writers.clear()
            self.assertEqual(await reader.read(), b"")
            server.close()

        self.run_async(main())

    def test_exception_in_client(self):
        async def fail_later(reader, writer):
            raise KeyError("later")

        def fail(reader, writer):
            raise KeyError("now")

        async def main(connected):
            server, port = await self.start(connected)
            reader, writer = await Loop.open_connection("127.0.0.1", port)
            self.assertEqual(await reader.read(), b"")
            server.close()

        for connected, text in ((fail_later, "later"), (fail, "now")):
            self.run_async(main(connected))
            context = self.reports.pop()
            self.assertEqual(context["message"], "Unhandled exception in client_connected_cb")
            self.assertEqual(context["exception"].args, (text,))
            self.assertIsInstance(context["transport"], Loop.Transport)

    def test_lost(self):
        """Who drains learns that the connection is gone."""

        def reset(reader, writer):
            writer.transport.abort()

        async def main():
            server, port = await self.start(reset)
            reader, writer = await Loop.open_connection("127.0.0.1", port)
            with self.assertRaises(ConnectionResetError):
                while True:
                    writer.write(b"x" * 100000)
                    await writer.drain()
                    await Loop.sleep(0.001)
            with self.assertRaises(ConnectionResetError):
                await writer.wait_closed()
            server.close()

        self.run_async(main())

    def test_drain_waits(self):
        async def slow(reader, writer):
            await released.wait()
            self.assertEqual(len(await reader.read()), 10_000_000)
            writer.close()

        async def main():
            server, port = await self.start(slow)
            reader, writer = await Loop.open_connection("127.0.0.1", port)
            writer.write(bytes(10_000_000))
            drains = [Loop.create_task(writer.drain()) for i in range(3)]
            await Loop.sleep(0.01)
            self.assertFalse(any(drain.done() for drain in drains))
            released.set()
            await Loop.gather(*drains)
            writer.write_eof()
            self.assertEqual(await reader.read(), b"")
            server.close()

        async def make():
            return Loop.Event()

        released = self.run_async(make())
        self.run_async(main())

    def test_refused(self):
        async def main():
            with self.assertRaises(GLib.Error):
                await Loop.open_connection("127.0.0.1", 1)

        self.run_async(main())

    def test_unix(self):
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        async def main(path):
            server = await Loop.start_unix_server(answer, path)
            reader, writer = await Loop.open_unix_connection(path, limit=100)
            self.assertEqual(reader.get_limit(), 100)
            writer.write(b"hello\n")
            self.assertEqual([line async for line in reader], [b"hello\n"])
            writer.close()
            server.close()

        self.run_async(main(f"\0libloop-streams-{os.getpid()}"))

    def test_pipe(self):
        async def main():
            theirs, ours = os.pipe()
            reader = Loop.StreamReader()
            protocol = Loop.StreamReaderProtocol(reader)
            await self.loop.connect_read_pipe(lambda: protocol, open(theirs, "rb", 0))
            os.write(ours, b"one\ntwo\n")
            os.close(ours)
            return [line async for line in reader]

        self.assertEqual(self.run_async(main()), [b"one\n", b"two\n"])

    def test_writer_by_hand(self):
        async def main():
            ours, theirs = socket.socketpair()
            reader = Loop.StreamReader()
            protocol = Loop.StreamReaderProtocol(reader)
            transport, _ = await self.loop.create_connection(lambda: protocol, sock=ours)
            writer = Loop.StreamWriter(transport, protocol, reader, self.loop)
            self.assertIs(writer.transport, transport)
            writer.write(b"abc")
            await writer.drain()
            self.assertEqual(theirs.recv(10), b"abc")
            theirs.close()
            self.assertEqual(await reader.read(), b"")
            del writer
            self.assertTrue(transport.is_closing())

        self.run_async(main())


tap.main()
