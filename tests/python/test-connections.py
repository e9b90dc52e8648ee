# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections and servers with asyncio's names and keywords: unix sockets, several addresses, sockets from elsewhere."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class Echo(Loop.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class Client(Loop.Protocol):
    def __init__(self, loop):
        self.data = b""
        self.lost = loop.create_future()

    def data_received(self, data):
        self.data += data

    def connection_lost(self, exc):
        self.lost.set_result(exc)


def serve_activated():
    """What systemd-socket-activate starts, below: serves one connection."""
    loop = Loop.EventLoop()
    sockets, names = Loop.listen_fds()
    assert names == ["unknown", "unknown"], names
    assert "LISTEN_FDS" not in GLib.get_environ()

    ended = loop.create_future()

    class Once(Echo):
        def connection_lost(self, exc):
            ended.set_result(None)

    for sock in sockets:
        loop.run_until_complete(loop.create_server(Once, sock=sock))
    loop.run_until_complete(ended)


class TestConnections(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)
        self.folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, self.folder)
        self.path = os.path.join(self.folder, "socket")

    def make_client(self):
        return Client(self.loop)

    async def talk(self, connecting):
        transport, protocol = await connecting
        self.assertIs(transport.get_protocol(), protocol)
        transport.write(b"hello")
        transport.write_eof()
        self.assertIsNone(await protocol.lost)
        self.assertEqual(protocol.data, b"hello")
        return transport

    def check_unix(self, path):
        async def run():
            async with await self.loop.create_unix_server(Echo, path) as server:
                address = server.sockets[0].get_local_address()
                await self.talk(self.loop.create_unix_connection(self.make_client, path))
                return address

        return self.loop.run_until_complete(self.loop.create_task(run()))

    def test_unix(self):
        self.assertEqual(self.check_unix(self.path).get_path(), self.path)
        self.assertFalse(os.path.exists(self.path))
        self.check_unix(os.fsencode(self.path))
        self.check_unix(pathlib.Path(self.path))

    def test_abstract(self):
        address = self.check_unix(f"\0libloop-test-{os.getpid()}")
        self.assertEqual(address.get_address_type(), Gio.UnixSocketAddressType.ABSTRACT)
        self.check_unix(f"\0libloop-test-{os.getpid()}".encode())

    def test_file_that_begins_with_at(self):
        folder = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        os.chdir(self.folder)
        self.addCleanup(os.fchdir, folder)

        async def run():
            async with await self.loop.create_unix_server(Echo, "@socket"):
                self.assertEqual(os.listdir(self.folder), ["@socket"])
                await self.talk(self.loop.create_unix_connection(self.make_client, "@socket"))

        self.loop.run_until_complete(self.loop.create_task(run()))

    def test_cleanup_socket(self):
        server = self.loop.run_until_complete(self.loop.create_unix_server(Echo, self.path, cleanup_socket=False))
        server.close()
        os.unlink(self.path)

    def test_unix_socks(self):
        ours, theirs = socket.socketpair()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)

        async def run():
            async with await self.loop.create_unix_server(Echo, sock=listener, backlog=3):
                await self.talk(self.loop.create_unix_connection(self.make_client, self.path))
            await self.loop.connect_accepted_socket(Echo, theirs)
            await self.talk(self.loop.create_unix_connection(self.make_client, sock=ours))

        self.loop.run_until_complete(self.loop.create_task(run()))
        os.unlink(self.path)

    def test_unix_arguments(self):
        for function in self.loop.create_unix_server, self.loop.create_unix_connection:
            ours, theirs = socket.socketpair()
            with ours, theirs, self.assertRaisesRegex(ValueError, "path and sock can not be specified"):
                function(Echo, self.path, sock=ours)
            with self.assertRaisesRegex(ValueError, "no path and sock"):
                function(Echo)
            with self.assertRaisesRegex(ValueError, "null character"):
                function(Echo, self.path + "\0x")
            with self.assertRaises(GLib.Error):
                self.loop.run_until_complete(function(Echo, "x" * 200))
            with self.assertRaisesRegex(ValueError, "unix socket"):
                self.loop.run_until_complete(function(Echo, sock=socket.socket(socket.AF_INET)))

    def test_unix_in_use(self):
        server = self.loop.run_until_complete(self.loop.create_unix_server(Echo, self.path))
        with self.assertRaises(GLib.Error) as raised:
            self.loop.run_until_complete(self.loop.create_unix_server(Echo, self.path))
        self.assertTrue(raised.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.ADDRESS_IN_USE))
        server.close()

    def test_accepted_socket(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        async def run():
            connecting = self.loop.create_connection(self.make_client, *listener.getsockname())
            transport, protocol = await connecting
            accepted, _ = listener.accept()
            await self.loop.connect_accepted_socket(Echo, accepted)
            transport.write(b"hello")
            transport.write_eof()
            await protocol.lost
            self.assertEqual(protocol.data, b"hello")

        self.loop.run_until_complete(self.loop.create_task(run()))
        with self.assertRaisesRegex(ValueError, "stream socket"):
            self.loop.run_until_complete(self.loop.connect_accepted_socket(Echo, socket.socket(type=socket.SOCK_DGRAM)))

    def test_happy_eyeballs(self):
        async def run():
            async with await self.loop.create_server(Echo, "127.0.0.1", 0, keep_alive=True) as server:
                port = server.sockets[0].get_local_address().get_port()
                await self.talk(
                    self.loop.create_connection(self.make_client, "localhost", port, happy_eyeballs_delay=0.25, interleave=1)
                )
                await self.talk(self.loop.create_connection(self.make_client, "localhost", port, all_errors=True))
                # As in asyncio: a port alone is one of this machine.
                await self.talk(self.loop.create_connection(self.make_client, None, port))
                accepted = server.sockets[0]
                self.assertEqual(accepted.get_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)[1], 1)

        self.loop.run_until_complete(self.loop.create_task(run()))

    def test_all_errors(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with self.assertRaises(ExceptionGroup) as raised:
            self.loop.run_until_complete(self.loop.create_connection(Echo, "127.0.0.1", port, all_errors=True))
        self.assertEqual(raised.exception.message, "create_connection failed")
        (error,) = raised.exception.exceptions
        self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED))
        self.assertIn(f"127.0.0.1:{port}", error.message)
        with self.assertRaises(GLib.Error) as raised:
            self.loop.run_until_complete(self.loop.create_connection(Echo, "127.0.0.1", port))
        self.assertTrue(raised.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED))

    def test_reuse_port(self):
        """Several processes on one port: the kernel gives each its share of the connections."""
        program = """if True:
            import os, sys
            import gi
            gi.require_version("Loop", "1.0")
            from gi.repository import Loop
            loop = Loop.EventLoop()
            class Name(Loop.Protocol):
                def connection_made(self, transport):
                    transport.write(b"%d" % os.getpid())
                    transport.close()
            loop.run_until_complete(loop.create_server(Name, "127.0.0.1", int(sys.argv[1]), reuse_port=True))
            print("ready", flush=True)
            loop.run_forever()
        """
        with socket.socket() as placeholder:
            placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            placeholder.bind(("127.0.0.1", 0))
            address = placeholder.getsockname()
            processes = [
                subprocess.Popen([sys.executable, "-c", program, str(address[1])], stdout=subprocess.PIPE)
                for _ in range(2)
            ]
            try:
                for process in processes:
                    self.assertEqual(process.stdout.readline(), b"ready\n")
                names = set()
                for _ in range(200):
                    with socket.create_connection(address, 10) as client:
                        names.add(int(client.recv(100)))
                    if len(names) == 2:
                        break
                self.assertEqual(names, {process.pid for process in processes})
            finally:
                for process in processes:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    process.stdout.close()

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "systemd-socket-activate is missing")
    def test_activation(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
        command = ["systemd-socket-activate", "-l", f"127.0.0.1:{address[1]}", "-l", self.path]
        command += [f"--setenv={name}" for name in os.environ if name.startswith(("LD_", "GI_", "PYTHON", "LC_"))]
        process = subprocess.Popen([*command, sys.executable, __file__, "--activated"], stderr=subprocess.DEVNULL)
        try:
            for _ in range(1000):
                try:
                    client = socket.create_connection(address, 10)
                    break
                except ConnectionRefusedError:
                    GLib.usleep(10000)
            with client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(5, socket.MSG_WAITALL), b"hello")
            self.assertEqual(process.wait(10), 0)
        finally:
            process.kill()
            process.wait()
        os.unlink(self.path)


if "--activated" in sys.argv:
    serve_activated()
else:
    tap.main()
