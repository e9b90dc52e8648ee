# SPDX-License-Identifier: LGPL-2.1-or-later
"""Echo servers, and nc and socat."""

import os
import socket
import subprocess
import unittest

import tap
from peers import Peers, Process, find, need, random_bytes, run, sha256, with_program

need("tests/peers/echo")

DATA = random_bytes(8 << 20)


class Servers:
    """What all of them have to do. Each has self.nc and self.socat: how to name it to those."""

    @with_program("nc")
    def test_nc(self):
        """It sends a file, says that this was all, and waits for the rest."""
        self.assertEqual(run("nc", "-N", *self.nc, stdin=b"hello\n"), b"hello\n")
        self.assertEqual(sha256(run("nc", "-N", *self.nc, stdin=DATA)), sha256(DATA))

    @with_program("nc")
    def test_nc_many(self):
        clients = [subprocess.Popen(["nc", "-N", *self.nc], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(20)]
        for number, client in enumerate(clients):
            self.assertEqual(client.communicate(b"%d\n" % number)[0], b"%d\n" % number)
            self.assertEqual(client.returncode, 0)

    @with_program("socat")
    def test_socat(self):
        self.assertEqual(run("socat", "-t60", "-", f"{self.socat},shut-down", stdin=b"hello\n"), b"hello\n")
        self.assertEqual(sha256(run("socat", "-t60", "-", f"{self.socat},shut-down", stdin=DATA)), sha256(DATA))

    @with_program("socat")
    def test_socat_small_buffers(self):
        """A peer with 4 KiB for both ways, and blocks of 100 bytes."""
        data = DATA[:200_000]
        out = run("socat", "-t60", "-b100", "-", f"{self.socat},sndbuf=4096,rcvbuf=4096,shut-down", stdin=data)
        self.assertEqual(sha256(out), sha256(data))

    @with_program("socat")
    def test_socat_resets(self):
        """A peer that resets the connection in the middle disturbs no other."""
        for _ in range(10):
            run("socat", "-u", "-", f"{self.socat},linger=0", stdin=DATA[:100_000])
        self.assertEqual(run("socat", "-t60", "-", f"{self.socat},shut-down", stdin=b"hello\n"), b"hello\n")


class OnPort:
    def set_port(self, port):
        self.nc = ["127.0.0.1", str(port)]
        self.socat = f"TCP:127.0.0.1:{port}"


class TestC(OnPort, Servers, Peers):
    def setUp(self):
        super().setUp()
        self.process, self.port = self.start("tests/peers/echo")
        self.set_port(self.port)

    def test_does_not_read(self):
        """Who sends and does not read is not read from: memory stays as it is."""
        before = self.process.rss()
        with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as sock:
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 1 << 30:
                    sent += sock.send(DATA)
            self.assertLess(self.process.rss() - before, 4096)
            sock.settimeout(60)
            sock.shutdown(socket.SHUT_WR)
            received = 0
            while part := sock.recv(1 << 20):
                received += len(part)
            self.assertEqual(received, sent)


class TestUnix(Servers, Peers):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "socket")
        self.start("tests/peers/echo", self.path)
        self.nc = ["-U", self.path]
        self.socat = f"UNIX-CONNECT:{self.path}"


class TestAbstract(Servers, Peers):
    def setUp(self):
        super().setUp()
        name = f"loop-peers-{os.getpid()}-{self.id()}"
        self.start("tests/peers/echo", f"@{name}")
        self.nc = ["-U", f"@{name}"]
        self.socat = f"ABSTRACT-CONNECT:{name}"


class Examples(OnPort, Servers):
    def setUp(self):
        super().setUp()
        process = Process(*self.command, "0")
        self.addCleanup(lambda: self.assertEqual(process.end(), 0))
        self.set_port(process.process.stdout.readline().split()[-1])


@unittest.skipUnless(os.environ.get("HAVE_VALA"), "valac is missing")
class TestVala(Examples, Peers):
    command = [find("docs/examples/echo")]


@unittest.skipUnless(os.environ.get("GJS") and os.environ.get("LOOP_TYPELIB"), "GJS is missing")
class TestJavaScript(Examples, Peers):
    command = [os.environ.get("GJS", ""), "-m", os.path.join(os.environ["LOOP_SRCDIR"], "docs/examples/echo.js")]


tap.main()
