# SPDX-License-Identifier: LGPL-2.1-or-later
"""dbus-next and dbus-fast on a message bus of the test's own. Both talk with add_reader() and add_writer()."""

import asyncio
import contextlib
import importlib
import subprocess

import tap
from programs import PATIENCE, Case, Process, need

need("dbus_next", "dbus_fast", programs=["dbus-daemon"])

NAME = "org.example.Programs"
PATH = "/org/example/Programs"
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


# D-Bus's types are the annotations.
STRING, NUMBER = "s", "u"


def make_interface(package):
    """An object for one of the packages, which have the same classes."""
    service = importlib.import_module(f"{package}.service")
    DBusError = importlib.import_module(package).DBusError

    class Interface(service.ServiceInterface):
        value = "first"

        @service.method()
        async def Slow(self, text: STRING) -> STRING:
            await asyncio.sleep(0.01)
            return text[::-1]

        @service.method()
        def Fail(self):
            raise DBusError("org.example.Error", "planted")

        @service.signal()
        def News(self, number) -> NUMBER:
            return number

        @service.dbus_property()
        def Value(self) -> STRING:
            return self.value

        @Value.setter
        def Value(self, value: STRING):
            self.value = value

    return Interface(NAME)


class TestNext(Case):
    package = "dbus_next"

    def setUp(self):
        super().setUp()
        socket = self.path("bus")
        config = self.write_file("bus.conf", CONFIGURATION.format(socket))
        daemon = Process("dbus-daemon", "--nofork", "--nopidfile", f"--config-file={config}", "--print-address=1",
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(daemon.process.stdout.close)
        self.addCleanup(daemon.end)
        self.address = daemon.process.stdout.readline().strip()
        self.daemon = daemon

    @contextlib.asynccontextmanager
    async def connect(self):
        bus = await importlib.import_module(f"{self.package}.aio").MessageBus(bus_address=self.address).connect()
        try:
            yield bus
        finally:
            bus.disconnect()
            # Which leaves its socket to the garbage collector.
            bus._sock.close()

    @contextlib.asynccontextmanager
    async def serve(self):
        """A served object, and a proxy of it on another connection."""
        async with self.connect() as server, self.connect() as client:
            served = make_interface(self.package)
            server.export(PATH, served)
            await server.request_name(NAME)
            introspection = await client.introspect(NAME, PATH)
            proxy = client.get_proxy_object(NAME, PATH, introspection).get_interface(NAME)
            yield served, proxy

    def test_calls(self):
        async def main():
            async with self.serve() as (_, proxy):
                self.assertEqual(await proxy.call_slow("hello"), "olleh")
                texts = [f"{number:05}" for number in range(100)]
                self.assertEqual(await asyncio.gather(*map(proxy.call_slow, texts)), [text[::-1] for text in texts])
                long = "x" * (1 << 20) + "y"
                self.assertEqual(await proxy.call_slow(long), long[::-1])
                with self.assertRaisesRegex(importlib.import_module(self.package).DBusError, "planted"):
                    await proxy.call_fail()

        self.run_loop(main())

    def test_signals(self):
        async def main():
            async with self.serve() as (served, proxy):
                queue = asyncio.Queue()
                proxy.on_news(queue.put_nowait)
                # The answer comes after what was asked for before.
                await proxy.call_slow("")
                for number in range(200):
                    served.News(number)
                self.assertEqual([await queue.get() for _ in range(200)], list(range(200)))

        self.run_loop(main())

    def test_properties(self):
        async def main():
            async with self.serve() as (served, proxy):
                self.assertEqual(await proxy.get_value(), "first")
                await proxy.set_value("second")
                self.assertEqual((served.value, await proxy.get_value()), ("second", "second"))

        self.run_loop(main())

    def test_cancel(self):
        async def main():
            async with self.serve() as (_, proxy):
                for _ in range(20):
                    with self.assertRaises(asyncio.TimeoutError):
                        await asyncio.wait_for(proxy.call_slow("lost"), 0.001)
                self.assertEqual(await proxy.call_slow("next"), "txen")

        self.run_loop(main())

    def test_bus_ends(self):
        async def main():
            async with self.connect() as bus:
                waiting = asyncio.create_task(bus.wait_for_disconnect())
                await asyncio.sleep(0.05)
                self.assertFalse(waiting.done())
                self.daemon.process.terminate()
                with self.assertRaises((EOFError, ConnectionError)):
                    await asyncio.wait_for(waiting, PATIENCE)
                self.assertFalse(bus.connected)

        self.run_loop(main())


class TestNextDebugged(TestNext):
    is_debug = True


class TestFast(TestNext):
    package = "dbus_fast"


if __name__ == "__main__":
    tap.main()
