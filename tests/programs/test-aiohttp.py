# SPDX-License-Identifier: LGPL-2.1-or-later
"""aiohttp: its server with its client and with curl, its client with its server."""

import asyncio
import contextlib
import io
import json
import ssl

import certificate
import tap
from programs import PATIENCE, Case, curl, need, random_bytes, sha256

need("aiohttp", programs=["curl", "openssl"])

import aiohttp  # noqa: E402
from aiohttp import web  # noqa: E402

LARGE = random_bytes(6 << 20)


class Application:
    """What the tests ask for, and what became of it."""

    def __init__(self):
        self.peers = set()
        self.seen = []
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.app = web.Application(client_max_size=16 << 20)
        self.app.add_routes([web.get("/hello", self.hello), web.post("/digest", self.digest),
                             web.post("/form", self.form), web.get("/stream", self.stream),
                             web.get("/large", self.large), web.get("/slow", self.slow),
                             web.get("/fail", self.fail), web.get("/socket", self.socket)])
        self.app.on_shutdown.append(self.shut_down)
        self.app.on_cleanup.append(self.clean_up)

    async def shut_down(self, app):
        self.seen.append("shutdown")

    async def clean_up(self, app):
        self.seen.append("cleanup")

    async def hello(self, request):
        self.peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({"scheme": request.scheme, "query": dict(request.query), "remote": request.remote})

    async def digest(self, request):
        length = 0
        async for chunk in request.content.iter_chunked(1 << 16):
            length += len(chunk)
            self.seen.append(chunk)
        body = b"".join(self.seen)
        self.seen.clear()
        return web.json_response({"length": length, "sha256": sha256(body),
                                  "chunked": request.headers.get("Transfer-Encoding") == "chunked"})

    async def form(self, request):
        data = await request.post()
        with data["file"].file as file:
            return web.json_response({"name": data["name"], "file": data["file"].filename,
                                      "sha256": sha256(file.read())})

    async def stream(self, request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for number in range(int(request.query["n"])):
            await response.write(f"{number}\n".encode())
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    async def large(self, request):
        return web.Response(body=LARGE)

    async def slow(self, request):
        self.is_asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        return web.Response(text="late")

    async def fail(self, request):
        raise web.HTTPGone(text="planted")

    async def socket(self, request):
        socket = web.WebSocketResponse(max_msg_size=16 << 20)
        await socket.prepare(request)
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT and message.data == "close":
                await socket.close(code=4001, message=b"as you wish")
            elif message.type == aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data[::-1])
            else:
                await socket.send_bytes(message.data)
        self.seen.append(socket.close_code)
        return socket


class TestAiohttp(Case):
    tls = (None, None)  # the contexts of the server and of the client
    curl_options = ()

    @contextlib.asynccontextmanager
    async def serve(self, **kwargs):
        """The application, its URL, and what stops it."""
        application = Application()
        runner = web.AppRunner(application.app, handle_signals=False, **kwargs)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.tls[0], shutdown_timeout=5).start()
        scheme = "https" if self.tls[0] else "http"
        try:
            yield application, f"{scheme}://127.0.0.1:{runner.addresses[0][1]}", runner
        finally:
            await runner.cleanup()

    @contextlib.asynccontextmanager
    async def client(self, **kwargs):
        connector = aiohttp.TCPConnector(ssl=self.tls[1], limit=20)
        async with aiohttp.ClientSession(connector=connector, **kwargs) as session:
            yield session
        if self.tls[1]:
            # aiohttp does not wait for its connections to say goodbye.
            await asyncio.sleep(0.25)

    def run_with_client(self, test, **kwargs):
        async def main():
            async with self.serve() as (application, url, _), self.client(**kwargs) as session:
                await test(application, url, session)

        self.run_loop(main())

    def test_keep_alive(self):
        async def test(application, url, session):
            for number in range(20):
                async with session.get(f"{url}/hello", params={"n": number}) as response:
                    self.assertEqual(response.status, 200)
                    self.assertEqual(await response.json(), {"scheme": url.partition(":")[0],
                                                             "query": {"n": str(number)}, "remote": "127.0.0.1"})
            self.assertEqual(len(application.peers), 1)
            async with session.get(f"{url}/hello", headers={"Connection": "close"}) as response:
                await response.read()
            async with session.get(f"{url}/hello") as response:
                await response.read()
            self.assertEqual(len(application.peers), 2)

        self.run_with_client(test)

    def test_parallel(self):
        async def test(application, url, session):
            async def get(number):
                async with session.get(f"{url}/stream", params={"n": number}) as response:
                    return await response.text()

            texts = await asyncio.gather(*map(get, range(100)))
            self.assertEqual(texts, ["".join(f"{line}\n" for line in range(number)) for number in range(100)])

        self.run_with_client(test)

    def test_upload(self):
        async def chunks():
            for start in range(0, len(LARGE), 100_000):
                yield LARGE[start:start + 100_000]

        async def test(application, url, session):
            expected = {"length": len(LARGE), "sha256": sha256(LARGE)}
            async with session.post(f"{url}/digest", data=io.BytesIO(LARGE)) as response:
                self.assertEqual(await response.json(), dict(expected, chunked=False))
            async with session.post(f"{url}/digest", data=chunks()) as response:
                self.assertEqual(await response.json(), dict(expected, chunked=True))
            form = aiohttp.FormData({"name": "value"})
            form.add_field("file", io.BytesIO(LARGE), filename="large.bin")
            async with session.post(f"{url}/form", data=form) as response:
                self.assertEqual(await response.json(), {"name": "value", "file": "large.bin", "sha256": sha256(LARGE)})

        self.run_with_client(test)

    def test_download(self):
        async def test(application, url, session):
            async with session.get(f"{url}/large") as response:
                self.assertEqual(response.content_length, len(LARGE))
                self.assertEqual(sha256(await response.read()), sha256(LARGE))
            # One that is given up in the middle takes its connection with it, and no other.
            async with session.get(f"{url}/large") as response:
                self.assertEqual(await response.content.readexactly(1000), LARGE[:1000])
            async with session.get(f"{url}/hello") as response:
                self.assertEqual(response.status, 200)

        self.run_with_client(test)

    def test_statuses(self):
        async def test(application, url, session):
            async with session.get(f"{url}/fail") as response:
                self.assertEqual((response.status, await response.text()), (410, "planted"))
            async with session.get(f"{url}/nothing") as response:
                self.assertEqual(response.status, 404)
            with self.assertRaises(aiohttp.ClientResponseError):
                await session.get(f"{url}/nothing", raise_for_status=True)

        self.run_with_client(test)

    def test_client_timeout(self):
        async def test(application, url, session):
            with self.assertRaises(asyncio.TimeoutError):
                await session.get(f"{url}/slow", timeout=aiohttp.ClientTimeout(total=0.2))
            application.may_answer.set()
            async with session.get(f"{url}/slow") as response:
                self.assertEqual(await response.text(), "late")

        self.run_with_client(test)

    def test_nobody_listens(self):
        async def main():
            async with self.serve() as (_, url, runner), self.client() as session:
                await runner.cleanup()
                with self.assertRaises(aiohttp.ClientConnectorError) as caught:
                    await session.get(url)
                self.assertIsInstance(caught.exception.os_error, ConnectionRefusedError)

        self.run_loop(main())

    def test_web_socket(self):
        async def test(application, url, session):
            async with session.ws_connect(f"{url}/socket", max_msg_size=16 << 20, autoping=False) as socket:
                await socket.send_str("hello")
                self.assertEqual(await socket.receive_str(), "olleh")
                for length in (0, 125, 126, 65535, 65536, len(LARGE)):
                    await socket.send_bytes(LARGE[:length])
                    self.assertEqual(sha256(await socket.receive_bytes()), sha256(LARGE[:length]))
                await socket.ping(b"are you there")
                message = await socket.receive()
                self.assertEqual((message.type, message.data), (aiohttp.WSMsgType.PONG, b"are you there"))
                await socket.send_str("close")
                message = await socket.receive()
                self.assertEqual((message.type, message.data, message.extra),
                                 (aiohttp.WSMsgType.CLOSE, 4001, "as you wish"))
            async with session.ws_connect(f"{url}/socket") as socket:
                await socket.close(code=4002)
            while len(application.seen) < 2:
                await asyncio.sleep(0.01)
            # The first is what the client answered, which closed without a code.
            self.assertEqual(application.seen, [1000, 4002])

        self.run_with_client(test)

    def test_graceful_shutdown(self):
        async def main():
            async with self.serve() as (application, url, runner), self.client() as session:
                async def get():
                    async with session.get(f"{url}/slow") as response:
                        return await response.text()

                request = asyncio.create_task(get())
                await application.is_asked.wait()
                asyncio.get_running_loop().call_later(0.1, application.may_answer.set)
                # The answer that is under way is given; nobody else gets one.
                await runner.cleanup()
                with contextlib.suppress(aiohttp.ServerDisconnectedError):
                    self.assertEqual(await asyncio.wait_for(request, PATIENCE), "late")
                with self.assertRaises(aiohttp.ClientConnectorError):
                    await session.get(f"{url}/hello")
                self.assertEqual(application.seen[-1], "cleanup")

        self.run_loop(main())

    def test_curl(self):
        async def main():
            async with self.serve() as (application, url, _):
                options = [*self.curl_options, "-w", "%{stderr}"]
                hello = json.loads(await curl(*options, f"{url}/hello?a=b"))
                self.assertEqual(hello, {"scheme": url.partition(":")[0], "query": {"a": "b"}, "remote": "127.0.0.1"})
                self.assertEqual(await curl(*options, f"{url}/stream?n=1000"),
                                 "".join(f"{line}\n" for line in range(1000)).encode())
                self.assertEqual(sha256(await curl(*options, f"{url}/large")), sha256(LARGE))
                sent = json.loads(await curl(*options, "--data-binary", "@-", f"{url}/digest", stdin=LARGE))
                self.assertEqual(sent, {"length": len(LARGE), "sha256": sha256(LARGE), "chunked": False})
                # curl waits until it is told to continue.
                sent = json.loads(await curl(*options, "-T", "-", "-X", "POST", "-H", "Expect: 100-continue",
                                             f"{url}/digest", stdin=LARGE))
                self.assertEqual(sent, {"length": len(LARGE), "sha256": sha256(LARGE), "chunked": True})
                connects = await curl(*self.curl_options, "-w", "%{num_connects} ", *2 * ["-o", "/dev/null"],
                                      f"{url}/hello", f"{url}/hello")
                self.assertEqual(connects, b"1 0 ")

        self.run_loop(main())


class TestAiohttpDebugged(TestAiohttp):
    is_debug = True


class TestAiohttpTls(TestAiohttp):
    def setUp(self):
        super().setUp()
        self.tls = certificate.make_contexts(self.folder)
        self.curl_options = ["--cacert", self.path("certificate.pem")]

    def test_stranger(self):
        """A certificate that nobody has signed."""
        async def test(application, url, session):
            with self.assertRaises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"{url}/hello", ssl=ssl.create_default_context())
            async with session.get(f"{url}/hello") as response:
                self.assertEqual(response.status, 200)

        self.run_with_client(test)


if __name__ == "__main__":
    tap.main()
