#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A GTK window and an asyncio server in one thread.

The loop is made for GTK's own main context: the application runs, and asyncio with it. A
button's handler starts a task; the server's connections appear in the window.
"""

import asyncio
import sys

import gi

gi.require_version("Gtk", "4.0")
from gi.repository import GLib, Gtk

import libloop


class Window(Gtk.ApplicationWindow):
    def __init__(self, application):
        super().__init__(application=application, title="asyncio in GTK", default_width=360, default_height=160)
        self.clients = 0
        self.address = Gtk.Label(label="Starting…", selectable=True)
        self.counter = Gtk.Label(label="Nothing is counted")
        self.button = Gtk.Button(label="Count to ten", halign=Gtk.Align.CENTER)
        self.button.connect("clicked", self.on_clicked)

        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12, valign=Gtk.Align.CENTER)
        for child in (self.address, self.counter, self.button):
            box.append(child)
        self.set_child(box)
        self.serving = asyncio.create_task(self.serve())

    def on_clicked(self, button):
        self.counting = asyncio.create_task(self.count())

    async def count(self):
        self.button.set_sensitive(False)
        for number in range(1, 11):
            self.counter.set_label(f"Counted to {number}")
            await asyncio.sleep(0.2)
        self.button.set_sensitive(True)

    async def serve(self):
        server = await asyncio.start_server(self.client_connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.show_clients(0)
        async with server:
            await server.serve_forever()

    async def client_connected(self, reader, writer):
        self.show_clients(1)
        async for line in reader:
            writer.write(line)
            await writer.drain()
        self.show_clients(-1)
        writer.close()

    def show_clients(self, change):
        self.clients += change
        self.address.set_label(f"Echo on 127.0.0.1:{self.port}, {self.clients} connected")


def main():
    loop = libloop.new_event_loop(GLib.MainContext.default())
    application = Gtk.Application(application_id="org.libloop.GtkAsyncio")
    application.connect("activate", lambda application: Window(application).present())
    try:
        return application.run(sys.argv)
    finally:
        loop.close()


if __name__ == "__main__":
    sys.exit(main())
