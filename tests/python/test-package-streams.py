# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncio's streams: what is received, by the short way in C and by the methods that programs put in its place."""

import asyncio
import contextlib
import gc
import logging
import socket
import unittest
import unittest.mock

import libloop
import tap


class Connection:
    """A stream whose other end is a blocking socket."""

    def __init__(self, reader, writer, peer):
        self.reader, self.writer, self.peer = reader, writer, peer


class TestStreams:
    loop_factory = None

    def run_with(self, function, limit=2 ** 16, debug=False):
        """Runs it with a connection."""
        async def main():
            ours, theirs = socket.socketpair()
            with theirs:
                theirs.settimeout(5)
                reader, writer = await asyncio.open_connection(sock=ours, limit=limit)
                try:
                    return await asyncio.wait_for(function(Connection(reader, writer, theirs)), 10)
                finally:
                    writer.close()
                    with contextlib.suppress(Exception):
                        await writer.wait_closed()

        with asyncio.Runner(debug=debug, loop_factory=self.loop_factory) as runner:
            return runner.run(main())

    def test_all_kinds_of_reads(self):
        async def main(stream):
            stream.peer.sendall(b"one line\nrest of it|exactly")
            self.assertEqual(await stream.reader.readline(), b"one line\n")
            self.assertEqual(await stream.reader.readuntil(b"|"), b"rest of it|")
            self.assertEqual(await stream.reader.readexactly(7), b"exactly")
            read = asyncio.create_task(stream.reader.read(100))
            await asyncio.sleep(0)
            stream.peer.sendall(b"later")
            self.assertEqual(await read, b"later")
            stream.peer.sendall(b"the end")
            stream.peer.shutdown(socket.SHUT_WR)
            self.assertEqual(await stream.reader.read(), b"the end")
            self.assertTrue(stream.reader.at_eof())

        for debug in (False, True):
            self.run_with(main, debug=debug)

    def test_much(self):
        """More than the limit, in pieces that fill the buffer to its brim, and the reader pauses the transport."""
        data = bytes(range(256)) * 4096

        async def main(stream):
            sent = asyncio.create_task(asyncio.to_thread(stream.peer.sendall, data))
            received = bytearray()
            paused = 0
            while len(received) < len(data):
                await asyncio.sleep(0)
                paused += not stream.writer.transport.is_reading()
                received += await stream.reader.read(1000)
            self.assertEqual(received, data)
            self.assertGreater(paused, 0)
            await sent

        for limit in (1, 4096, 100_000):
            self.run_with(main, limit=limit)

    def test_paused_above_twice_the_limit(self):
        async def main(stream):
            for total, is_reading in ((1000, True), (2000, True), (2001, False)):
                stream.peer.sendall(b"x" * (total - len(stream.reader._buffer)))
                await asyncio.sleep(0.01)
                self.assertEqual(len(stream.reader._buffer), total)
                self.assertIs(stream.writer.transport.is_reading(), is_reading)
            self.assertEqual(len(await stream.reader.readexactly(2001)), 2001)
            self.assertTrue(stream.writer.transport.is_reading())

        self.run_with(main, limit=1000)

    def test_cancelled_read(self):
        async def main(stream):
            read = asyncio.create_task(stream.reader.read(100))
            await asyncio.sleep(0)
            stream.peer.sendall(b"abc")
            # The waiter is told in the same iteration.
            asyncio.get_running_loop().call_soon(read.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                self.assertEqual(await read, b"abc")
                return
            self.assertEqual(await stream.reader.read(100), b"abc")

        self.run_with(main)

    def test_cancelled_waiter(self):
        async def main(stream):
            stream.reader._waiter = waiter = asyncio.get_running_loop().create_future()
            waiter.cancel()
            stream.peer.sendall(b"abc")
            await asyncio.sleep(0.01)
            self.assertIsNone(stream.reader._waiter)
            self.assertEqual(await stream.reader.read(100), b"abc")

        self.run_with(main)

    def failing(self, prepare, error):
        """What is received when the reader was tampered with ends the connection, with a report."""
        reports = []

        async def main(stream):
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
            kept = prepare(stream)
            stream.peer.sendall(b"abc")
            await asyncio.sleep(0.01)
            self.assertTrue(stream.writer.transport.is_closing())
            del kept

        self.run_with(main)
        self.assertEqual([(report["message"], type(report["exception"])) for report in reports],
                         [("Fatal error: protocol.data_received() call failed.", error)])

    def test_waiter_that_is_done(self):
        def prepare(stream):
            stream.reader._waiter = asyncio.get_running_loop().create_future()
            stream.reader._waiter.set_result(1)

        self.failing(prepare, asyncio.InvalidStateError)

    def test_buffer_that_is_used(self):
        self.failing(lambda stream: memoryview(stream.reader._buffer), BufferError)

    def test_after_eof(self):
        self.failing(lambda stream: stream.reader.feed_eof(), AssertionError)

    def test_other_limit(self):
        async def main(stream):
            for limit in (2.5, 10 ** 400, True, float("inf")):
                stream.reader._limit = limit
                stream.peer.sendall(b"abc")
                await asyncio.sleep(0.01)
                self.assertEqual(await stream.reader.read(100), b"abc")
            stream.reader._limit = "none"
            with self.assertLogs("asyncio", logging.ERROR):
                stream.peer.sendall(b"abc")
                await asyncio.sleep(0.01)

        self.run_with(main)

    def test_reader_is_gone(self):
        async def main():
            ours, theirs = socket.socketpair()
            with theirs:
                reader = asyncio.StreamReader()
                protocol = asyncio.StreamReaderProtocol(reader)
                transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=ours)
                del reader
                gc.collect()
                theirs.sendall(b"abc")
                await asyncio.sleep(0.01)
                self.assertFalse(transport.is_closing())
                transport.close()
                await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(main())

    # --- What programs put in the place of asyncio's methods ---

    def replaced(self, context, make_protocol, expected):
        async def main():
            ours, theirs = socket.socketpair()
            with theirs, context:
                reader, protocol = make_protocol()
                transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, sock=ours)
                theirs.sendall(b"abc")
                await asyncio.sleep(0.01)
                self.assertEqual(bytes(reader._buffer), expected)
                transport.close()
                await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(main())

    def make_protocol(self, reader_type=asyncio.StreamReader, protocol_type=asyncio.StreamReaderProtocol):
        reader = reader_type()
        return reader, protocol_type(reader)

    def test_subclasses(self):
        class Reader(asyncio.StreamReader):
            def feed_data(self, data):
                super().feed_data(data.upper())

        class Protocol(asyncio.StreamReaderProtocol):
            def data_received(self, data):
                super().data_received(data * 2)

        nothing = contextlib.nullcontext()
        self.replaced(nothing, lambda: self.make_protocol(reader_type=Reader), b"ABC")
        self.replaced(nothing, lambda: self.make_protocol(protocol_type=Protocol), b"abcabc")
        self.replaced(nothing, lambda: self.make_protocol(Reader, Protocol), b"ABCABC")

    def test_patched_classes(self):
        feed_data = asyncio.StreamReader.feed_data
        data_received = asyncio.StreamReaderProtocol.data_received
        self.replaced(unittest.mock.patch.object(asyncio.StreamReader, "feed_data",
                                                 lambda self, data: feed_data(self, data.upper())),
                      self.make_protocol, b"ABC")
        self.replaced(unittest.mock.patch.object(asyncio.StreamReaderProtocol, "data_received",
                                                 lambda self, data: data_received(self, data * 2)),
                      self.make_protocol, b"abcabc")
        self.replaced(unittest.mock.patch.object(asyncio.StreamReader, "_wakeup_waiter",
                                                 lambda self: self._buffer.extend(b"!")),
                      self.make_protocol, b"abc!")

    def test_patched_instances(self):
        def make():
            reader, protocol = self.make_protocol()
            feed_data = reader.feed_data
            reader.feed_data = lambda data: feed_data(data.upper())
            return reader, protocol

        self.replaced(contextlib.nullcontext(), make, b"ABC")

    def test_protocol_is_changed(self):
        """From streams to another protocol, and back."""
        class Other(asyncio.Protocol):
            def data_received(self, data):
                received.append(data)

        received = []

        async def main(stream):
            transport = stream.writer.transport
            streams = transport.get_protocol()
            for protocol in (Other(), streams, Other(), streams):
                transport.set_protocol(protocol)
                stream.peer.sendall(b"abc")
                await asyncio.sleep(0.01)
                if protocol is streams:
                    self.assertEqual(await stream.reader.read(100), b"abc")
                else:
                    self.assertEqual(received.pop(), b"abc")

        self.run_with(main)


class TestOnLibloop(TestStreams, unittest.TestCase):
    loop_factory = staticmethod(libloop.new_event_loop)


class TestOnAsyncio(TestStreams, unittest.TestCase):
    loop_factory = staticmethod(asyncio.new_event_loop)


if __name__ == "__main__":
    tap.main()
