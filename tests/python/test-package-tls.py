# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS on the package's loop: what CPython's tests of asyncio do not look at."""

import asyncio
import gc
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest
import weakref

import libloop

import certificate
import tap

PATIENCE = 60

if shutil.which("openssl") is None:
    print("1..0 # SKIP openssl is missing")
    sys.exit(0)


class Recorder(asyncio.Protocol):
    """Writes down what it is told."""

    def __init__(self, loop):
        self.received = []
        self.calls = []
        self.lost = loop.create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data):
        self.received.append(data)

    def eof_received(self):
        self.calls.append("eof")

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")

    def connection_lost(self, exc):
        self.calls.append("lost")
        self.lost.set_result(exc)


class Echo(Recorder):
    def data_received(self, data):
        self.transport.write(data)


class TlsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.server_context, cls.client_context = certificate.make_contexts(folder)

    def run_test(self, main):
        reports = []

        async def limited():
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
            return await asyncio.wait_for(main(), PATIENCE)

        result = libloop.run(limited())
        self.assertEqual(reports, self.expected_reports(reports))
        return result

    def expected_reports(self, reports):
        return []

    async def connect(self, server_factory=Echo, client_factory=Recorder):
        """A server's protocol and a client's, once they have shaken hands."""
        loop = asyncio.get_running_loop()
        accepted = loop.create_future()

        class Server(server_factory):
            def connection_made(self, transport):
                super().connection_made(transport)
                accepted.set_result(self)

        server = await loop.create_server(lambda: Server(loop), "127.0.0.1", 0, ssl=self.server_context)
        _, client = await loop.create_connection(lambda: client_factory(loop), *server.sockets[0].getsockname(),
                                                 ssl=self.client_context, server_hostname="localhost")
        server.close()
        return await accepted, client

    async def receive(self, client, length):
        while sum(map(len, client.received)) < length:
            await asyncio.sleep(0.001)
        return b"".join(client.received)


class TestData(TlsCase):
    def test_sizes(self):
        """Below, at and above the size of a record, which has 16 KiB."""
        async def main():
            _, client = await self.connect()
            for size in 1, 2, 1023, 16383, 16384, 16385, 32768, 100000, 1 << 20:
                data = random.Random(size).randbytes(size)
                client.received.clear()
                client.transport.write(data)
                self.assertEqual(await self.receive(client, size), data)
            client.transport.close()
            self.assertIsNone(await client.lost)

        self.run_test(main)

    def test_kinds_of_data(self):
        async def main():
            _, client = await self.connect()
            client.transport.write(bytearray(b"one "))
            client.transport.write(memoryview(b"-two -")[1:-1])
            client.transport.write(b"")
            client.transport.writelines([b"three ", bytearray(b"four "), memoryview(b"five")])
            self.assertEqual(await self.receive(client, 23), b"one two three four five")
            with self.assertRaisesRegex(TypeError, "expecting a bytes-like instance, got str"):
                client.transport.write("text")
            with self.assertRaises(TypeError):
                client.transport.write(None)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_memory_changed_afterwards(self):
        """What was written is sent as it was, though the peer does not read at first."""
        async def main():
            server, client = await self.connect(Recorder)
            server.transport.pause_reading()
            data = bytearray(random.Random(1).randbytes(4 << 20))
            sent = bytes(data)
            client.transport.write(data)
            data[:] = bytes(len(data))
            server.transport.resume_reading()
            self.assertEqual(await self.receive(server, len(sent)), sent)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_many_messages_of_one_event(self):
        """Several records that come at once are handed over together, in their order."""
        async def main():
            server, client = await self.connect(Recorder)
            for i in range(1000):
                client.transport.write(b"%05d" % i)
            received = await self.receive(server, 5000)
            self.assertEqual(received, b"".join(b"%05d" % i for i in range(1000)))
            self.assertLess(len(server.received), 1000)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_flow_control(self):
        async def main():
            server, client = await self.connect(Recorder)
            server.transport.pause_reading()
            client.transport.set_write_buffer_limits(high=1 << 16, low=1 << 10)
            n = 0
            while "pause" not in client.calls:
                client.transport.write(bytes(1 << 16))
                n += 1
                self.assertLess(n, 1000)
                await asyncio.sleep(0)
            self.assertGreaterEqual(client.transport.get_write_buffer_size(), 1 << 16)
            self.assertFalse(server.transport.is_reading())
            server.transport.resume_reading()
            await self.receive(server, n << 16)
            while "resume" not in client.calls:
                await asyncio.sleep(0.001)
            self.assertEqual(client.transport.get_write_buffer_size(), 0)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_close_sends_what_is_buffered(self):
        async def main():
            server, client = await self.connect(Recorder)
            server.transport.pause_reading()
            data = random.Random(2).randbytes(8 << 20)
            client.transport.write(data)
            client.transport.close()
            server.transport.resume_reading()
            self.assertEqual(await self.receive(server, len(data)), data)
            await client.lost
            await server.lost
            self.assertIn("eof", server.calls)

        self.run_test(main)

    def test_openssl_client(self):
        async def main():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: Echo(loop), "127.0.0.1", 0, ssl=self.server_context)
            port = server.sockets[0].getsockname()[1]
            process = await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{port}", stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            process.stdin.write(b"hello\n")
            self.assertEqual(await process.stdout.readline(), b"hello\n")
            process.stdin.close()
            await process.wait()
            server.close()

        self.run_test(main)


class TestLayers(TlsCase):
    def test_start_tls(self):
        async def main():
            loop = asyncio.get_running_loop()
            ours, theirs = socket.socketpair()
            _, server = await loop.connect_accepted_socket(lambda: Echo(loop), ours)
            _, client = await loop.create_connection(lambda: Recorder(loop), sock=theirs)

            async def upgrade(protocol, context, **options):
                protocol.transport = await loop.start_tls(protocol.transport, protocol, context, **options)

            await asyncio.gather(upgrade(server, self.server_context, server_side=True),
                                 upgrade(client, self.client_context, server_hostname="localhost"))
            client.transport.write(b"secret")
            self.assertEqual(await self.receive(client, 6), b"secret")
            self.assertEqual(client.transport.get_extra_info("cipher")[1], "TLSv1.3")
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_tls_in_tls(self):
        async def main():
            server, client = await self.connect()
            loop = asyncio.get_running_loop()

            async def upgrade(protocol, context, **options):
                protocol.transport = await loop.start_tls(protocol.transport, protocol, context, **options)

            await asyncio.gather(upgrade(server, self.server_context, server_side=True),
                                 upgrade(client, self.client_context, server_hostname="localhost"))
            data = random.Random(3).randbytes(100000)
            client.transport.write(data)
            self.assertEqual(await self.receive(client, len(data)), data)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_buffered_protocol(self):
        async def main():
            memory = bytearray(1000)

            class Buffered(asyncio.BufferedProtocol):
                def __init__(self, loop):
                    self.received = []
                    self.lost = loop.create_future()

                def connection_made(self, transport):
                    self.transport = transport

                def get_buffer(self, sizehint):
                    return memoryview(memory)

                def buffer_updated(self, nbytes):
                    self.received.append(bytes(memory[:nbytes]))

                def connection_lost(self, exc):
                    self.lost.set_result(exc)

            _, client = await self.connect(client_factory=Buffered)
            data = random.Random(4).randbytes(50000)
            client.transport.write(data)
            self.assertEqual(await self.receive(client, len(data)), data)
            client.transport.close()
            await client.lost

        self.run_test(main)

    def test_protocol_changed(self):
        async def main():
            _, client = await self.connect()
            other = Recorder(asyncio.get_running_loop())
            client.transport.set_protocol(other)
            client.transport.write(b"for the other")
            self.assertEqual(await self.receive(other, 13), b"for the other")
            self.assertEqual(client.received, [])
            client.transport.close()
            await other.lost

        self.run_test(main)

    def test_buffer_for_other_transports(self):
        """A BufferedProtocol's methods, wrongly used."""
        async def main():
            server, client = await self.connect()
            protocol = client.transport._ssl_protocol
            with self.assertRaisesRegex(ValueError, "7 bytes cannot have been received"):
                protocol.buffer_updated(7)
            self.assertGreaterEqual(len(protocol.get_buffer(-1)), 16384)
            self.assertGreaterEqual(len(protocol.get_buffer(1000)), 1000)
            for wrong in -1, 1 << 30:
                with self.assertRaises(ValueError):
                    protocol.buffer_updated(wrong)
            with self.assertRaises(TypeError):
                protocol.get_buffer("many")
            client.transport.abort()
            await asyncio.gather(client.lost, server.lost)

        self.run_test(main)


class TestEnds(TlsCase):
    def test_write_after_close(self):
        async def main():
            _, client = await self.connect()
            client.transport.close()
            client.transport.write(b"lost")
            client.transport.close()
            client.transport.write(b"lost")
            await client.lost
            client.transport.write(b"lost")
            self.assertTrue(client.transport.is_closing())

        self.run_test(main)

    def test_garbage(self):
        """What is no TLS ends the connection, and is told."""
        async def main():
            server, client = await self.connect(Recorder)
            raw = client.transport.get_extra_info("socket")
            with raw.dup() if hasattr(raw, "dup") else socket.socket(fileno=raw.fileno()) as sock:
                sock.send(b"this is no record of TLS")
            error = await server.lost
            self.assertIsInstance(error, ssl.SSLError)
            client.transport.abort()
            await client.lost

        self.run_test(main)

    def expected_reports(self, reports):
        # An ssl.SSLError is an OSError, which asyncio reports in debug mode only.
        return [report for report in reports if "data_received" in report["message"]
                or isinstance(report.get("exception"), ZeroDivisionError)]

    def test_data_before_garbage(self):
        """What came before the connection broke is handed over nevertheless."""
        async def main():
            server, client = await self.connect(Recorder)
            client.transport.pause_reading()
            protocol = client.transport._ssl_protocol
            encrypted = []

            class Tap:
                def write(self, data):
                    encrypted.append(bytes(data))

            below = protocol._transport
            protocol._transport = Tap()
            client.transport.write(b"whole")
            protocol._transport = below
            below.write(b"".join(encrypted) + b"\x17\x03\x03\x00\x20" + bytes(32))
            self.assertIsInstance(await server.lost, ssl.SSLError)
            self.assertEqual(server.received, [b"whole"])
            client.transport.abort()
            await client.lost

        self.run_test(main)

    def test_failing_protocol(self):
        async def main():
            class Failing(Recorder):
                def data_received(self, data):
                    raise ZeroDivisionError

            server, client = await self.connect(Failing)
            client.transport.write(b"x")
            self.assertIsInstance(await server.lost, ZeroDivisionError)
            await client.lost

        self.run_test(main)

    def test_interrupt(self):
        async def main():
            class Interrupting(Recorder):
                def data_received(self, data):
                    raise KeyboardInterrupt

            server, client = await self.connect(Interrupting)
            client.transport.write(b"x")
            await server.lost

        with self.assertRaises(KeyboardInterrupt):
            self.run_test(main)

    def test_close_in_data_received(self):
        async def main():
            class Closing(Recorder):
                def data_received(self, data):
                    super().data_received(data)
                    self.transport.write(b"bye")
                    self.transport.close()
                    self.transport.write(b"lost")

            server, client = await self.connect(Closing)
            client.transport.write(b"x" * 20000)
            await server.lost
            await client.lost
            self.assertEqual(client.received, [b"bye"])

        self.run_test(main)

    def test_abort_in_data_received(self):
        async def main():
            class Aborting(Recorder):
                def data_received(self, data):
                    self.received.append(data)
                    self.transport.abort()

            server, client = await self.connect(Aborting)
            client.transport.write(b"x" * 100000)
            await server.lost
            await client.lost
            self.assertEqual(len(server.received), 1)

        self.run_test(main)

    def test_garbage_collected(self):
        async def main():
            server, client = await self.connect()
            watched = [weakref.ref(protocol.transport._ssl_protocol) for protocol in (server, client)]
            client.transport.close()
            await asyncio.gather(client.lost, server.lost)
            return watched

        watched = self.run_test(main)
        gc.collect()
        self.assertEqual([ref() for ref in watched], [None, None])

    def test_not_initialised(self):
        protocol = libloop._ssl.SSLProtocol.__new__(libloop._ssl.SSLProtocol)
        for call in (protocol._do_read, protocol._do_write, protocol._process_outgoing,
                     lambda: protocol.get_buffer(1), lambda: protocol.buffer_updated(1)):
            try:
                call()
            except (AttributeError, RuntimeError, TypeError, ValueError):
                pass


tap.main()
