#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A window that draws beside a chain of callbacks that never ends: asyncio on GLib by gbulb.

The same as bench-frames.c.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import warnings

SECONDS = 3.0


@contextlib.contextmanager
def display():
    ours, servers = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(servers), "-screen", "0", "640x480x24", "-noreset"],
                          pass_fds=[servers], stderr=subprocess.DEVNULL) as server:
        os.close(servers)
        with open(ours, encoding="ascii") as file:
            os.environ.update(DISPLAY=":" + file.readline().strip(), GDK_BACKEND="x11",
                              GSK_RENDERER="cairo", GTK_A11Y="none")
        try:
            yield
        finally:
            server.terminate()


class Bench:
    def __init__(self, loop, seconds):
        from gi.repository import GLib, Gtk

        self.glib = GLib
        self.loop = loop
        self.seconds = seconds
        self.n_frames = self.n_calls = self.n_idle = 0
        self.started = 0.0
        area = Gtk.DrawingArea()
        area.add_tick_callback(self.draw_again)
        self.window = Gtk.Window(default_width=100, default_height=100, child=area)
        self.window.present()
        GLib.timeout_add(500, self.warm)

    def draw_again(self, area, _clock):
        self.n_frames += 1
        area.queue_draw()
        return True

    def idle(self):
        self.n_idle += 1
        return True

    def call(self):
        self.n_calls += 1
        self.loop.call_soon(self.call)

    def warm(self):
        self.n_frames = 0
        self.started = time.monotonic()
        self.glib.timeout_add(int(self.seconds * 1000), self.end, priority=self.glib.PRIORITY_HIGH)
        self.glib.idle_add(self.idle, priority=self.glib.PRIORITY_LOW)
        self.loop.call_soon(self.call)

    def end(self):
        elapsed = time.monotonic() - self.started
        print(json.dumps({"mode": "gbulb", "fps": self.n_frames / elapsed, "idles_per_s": self.n_idle / elapsed,
                          "calls_per_s": self.n_calls / elapsed, "wall_s": elapsed, "waited_s": 0.0}))
        self.loop.stop()


def main():
    warnings.simplefilter("ignore")
    import gi
    gi.require_version("Gtk", "4.0")
    import gbulb

    gbulb.install(gtk=False)
    loop = asyncio.get_event_loop()
    Bench(loop, max(0.2, SECONDS * float(sys.argv[2] if len(sys.argv) > 2 else 1)))
    loop.run_forever()


with display():
    main()
