# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest with its plugin for asyncio: a little project whose loop is libloop's, in a process of its own."""

import os
import re
import subprocess
import sys

import tap
from programs import IS_COMPARED, PATIENCE, Case, need

need("pytest", "pytest_asyncio")

TESTS = """
import asyncio
import pytest
import pytest_asyncio
from conftest import LOOP_TYPE

pytestmark = pytest.mark.asyncio


def on_loop():
    return isinstance(asyncio.get_running_loop(), LOOP_TYPE)


@pytest_asyncio.fixture
async def echo():
    async def talk(reader, writer):
        writer.write(await reader.read())
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()


async def test_fixture(echo):
    assert on_loop()
    reader, writer = await asyncio.open_connection(*echo)
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b"hello"
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("number", range(5))
async def test_parameter(number):
    assert on_loop()
    assert await asyncio.sleep(0.001, number) == number


class TestClass:
    async def test_method(self):
        assert on_loop()
        assert await asyncio.to_thread(int, "7") == 7


async def test_unused_port(unused_tcp_port):
    async with await asyncio.start_server(print, "127.0.0.1", unused_tcp_port):
        pass


async def test_fails():
    await asyncio.sleep(0)
    assert not on_loop()


async def test_raises():
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)


@pytest.mark.xfail(raises=ZeroDivisionError)
async def test_expected():
    await asyncio.sleep(0)
    1 / 0


async def test_skipped():
    pytest.skip("not today")
"""

HEAD = """
import asyncio
import pytest
import libloop

LOOP_TYPE = asyncio.BaseEventLoop if {} else libloop.EventLoop
"""

BY_FIXTURE = HEAD + """

@pytest.fixture
def event_loop():
    loop = asyncio.new_event_loop() if LOOP_TYPE is asyncio.BaseEventLoop else libloop.new_event_loop()
    yield loop
    loop.close()
"""

BY_POLICY = HEAD + """
if LOOP_TYPE is libloop.EventLoop:
    libloop.install()
"""


class TestPytest(Case):
    def check(self, conftest):
        self.write_file("test_project.py", TESTS)
        self.write_file("conftest.py", conftest.format(IS_COMPARED))
        # What pytest does not know of is left out, so that nothing but this project is counted.
        done = subprocess.run([sys.executable, "-X", "dev", "-W", "error:::libloop", "-m", "pytest", "-q",
                               "-p", "no:cacheprovider", "-p", "no:aiohttp", "--asyncio-mode=strict",
                               f"--rootdir={self.folder}", self.folder],
                              capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder, check=False,
                              env=dict(os.environ, PYTEST_ADDOPTS=""))
        last = done.stdout.splitlines()[-1]
        counts = {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|skipped|xfailed|error)", last)}
        self.assertEqual(counts, {"passed": 9, "failed": 1, "skipped": 1, "xfailed": 1}, done.stdout + done.stderr)
        self.assertIn("FAILED test_project.py::test_fails", done.stdout)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line for line in done.stderr.splitlines() if "libloop" in line], [])

    def test_fixture(self):
        self.check(BY_FIXTURE)

    def test_policy(self):
        self.check(BY_POLICY)


if __name__ == "__main__":
    tap.main()
