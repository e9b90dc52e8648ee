# SPDX-License-Identifier: LGPL-2.1-or-later
"""websockets: its server and its client, over TCP, TLS and a unix socket."""

import asyncio
import contextlib
import http
import logging

import certificate
import tap
from programs import PATIENCE, Case, need, random_bytes, sha256

need("websockets", programs=["openssl"])

import websockets  # noqa: E402
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatusCode  # noqa: E402

LARGE = random_bytes(5 << 20)


class TestWebsockets(Case):
    tls = (None, None)

    def setUp(self):
        super().setUp()
        # It tells of handlers that end with their connection.
        logger = logging.getLogger("websockets.server")
        logger.setLevel(logging.CRITICAL)
        self.addCleanup(logger.setLevel, logging.NOTSET)

    @contextlib.asynccontextmanager
    async def serve(self, handler, **kwargs):
        """The URL of a server; what closes it is self.server."""
        async with websockets.serve(handler, "127.0.0.1", 0, ssl=self.tls[0], max_size=16 << 20, **kwargs) as server:
            self.server = server
            self.addCleanup(self.__dict__.pop, "server")
            yield f"{'wss' if self.tls[0] else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def connect(self, url, **kwargs):
        return websockets.connect(url, ssl=self.tls[1], max_size=16 << 20, **kwargs)

    @staticmethod
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    def test_echo(self):
        async def main():
            async with self.serve(self.echo) as url, self.connect(url) as socket:
                for message in "", "text", "ü€🎉", b"", b"\x00\xff":
                    await socket.send(message)
                    self.assertEqual(await socket.recv(), message)
                for length in (125, 126, 65535, 65536, len(LARGE)):
                    await socket.send(LARGE[:length])
                    self.assertEqual(sha256(await socket.recv()), sha256(LARGE[:length]))
                # In fragments, one of them empty.
                await socket.send([b"a", b"", b"b" * 100_000])
                self.assertEqual(await socket.recv(), b"a" + b"b" * 100_000)
            self.assertEqual((socket.close_code, socket.close_reason), (1000, ""))

        self.run_loop(main())

    def test_pipelined(self):
        """Both sides send more than the buffers between them take, and lose nothing."""
        async def main():
            async with self.serve(self.echo) as url, self.connect(url) as socket:
                async def send():
                    for number in range(2000):
                        await socket.send(f"{number} " + 2000 * "x")

                sending = asyncio.create_task(send())
                for number in range(2000):
                    self.assertEqual((await socket.recv()).partition(" ")[0], str(number))
                await sending

        self.run_loop(main())

    def test_many_clients(self):
        async def main():
            async with self.serve(self.echo) as url:
                async def talk(number):
                    async with self.connect(url) as socket:
                        await socket.send(str(number))
                        return await socket.recv()

                self.assertEqual(await asyncio.gather(*map(talk, range(50))), list(map(str, range(50))))

        self.run_loop(main())

    def test_broadcast(self):
        async def main():
            clients = set()

            async def register(socket):
                clients.add(socket)
                await socket.wait_closed()

            async with self.serve(register) as url, contextlib.AsyncExitStack() as stack:
                sockets = [await stack.enter_async_context(self.connect(url)) for _ in range(10)]
                while len(clients) < 10:
                    await asyncio.sleep(0.01)
                websockets.broadcast(clients, "to all")
                self.assertEqual(await asyncio.gather(*(socket.recv() for socket in sockets)), 10 * ["to all"])

        self.run_loop(main())

    def test_ping(self):
        async def main():
            async with self.serve(self.echo) as url, self.connect(url) as socket:
                pongs = [await socket.ping(payload) for payload in (b"a", b"b", b"")]
                await asyncio.wait_for(asyncio.gather(*pongs), PATIENCE)
                self.assertGreater(socket.latency, 0)

        self.run_loop(main())

    def test_keepalive_timeout(self):
        """A peer that does not answer a ping is given up."""
        async def main():
            async def silent(socket):
                socket.transport.pause_reading()
                await socket.wait_closed()

            async with self.serve(silent, ping_interval=None, close_timeout=0.2) as url:
                socket = await self.connect(url, ping_interval=0.1, ping_timeout=0.2, close_timeout=0.2)
                with self.assertRaises(ConnectionClosedError) as caught:
                    await socket.recv()
                self.assertEqual((caught.exception.sent.code, caught.exception.sent.reason),
                                 (1011, "keepalive ping timeout"))
                self.assertEqual(socket.close_code, 1006)

        self.run_loop(main())

    def test_close_codes(self):
        async def main():
            seen = []

            async def handler(socket):
                try:
                    command, _, argument = (await socket.recv()).partition(" ")
                    if command == "close":
                        await socket.close(int(argument), "as you wish")
                    elif command == "fail":
                        raise RuntimeError("planted")
                    elif command == "abort":
                        socket.transport.abort()
                    await socket.wait_closed()
                finally:
                    seen.append(socket.close_code)

            async def ask(url, text):
                async with self.connect(url) as socket:
                    await socket.send(text)
                    try:
                        await socket.recv()
                    except ConnectionClosedOK as error:
                        return "ok", error.rcvd.code, error.rcvd.reason
                    except ConnectionClosedError as error:
                        return "error", error.rcvd.code if error.rcvd else None, socket.close_code

            async with self.serve(handler) as url:
                self.assertEqual(await ask(url, "close 1000"), ("ok", 1000, "as you wish"))
                self.assertEqual(await ask(url, "close 1001"), ("ok", 1001, "as you wish"))
                self.assertEqual(await ask(url, "close 4321"), ("error", 4321, 4321))
                with self.assertLogs("websockets.server", "ERROR"):
                    self.assertEqual(await ask(url, "fail"), ("error", 1011, 1011))
                self.assertEqual(await ask(url, "abort"), ("error", None, 1006))
                async with self.connect(url) as socket:
                    await socket.close(4000, "enough")
                while len(seen) < 6:
                    await asyncio.sleep(0.01)
                self.assertEqual(seen, [1000, 1001, 4321, None, 1006, 4000])

        self.run_loop(main())

    def test_too_large(self):
        async def main():
            async with self.serve(self.echo) as url, websockets.connect(url, ssl=self.tls[1], max_size=1000) as socket:
                await socket.send(1001 * "x")
                with self.assertRaises(ConnectionClosedError):
                    await socket.recv()
                self.assertEqual(socket.close_code, 1006)

        self.run_loop(main())

    def test_refused(self):
        async def main():
            async def process_request(path, headers):
                return (http.HTTPStatus.FORBIDDEN, [], b"no\n") if path == "/no" else None

            async with self.serve(self.echo, process_request=process_request) as url:
                with self.assertRaises(InvalidStatusCode) as caught:
                    await self.connect(f"{url}/no")
                self.assertEqual(caught.exception.status_code, 403)
                async with self.connect(url) as socket:
                    await socket.send("yes")
                    self.assertEqual(await socket.recv(), "yes")

        self.run_loop(main())

    def test_server_closes(self):
        async def main():
            async with self.serve(self.echo) as url:
                sockets = [await self.connect(url) for _ in range(5)]
                self.server.close()
                await asyncio.wait_for(self.server.wait_closed(), PATIENCE)
                for socket in sockets:
                    with self.assertRaises(ConnectionClosedOK):
                        await socket.recv()
                    self.assertEqual(socket.close_code, 1001)
                    await socket.wait_closed()
                with self.assertRaises(ConnectionRefusedError):
                    await self.connect(url)

        self.run_loop(main())

    def test_receiver_is_cancelled(self):
        """What comes after a recv() was given up is for the next."""
        async def main():
            async with self.serve(self.echo) as url, self.connect(url) as socket:
                for number in range(50):
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(socket.recv(), 0.001)
                    await socket.send(str(number))
                    self.assertEqual(await socket.recv(), str(number))

        self.run_loop(main())


class TestWebsocketsDebugged(TestWebsockets):
    is_debug = True


class TestWebsocketsTls(TestWebsockets):
    def setUp(self):
        super().setUp()
        self.tls = certificate.make_contexts(self.folder)


class TestUnix(Case):
    def test_echo(self):
        async def main():
            async with websockets.unix_serve(TestWebsockets.echo, self.path("socket")), \
                    websockets.unix_connect(self.path("socket")) as socket:
                await socket.send("hello")
                self.assertEqual(await socket.recv(), "hello")

        self.run_loop(main())


if __name__ == "__main__":
    tap.main()
