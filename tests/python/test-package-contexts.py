# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package libloop on somebody else's main context: GLib's, GIO's, GTK's."""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import threading
import time
import unittest
from pathlib import Path

import gi
import libloop
import tap

from gi.repository import Gio, GLib

try:
    gi.require_version("Gtk", "4.0")
except ValueError:
    GTK_REASON = "GTK 4 is missing"
else:
    GTK_REASON = None if shutil.which("Xvfb") else "Xvfb is missing"


class ContextCase(unittest.TestCase):
    def setUp(self):
        self.loop = libloop.new_event_loop(GLib.MainContext.default())
        self.addCleanup(self.loop.close)
        self.main = GLib.MainLoop()

    def run_main(self, start):
        """Calls START in an idle handler, which is no callback of the loop's, and runs until main.quit()."""
        failures = []

        def idle():
            try:
                self.started = start()
            except BaseException as error:
                failures.append(error)
                self.main.quit()
            return GLib.SOURCE_REMOVE

        GLib.idle_add(idle)
        guard = GLib.timeout_add_seconds(60, self.main.quit)
        self.main.run()
        GLib.source_remove(guard)
        self.assertEqual(failures, [])


class TestMainLoop(ContextCase):
    def test_create_task(self):
        seen = []

        async def work():
            await asyncio.sleep(0.01)
            seen.append(asyncio.get_running_loop() is self.loop)
            self.main.quit()

        self.run_main(lambda: asyncio.create_task(work()))
        self.assertEqual(seen, [True])

    def test_interleaved(self):
        """Timeouts of GLib's and tasks of asyncio's have their turns on one thread."""
        seen = []

        def tick():
            seen.append("glib")
            return len(seen) < 40

        async def work():
            for _ in range(20):
                await asyncio.sleep(0.002)
                seen.append("asyncio")
            self.main.quit()

        def start():
            GLib.timeout_add(2, tick)
            return asyncio.create_task(work())

        self.run_main(start)
        self.assertGreater(seen.count("glib"), 3)
        self.assertEqual(seen.count("asyncio"), 20)

    def test_nested(self):
        """A callback runs a main loop of its own, as a dialog does; tasks go on in there."""
        seen = []

        async def inner(nested):
            await asyncio.sleep(0.01)
            seen.append("inner")
            nested.quit()

        def callback():
            nested = GLib.MainLoop()
            self.task = self.loop.create_task(inner(nested))
            nested.run()
            seen.append("outer")
            self.main.quit()

        self.run_main(lambda: self.loop.call_soon(callback))
        self.assertEqual(seen, ["inner", "outer"])

    def test_run_until_complete(self):
        self.assertEqual(self.loop.run_until_complete(asyncio.sleep(0.001, 5)), 5)
        self.run_main(lambda: self.loop.call_later(0.001, self.main.quit))
        self.assertEqual(self.loop.run_until_complete(asyncio.sleep(0.001, 6)), 6)

    def test_threads(self):
        seen = []

        def post():
            for number in range(100):
                self.loop.call_soon_threadsafe(seen.append, number)
            results.append(asyncio.run_coroutine_threadsafe(asyncio.sleep(0.001, 5), self.loop).result())
            self.loop.call_soon_threadsafe(self.main.quit)

        results = []
        thread = threading.Thread(target=post)
        self.run_main(thread.start)
        thread.join()
        self.assertEqual(seen, list(range(100)))
        self.assertEqual(results, [5])

    def test_connection(self):
        async def work():
            server = await asyncio.start_server(lambda r, w: (w.write(b"hello"), w.close()), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            self.data = await reader.read()
            writer.close()
            server.close()
            self.main.quit()

        self.run_main(lambda: asyncio.create_task(work()))
        self.assertEqual(self.data, b"hello")

    def test_failure(self):
        reports = []
        self.loop.set_exception_handler(lambda loop, context: (reports.append(context), self.main.quit()))
        self.run_main(lambda: self.loop.call_soon(int, "x"))
        self.assertIsInstance(reports[0]["exception"], ValueError)

    def test_closed_leaves_the_thread(self):
        self.run_main(lambda: self.loop.call_soon(self.main.quit))
        self.assertIs(asyncio._get_running_loop(), self.loop)
        self.loop.close()
        self.assertIsNone(asyncio._get_running_loop())


class TestGio(unittest.TestCase):
    def test_file(self):
        async def main():
            file = Gio.File.new_for_path(__file__)
            stream = await libloop.from_gio(file.read_async, GLib.PRIORITY_DEFAULT)
            data = await libloop.from_gio(stream.read_bytes_async, 40, GLib.PRIORITY_DEFAULT)
            return data.get_data()

        with open(__file__, "rb") as file:
            self.assertEqual(libloop.run(main()), file.read(40))

    def test_error(self):
        async def main():
            await libloop.from_gio(Gio.File.new_for_path("/nonexistent").read_async, GLib.PRIORITY_DEFAULT)

        with self.assertRaises(GLib.Error) as caught:
            libloop.run(main())
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))

    def test_cancel(self):
        async def main():
            listener = Gio.SocketListener()
            listener.add_any_inet_port()
            task = asyncio.create_task(libloop.from_gio(listener.accept_async))
            await asyncio.sleep(0.01)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        libloop.run(main())

    def test_function(self):
        async def main():
            return await libloop.from_gio(Gio.bus_get, Gio.BusType.SESSION)

        # There may be no bus; what ends the call is found all the same.
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
        with self.assertRaises(GLib.Error):
            libloop.run(main())

    def test_no_finish(self):
        def begin(cancellable, done):
            done(None, None)

        begin.get_namespace = lambda: "Gio"
        begin.get_container = lambda: None

        async def main():
            await libloop.from_gio(begin)

        with self.assertRaisesRegex(TypeError, r"begin\(\) has no begin_finish\(\)"):
            libloop.run(main())

    def test_finish(self):
        async def main():
            file = Gio.File.new_for_path(__file__)
            return await libloop.from_gio(file.load_contents_async, finish=file.load_contents_finish)

        self.assertTrue(libloop.run(main())[0])

    def test_dbus(self):
        """Two ends of GDBus on one thread, with tasks between them."""

        async def main():
            guid = Gio.dbus_generate_guid()
            path = f"/tmp/libloop-test-{os.getpid()}"
            server = Gio.DBusServer.new_sync(f"unix:path={path}", Gio.DBusServerFlags.NONE, guid, None, None)
            self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
            connections = []
            server.connect("new-connection", lambda server, connection: connections.append(connection) or True)
            server.start()
            client = await libloop.from_gio(Gio.DBusConnection.new_for_address, server.get_client_address(),
                                            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None)
            while not connections:
                await asyncio.sleep(0.001)
            node = Gio.DBusNodeInfo.new_for_xml(
                "<node><interface name='t.T'><method name='Double'><arg type='i' direction='in'/>"
                "<arg type='i' direction='out'/></method></interface></node>")

            def called(connection, sender, path, interface, method, parameters, invocation):
                asyncio.get_running_loop().create_task(answer(parameters.unpack()[0], invocation))

            async def answer(number, invocation):
                await asyncio.sleep(0.001)
                invocation.return_value(GLib.Variant("(i)", (2 * number,)))

            connections[0].register_object("/t", node.interfaces[0], called, None, None)
            reply = await libloop.from_gio(client.call, None, "/t", "t.T", "Double", GLib.Variant("(i)", (21,)), None,
                                           Gio.DBusCallFlags.NONE, -1)
            server.stop()
            return reply.unpack()[0]

        self.assertEqual(libloop.run(main()), 42)


@unittest.skipIf(GTK_REASON, GTK_REASON)
class TestWindow(unittest.TestCase):
    """docs/examples/gtk-asyncio.py. The last class: GDK ends a process whose display goes away."""

    def setUp(self):
        ours, servers = os.pipe()
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(servers), "-screen", "0", "640x480x24", "-noreset"],
                                       pass_fds=[servers], stderr=subprocess.DEVNULL)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.terminate)
        os.close(servers)
        with open(ours, encoding="ascii") as file:
            os.environ.update(DISPLAY=":" + file.readline().strip(), GDK_BACKEND="x11", GSK_RENDERER="cairo",
                              GTK_A11Y="none")

    def test_example(self):
        example = Path(os.environ["LOOP_SRCDIR"], "docs/examples/gtk-asyncio.py")
        example = importlib.util.spec_from_file_location("gtk_asyncio", example)
        names = importlib.util.module_from_spec(example)
        example.loader.exec_module(names)
        seen = []

        async def use(application, window):
            while not hasattr(window, "port"):
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection("127.0.0.1", window.port)
            writer.write(b"line\n")
            seen.append(await reader.readline())
            seen.append(window.address.get_label())
            writer.close()
            window.button.emit("clicked")
            while "10" not in window.counter.get_label():
                await asyncio.sleep(0.01)
            application.quit()

        def activate(application):
            window = names.Window(application)
            window.present()
            self.task = asyncio.create_task(use(application, window))

        from gi.repository import Gtk

        loop = libloop.new_event_loop(GLib.MainContext.default())
        self.addCleanup(loop.close)
        application = Gtk.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
        application.connect("activate", activate)
        GLib.timeout_add_seconds(60, application.quit)
        begun = time.monotonic()
        self.assertEqual(application.run(), 0)
        self.assertLess(time.monotonic() - begun, 55)
        self.assertEqual(seen[0], b"line\n")
        self.assertIn("1 connected", seen[1])
        self.task.result()


if __name__ == "__main__":
    tap.main()
