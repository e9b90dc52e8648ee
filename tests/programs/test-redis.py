# SPDX-License-Identifier: LGPL-2.1-or-later
"""redis-py's asyncio client, with a server of the test's own on a unix socket and a port."""

import asyncio
import contextlib
import signal
import socket
import subprocess

import tap
from programs import PATIENCE, Case, Process, need, random_bytes

need("redis", programs=["redis-server"])

import redis.asyncio as redis  # noqa: E402

LARGE = random_bytes(3 << 20)


class TestRedis(Case):
    """Through the unix socket."""

    def setUp(self):
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as placeholder:
            self.port = placeholder.getsockname()[1]
        self.server = Process("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket",
                              self.path("socket"), "--save", "", "--dir", self.folder, "--appendonly", "no",
                              stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: self.assertEqual(self.server.end(), 0))
        self.server.wait_until(self.is_ready)

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), PATIENCE) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(100) == b"+PONG\r\n"

    def make_client(self, **kwargs):
        return redis.Redis(unix_socket_path=self.path("socket"), **kwargs)

    def run_with(self, test, **kwargs):
        async def main():
            client = self.make_client(**kwargs)
            try:
                await test(client)
            finally:
                await client.close()
                await client.connection_pool.disconnect()

        self.run_loop(main())

    def test_commands(self):
        async def test(client):
            self.assertTrue(await client.ping())
            self.assertTrue(await client.set("key", LARGE))
            self.assertEqual(await client.get("key"), LARGE)
            self.assertIsNone(await client.get("nothing"))
            self.assertEqual(await client.incrby("counter", 5), 5)
            await client.hset("hash", mapping={str(n): n * n for n in range(1000)})
            self.assertEqual(await client.hgetall("hash"), {str(n).encode(): str(n * n).encode() for n in range(1000)})
            self.assertEqual({key async for key in client.scan_iter()}, {b"key", b"counter", b"hash"})
            with self.assertRaisesRegex(redis.ResponseError, "WRONGTYPE"):
                await client.incr("hash")

        self.run_with(test)

    def test_pipeline(self):
        async def test(client):
            async with client.pipeline(transaction=False) as pipe:
                for number in range(5000):
                    pipe.set(f"key{number}", number)
                    pipe.get(f"key{number}")
                results = await pipe.execute()
            self.assertEqual(results[1::2], [str(number).encode() for number in range(5000)])
            async with client.pipeline(transaction=True) as pipe:
                await pipe.watch("key0")
                await client.set("key0", "changed")
                pipe.multi()
                pipe.set("key1", "unreachable")
                with self.assertRaises(redis.WatchError):
                    await pipe.execute()
            self.assertEqual(await client.get("key1"), b"1")

        self.run_with(test)

    def test_parallel(self):
        async def test(client):
            async def count():
                for _ in range(20):
                    await client.incr("counter")

            await asyncio.gather(*(count() for _ in range(25)))
            self.assertEqual(await client.get("counter"), b"500")

        self.run_with(test, max_connections=30)

    def test_publish(self):
        async def test(client):
            async with client.pubsub() as pubsub:
                await pubsub.subscribe("news")
                await pubsub.psubscribe("new*")
                for number in range(100):
                    self.assertEqual(await client.publish("news", number), 2)
                seen = []
                async for message in pubsub.listen():
                    if message["type"].endswith("message"):
                        seen.append((message["type"], message["data"]))
                        if len(seen) == 200:
                            break
                self.assertEqual(sorted(seen), sorted((kind, str(number).encode()) for number in range(100)
                                                      for kind in ("message", "pmessage")))
                self.assertIsNone(await pubsub.get_message(timeout=0.05))

        self.run_with(test)

    def test_blocking(self):
        async def test(client):
            waiting = asyncio.create_task(client.blpop("list", timeout=PATIENCE))
            await asyncio.sleep(0.05)
            self.assertFalse(waiting.done())
            await client.rpush("list", "value")
            self.assertEqual(await waiting, (b"list", b"value"))
            self.assertIsNone(await client.blpop("list", timeout=0.1))

        self.run_with(test)

    def test_timeout(self):
        async def test(client):
            with self.assertRaises(redis.TimeoutError):
                await client.blpop("list", timeout=PATIENCE)
            # Its connection is not used again: the next answer is not for the last question.
            self.assertEqual(await client.echo("still here"), b"still here")

        self.run_with(test, socket_timeout=0.1)

    def test_server_stops(self):
        async def test(client):
            self.assertTrue(await client.ping())
            waiting = asyncio.create_task(client.blpop("list", timeout=PATIENCE))
            await asyncio.sleep(0.05)
            await asyncio.to_thread(self.server.end, signal.SIGTERM)
            with self.assertRaises(redis.ConnectionError):
                await waiting
            with self.assertRaises(redis.ConnectionError):
                await client.ping()

        self.run_with(test)


class TestRedisTcp(TestRedis):
    is_debug = True

    def make_client(self, **kwargs):
        return redis.Redis(host="127.0.0.1", port=self.port, **kwargs)


if __name__ == "__main__":
    tap.main()
