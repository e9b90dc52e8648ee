# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncpg against a PostgreSQL of the test's own, over a unix socket, TCP and TLS."""

import asyncio
import contextlib
import glob
import io
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import certificate
import tap
from programs import Case, Process, need, random_bytes

PROGRAMS = max(glob.glob("/usr/lib/postgresql/*/bin"), default="", key=lambda path: int(path.split("/")[4]))
need("asyncpg", programs=["openssl", f"{PROGRAMS}/initdb"])

import asyncpg  # noqa: E402

PASSWORD = "not a secret"
LARGE = random_bytes(3 << 20)


class Database:
    """A server with its data in a folder."""

    def __init__(self):
        # It refuses to be root's.
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.credentials = dict(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[]) \
            if os.geteuid() == 0 else {}
        self.folder = tempfile.mkdtemp(prefix="loop-postgres-")
        self.data = os.path.join(self.folder, "data")
        self.own(self.folder, 0o700)
        with socket.create_server(("127.0.0.1", 0)) as placeholder:
            self.port = placeholder.getsockname()[1]

    def own(self, path, mode):
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        os.chmod(path, mode)

    def start(self):
        password = self.put("password", PASSWORD)
        subprocess.run([f"{PROGRAMS}/initdb", "-D", self.data, "-U", "tester", "--auth-local=trust",
                        "--auth-host=scram-sha-256", f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C"],
                       check=True, capture_output=True, cwd="/", **self.credentials)
        self.certificate, key = certificate.make(self.folder)
        self.own(self.certificate, 0o600)
        self.own(key, 0o600)
        settings = dict(port=self.port, listen_addresses="127.0.0.1", unix_socket_directories=self.folder, fsync="off",
                        ssl="on", ssl_cert_file=self.certificate, ssl_key_file=key, max_connections=50,
                        shared_buffers="16MB", dynamic_shared_memory_type="mmap")
        self.process = Process(f"{PROGRAMS}/postgres", "-D", self.data,
                               *(f"--{name}={value}" for name, value in settings.items()),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self.credentials)
        self.process.wait_until(lambda: subprocess.run(
            [f"{PROGRAMS}/pg_isready", "-q", "-h", self.folder, "-p", str(self.port)], check=False).returncode == 0)

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        self.own(self.path(name), 0o600)
        return self.path(name)

    def stop(self):
        """Disconnects everybody, and ends."""
        try:
            if self.process.end(signal.SIGINT) != 0:
                raise AssertionError("PostgreSQL failed")
        finally:
            shutil.rmtree(self.folder)


def setUpModule():
    global database
    database = Database()
    try:
        database.start()
    except BaseException:
        shutil.rmtree(database.folder)
        raise


def tearDownModule():
    database.stop()


class TestAsyncpg(Case):
    """Through the unix socket."""

    def arguments(self):
        return dict(host=database.folder)

    async def connect(self, **kwargs):
        return await asyncpg.connect(port=database.port, user="tester", database="postgres",
                                     **dict(self.arguments(), **kwargs))

    def run_with(self, test):
        async def main():
            async with contextlib.AsyncExitStack() as stack:
                connection = await self.connect()
                stack.push_async_callback(connection.close)
                await test(connection)

        self.run_loop(main())

    def test_queries(self):
        async def test(connection):
            self.assertEqual(await connection.fetchval("SELECT 6 * $1::int", 7), 42)
            rows = await connection.fetch("SELECT n, n::text AS t FROM generate_series(1, 20000) n")
            self.assertEqual([tuple(row) for row in rows], [(n, str(n)) for n in range(1, 20001)])
            self.assertEqual(bytes(await connection.fetchval("SELECT $1::bytea", LARGE)), LARGE)
            row = await connection.fetchrow(
                "SELECT 1.5::numeric AS n, NULL AS nothing, ARRAY[1, 2] AS list, true AS yes")
            self.assertEqual((float(row["n"]), row["nothing"], row["list"], row["yes"]), (1.5, None, [1, 2], True))

        self.run_with(test)

    def test_errors(self):
        async def test(connection):
            with self.assertRaises(asyncpg.UndefinedTableError):
                await connection.fetch("SELECT * FROM nothing")
            with self.assertRaises(asyncpg.DivisionByZeroError):
                await connection.fetch("SELECT 1 / $1::int", 0)
            self.assertEqual(await connection.fetchval("SELECT 1"), 1)

        self.run_with(test)

    def test_transactions(self):
        async def test(connection):
            await connection.execute("CREATE TEMPORARY TABLE t (n int PRIMARY KEY)")
            async with connection.transaction():
                await connection.execute("INSERT INTO t VALUES (1)")
                with self.assertRaises(asyncpg.UniqueViolationError):
                    async with connection.transaction():
                        await connection.execute("INSERT INTO t VALUES (2)")
                        await connection.execute("INSERT INTO t VALUES (1)")
            with self.assertRaises(ZeroDivisionError):
                async with connection.transaction():
                    await connection.executemany("INSERT INTO t VALUES ($1)", [(n,) for n in range(10, 1000)])
                    raise ZeroDivisionError
            self.assertEqual(await connection.fetch("SELECT n FROM t"), [(1,)])

        self.run_with(test)

    def test_cursor(self):
        async def test(connection):
            async with connection.transaction():
                total = 0
                async for row in connection.cursor("SELECT generate_series(1, 5000)", prefetch=77):
                    total += row[0]
            self.assertEqual(total, 5000 * 5001 // 2)

        self.run_with(test)

    def test_copy(self):
        async def test(connection):
            await connection.execute("CREATE TEMPORARY TABLE t (n int, body bytea)")
            records = [(n, LARGE[n:2 * n]) for n in range(2000)]
            self.assertEqual(await connection.copy_records_to_table("t", records=records), "COPY 2000")
            out = io.BytesIO()
            self.assertEqual(await connection.copy_from_table("t", output=out, format="binary"), "COPY 2000")
            await connection.execute("TRUNCATE t")
            out.seek(0)
            self.assertEqual(await connection.copy_to_table("t", source=out, format="binary"), "COPY 2000")
            self.assertEqual([tuple(row) for row in await connection.fetch("SELECT * FROM t ORDER BY n")], records)

        self.run_with(test)

    def test_notify(self):
        async def test(connection):
            queue = asyncio.Queue()

            def listener(connection, pid, channel, payload):
                queue.put_nowait((channel, payload))

            await connection.add_listener("news", listener)
            other = await self.connect()
            for number in range(100):
                await other.execute("SELECT pg_notify('news', $1)", str(number))
            self.assertEqual([await queue.get() for _ in range(100)], [("news", str(number)) for number in range(100)])
            await connection.remove_listener("news", listener)
            await other.close()

        self.run_with(test)

    def test_timeout(self):
        async def test(connection):
            with self.assertRaises(asyncio.TimeoutError):
                await connection.execute("SELECT pg_sleep(60)", timeout=0.1)
            self.assertEqual(await connection.fetchval("SELECT 1"), 1)
            # The server stopped as well.
            self.assertEqual(await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND "
                "pid != pg_backend_pid()"), 0)

        self.run_with(test)

    def test_cancel(self):
        async def test(connection):
            for delay in (0, 0.001, 0.01, 0.1):
                query = asyncio.create_task(connection.fetchval("SELECT pg_sleep(60)"))
                await asyncio.sleep(delay)
                query.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await query
                self.assertEqual(await connection.fetchval("SELECT 1"), 1)

        self.run_with(test)

    def test_pool(self):
        async def main():
            async with asyncpg.create_pool(port=database.port, user="tester", database="postgres", min_size=2,
                                           max_size=6, **self.arguments()) as pool:
                async def work(number):
                    async with pool.acquire() as connection:
                        pid = await connection.fetchval("SELECT pg_backend_pid()")
                        return pid, await connection.fetchval("SELECT $1::int * 2 FROM pg_sleep(0.005)", number)

                results = await asyncio.gather(*map(work, range(100)))
                self.assertEqual([double for _, double in results], [2 * number for number in range(100)])
                self.assertLessEqual(len({pid for pid, _ in results}), 6)
                with self.assertRaises(asyncio.TimeoutError):
                    async with contextlib.AsyncExitStack() as stack:
                        for _ in range(7):
                            await stack.enter_async_context(pool.acquire(timeout=0.1))
                self.assertEqual(await pool.fetchval("SELECT 1"), 1)

        self.run_loop(main())

    def test_terminated(self):
        """The server ends a connection under a query."""
        async def test(connection):
            other = await self.connect()
            query = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.05)
            await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            with self.assertRaises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError)):
                await query
            await other.close()
            while not connection.is_closed():
                await asyncio.sleep(0.01)
            with self.assertRaises(asyncpg.InterfaceError):
                await connection.fetchval("SELECT 1")

        self.run_with(test)


class TestAsyncpgTcp(TestAsyncpg):
    is_debug = True

    def arguments(self):
        return dict(host="127.0.0.1", password=PASSWORD, ssl=False)

    def test_wrong_password(self):
        async def main():
            with self.assertRaises(asyncpg.InvalidPasswordError):
                await self.connect(password="wrong")

        self.run_loop(main())


class TestAsyncpgTls(TestAsyncpg):
    def arguments(self):
        return dict(host="127.0.0.1", password=PASSWORD, ssl=ssl.create_default_context(cafile=database.certificate))

    def test_is_encrypted(self):
        async def test(connection):
            self.assertTrue(await connection.fetchval(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))

        self.run_with(test)

    def test_stranger(self):
        async def main():
            with self.assertRaises(ssl.SSLCertVerificationError):
                await self.connect(ssl=ssl.create_default_context())

        self.run_loop(main())


if __name__ == "__main__":
    tap.main()
