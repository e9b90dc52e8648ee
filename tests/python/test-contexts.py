# SPDX-License-Identifier: LGPL-2.1-or-later
"""Main contexts through introspection: a loop inside a GTK application and a GApplication, and after a fork."""

import os
import shutil
import subprocess
import time
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402

try:
    gi.require_version("Gtk", "4.0")
except ValueError:
    GTK_REASON = "GTK 4 is missing"
else:
    GTK_REASON = None if shutil.which("Xvfb") else "Xvfb is missing"


class Echo(Loop.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Client(Loop.Protocol):
    def __init__(self, done):
        super().__init__()
        self.done = done
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello")

    def data_received(self, data):
        self.received += data
        if self.received == b"hello":
            self.transport.close()

    def connection_lost(self, error):
        self.done()


class Work:
    """Timers, a future, a server and its client, on a loop that somebody else runs."""

    def __init__(self, loop, over):
        self.loop = loop
        self.over = over
        self.ticks = 0
        self.answered = self.slept = False

    def start(self):
        self.loop.call_soon(self.tick)
        self.loop.create_task(self.work())

    def tick(self):
        assert Loop.EventLoop.get_running() is self.loop
        self.ticks += 1
        if self.ticks < 20:
            self.loop.call_later(0.002, self.tick)
        self.check()

    async def work(self):
        await Loop.sleep(0.02)
        self.slept = True
        self.server = await self.loop.create_server(Echo, "127.0.0.1", 0)
        port = self.server.get_sockets()[0].get_local_address().get_port()
        await self.loop.create_connection(lambda: Client(self.answer), "127.0.0.1", port)

    def answer(self):
        self.answered = True
        self.server.close()
        self.check()

    def check(self):
        if self.ticks == 20 and self.slept and self.answered:
            self.over()


class TestApplication(unittest.TestCase):
    def test_gapplication(self):
        app = Gio.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
        loop = Loop.EventLoop.new_for_context(None)
        work = Work(loop, app.release)
        app.connect("activate", lambda app: (app.hold(), work.start()))
        self.assertEqual(app.run(), 0)
        self.assertTrue(work.answered and work.slept)
        self.assertEqual(work.ticks, 20)
        loop.close()

    @unittest.skipIf(GTK_REASON, GTK_REASON)
    def test_gtk(self):
        ours, servers = os.pipe()
        with subprocess.Popen(["Xvfb", "-displayfd", str(servers), "-screen", "0", "640x480x24", "-noreset"],
                              pass_fds=[servers], stderr=subprocess.DEVNULL) as server:
            self.addCleanup(server.kill)
            os.close(servers)
            with open(ours, encoding="ascii") as file:
                os.environ.update(DISPLAY=":" + file.readline().strip(), GDK_BACKEND="x11",
                                  GSK_RENDERER="cairo", GTK_A11Y="none")
            self.check_gtk()
            server.terminate()

    def check_gtk(self):
        from gi.repository import Gtk

        app = Gtk.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
        loop = Loop.EventLoop.new_for_context(None)
        frames = []
        over = []
        work = Work(loop, lambda: over.append(True))

        def tick(widget, clock):
            frames.append(time.monotonic())
            if over and len(frames) > 10:
                app.quit()
            return True

        def activate(app):
            label = Gtk.Label(label="libloop")
            label.add_tick_callback(tick)
            window = Gtk.ApplicationWindow(application=app, child=label)
            window.present()
            work.start()

        app.connect("activate", activate)
        GLib.timeout_add_seconds(20, app.quit)
        self.assertEqual(app.run(), 0)
        self.assertTrue(over)
        self.assertGreater(len(frames), 10)
        loop.close()

    def test_fork(self):
        """The child of os.fork() has a loop of its own, and not its parent's."""
        loop = Loop.EventLoop.new()
        loop.call_soon(loop.stop)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with self.assertRaises(GLib.Error) as caught:
                    loop.run_forever()
                self.assertTrue(caught.exception.matches(Loop.error_quark(), Loop.Error.FORKED))
                own = Loop.EventLoop.new()
                own.call_later(0.001, own.stop)
                own.run_forever()
                own.close()
                loop.close()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertTrue(loop.run_forever())
        loop.close()


tap.main()
