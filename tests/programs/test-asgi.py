# SPDX-License-Identifier: LGPL-2.1-or-later
"""uvicorn and hypercorn, as processes of their own, with curl and websockets."""

import asyncio
import http.client
import os
import re
import signal
import socket
import ssl
import sys

import certificate
import tap
from programs import PATIENCE, Case, Process, curl, need, random_bytes, sha256

need("uvicorn", "hypercorn", "websockets", programs=["curl", "openssl"])

import websockets  # noqa: E402
from websockets.exceptions import ConnectionClosedError  # noqa: E402

LARGE = random_bytes(4 << 20)
SERVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "asgi.py")


class Server(Case):
    """One way of running an application, with tests for all."""

    way = None
    maxDiff = None
    codes = {"websocket 1001", "websocket 4001"}
    interpreter_options = ["-X", "dev"]
    has_tls = False
    is_quiet = True

    def setUp(self):
        super().setUp()
        self.tls, files = None, []
        if self.has_tls:
            files = certificate.make(self.folder)
            self.tls = ssl.create_default_context(cafile=files[0])
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.url = f"{'https' if self.has_tls else 'http'}://127.0.0.1:{self.port}"
        with listener, open(self.path("log"), "w") as log, open(self.path("errors"), "w") as errors:
            # That they are old-fashioned is their own affair, all other warnings are not.
            self.server = Process(sys.executable, *self.interpreter_options, "-W", "ignore::DeprecationWarning",
                                  SERVERS, self.way, str(listener.fileno()), *files, pass_fds=[listener.fileno()],
                                  stdout=log, stderr=errors)
        self.addCleanup(self.end)
        self.server.wait_until(lambda: "startup True\n" in self.read("log"))

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def end(self):
        if self.server.process.poll() is None:
            self.stop()

    def stop(self, signum=signal.SIGTERM):
        """Its end is what it should be: all it says is the application's."""
        status = self.server.end(signum)
        # The machine may be busy, which debug mode complains of.
        errors = re.sub(r"^Executing .*\n|^.* has been running for [\d.]+ seconds, and is here:\n(  .*\n)*", "",
                        self.read("errors"), flags=re.MULTILINE)
        self.assertEqual((status, errors if self.is_quiet else ""), (0, ""))
        self.assertNotIn("libloop", errors)
        self.assertTrue(self.read("log").endswith("shutdown True\nend\n"), self.read("log"))

    def curl(self, *arguments, **kwargs):
        options = ["--cacert", self.path("certificate.pem")] if self.has_tls else []
        return curl(*options, *arguments, **kwargs)

    def connect(self):
        url = f"{'wss' if self.has_tls else 'ws'}://127.0.0.1:{self.port}/"
        return websockets.connect(url, ssl=self.tls, max_size=None)

    async def get(self):
        scheme = self.url.partition(":")[0]
        hello = f"{scheme} 1.1 a=b".encode()
        self.assertEqual(await self.curl("--http1.1", f"{self.url}/hello?a=b", f"{self.url}/hello?a=b"), 2 * hello)
        self.assertEqual(await self.curl(f"{self.url}/stream"), "".join(f"{n}\n" for n in range(1000)).encode())
        self.assertEqual(await self.curl("-w", " %{http_code}", f"{self.url}/nothing"), b"nothing 404")
        codes = await self.curl("--parallel", "--parallel-max", "30", "-w", "%{http_code}\n", "-o", os.devnull,
                                f"{self.url}/hello?[1-100]")
        self.assertEqual(codes, 100 * b"200\n")

    async def post(self):
        digest = f"{len(LARGE)} {sha256(LARGE)}".encode()
        self.assertEqual(await self.curl("--data-binary", "@-", f"{self.url}/digest", stdin=LARGE), digest)
        self.assertEqual(await self.curl("-X", "POST", "-T", "-", f"{self.url}/digest", stdin=LARGE), digest)

    async def talk(self):
        async with self.connect() as socket:
            await socket.send("hello")
            self.assertEqual(await socket.recv(), "olleh")
            await socket.send(LARGE)
            self.assertEqual(sha256(await socket.recv()), sha256(LARGE))
            await asyncio.wait_for(await socket.ping(), PATIENCE)
            await socket.send("close")
            with self.assertRaises(ConnectionClosedError):
                await socket.recv()
            self.assertEqual(socket.close_code, 4001)
        async with self.connect() as socket:
            await socket.close(1001)

    def test_serve(self):
        async def main():
            await self.get()
            await self.post()
            await self.talk()

        self.run_loop(main())
        self.stop(signal.SIGINT)
        codes = {line for line in self.read("log").splitlines() if line.startswith("websocket")}
        self.assertEqual(codes, self.codes)

    def test_graceful_stop(self):
        """SIGTERM in the middle of a request: it is answered, and there are no more."""
        # A connection that is kept alive does not hold the server up. (With TLS it would say goodbye for 30 s.)
        if not self.has_tls:
            idle = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            self.addCleanup(idle.close)
            idle.request("GET", "/nothing")
            self.assertEqual(idle.getresponse().read(), b"nothing")

        async def main():
            request = asyncio.create_task(self.curl(f"{self.url}/slow"))
            await asyncio.to_thread(self.server.wait_until, lambda: "slow\n" in self.read("log"))
            os.kill(self.server.pid, signal.SIGTERM)
            self.assertEqual(await request, b"late")
            await asyncio.to_thread(self.server.process.wait, PATIENCE)

        self.run_loop(main())
        self.stop()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port))


class TestUvicorn(Server):
    way = "uvicorn"


class TestUvicornTls(Server):
    way = "uvicorn"
    has_tls = True


class TestUvicornOnLoop(Server):
    way = "uvicorn_on"
    interpreter_options = []


class TestHypercorn(Server):
    way = "hypercorn"
    codes = {"websocket 1000", "websocket 1006"}  # it knows no others


class TestHypercornTls(TestHypercorn):
    has_tls = True
    interpreter_options = []
    is_quiet = False  # it ends without its tasks for HTTP/2, on asyncio's own loop too

    async def get(self):
        out = await self.curl("--http2", "-w", " %{http_version}\n", f"{self.url}/hello?[1-20]")
        self.assertEqual(out.decode(), "".join(f"https 2 {n} 2\n" for n in range(1, 21)))
        await super().get()


del Server


if __name__ == "__main__":
    tap.main()
