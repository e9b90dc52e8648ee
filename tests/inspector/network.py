# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers, transports and subprocesses: what is shown of them, and what can be done to them."""

import os
import signal
import socket
import time

import peer
import tap
from gi.repository import GLib


class TestCase(peer.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.start()
        self.client = self.connect(self.target)
        self.loop = self.target.loop

    def control(self, method, id):
        return self.client.control(self.loop, method, "(t)", id)[0]

    def rows(self, kind):
        return {row["id"]: row for row in self.client.rows(self.loop, kind)}

    def row(self, kind, id):
        """None of what is gone."""
        rows = self.client.rows(self.loop, kind, {"id": GLib.Variant("t", id)})
        return rows[0] if rows else None

    def metrics(self, *names):
        metrics = self.client.metrics(self.loop)
        return tuple(metrics[name] for name in names)

    def serve(self):
        """The port and the id of a server."""
        return map(int, self.target.do("serve").split())

    def connect_to(self, port):
        """A connection, and the id of the transport at its other end."""
        known = self.rows("transports")
        connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
        self.addCleanup(connection.close)
        self.wait_for(lambda: set(self.rows("transports")) - set(known))
        new, = set(self.rows("transports")) - set(known)
        self.wait_for(lambda: self.row("transports", new)["state"] == "open")
        return connection, new

    def spawn(self, *argv):
        """The id and the pid of a process."""
        return map(int, self.target.do("spawn " + " ".join(argv)).split())

    def block(self, seconds):
        blocker = self.target.number(f"block {seconds}")
        self.wait_for(lambda: self.client.state(self.loop).get("handle") == blocker)


def read(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(65536)
        if not part:
            raise EOFError
        data += part
    return data


class TestTransports(TestCase):
    def test_where_it_comes_from(self):
        port, server = self.serve()
        connection, transport = self.connect_to(port)
        row = self.row("transports", transport)
        self.assertEqual((row["kind"], row["local"], row["peer"], row["owner"]),
                         ("socket", f"127.0.0.1:{port}", "127.0.0.1:%d" % connection.getsockname()[1], server))
        self.assertEqual((row["low_water"], row["high_water"]), (16384, 65536))
        # What a C program's protocol is called, its functions are.
        self.assertNotIn(row["protocol"], ("", "LoopVtableProtocol"))
        time.sleep(0.05)
        self.assertGreaterEqual(self.row("transports", transport)["age"], row["age"] + 0.05)
        self.assertLess(row["age"], peer.PATIENCE)

    def test_paused_writing(self):
        port, _ = self.serve()
        connection, transport = self.connect_to(port)
        self.target.do("limits 1000 100")
        row = self.row("transports", transport)
        self.assertEqual((row["low_water"], row["high_water"]), (100, 1000))
        self.assertNotIn("paused", row)
        length = 20 << 20
        buffered = self.target.number(f"write {length}")
        self.assertGreater(buffered, 1000)
        row = self.row("transports", transport)
        self.assertEqual((row["paused"], row["buffered"], row["sent"]), ("w", buffered, length - buffered))
        self.assertEqual(self.control("PauseReading", transport), "done")
        self.assertEqual(self.row("transports", transport)["paused"], "rw")
        self.assertEqual(self.control("ResumeReading", transport), "done")
        self.assertEqual(len(read(connection, length)), length)
        self.wait_for(lambda: "paused" not in self.row("transports", transport))
        row = self.row("transports", transport)
        self.assertEqual((row["sent"], row["buffered"]), (length, 0))

    def test_paused_reading(self):
        port, _ = self.serve()
        connection, transport = self.connect_to(port)
        self.assertEqual(self.control("PauseReading", transport), "done")
        self.assertEqual(self.control("PauseReading", transport), "done")
        row = self.row("transports", transport)
        self.assertEqual((row["paused"], row["reading"]), ("r", False))
        connection.sendall(b"late")
        time.sleep(0.1)
        self.assertEqual(self.row("transports", transport)["received"], 0)
        self.assertEqual(self.control("ResumeReading", transport), "done")
        self.assertEqual(self.control("ResumeReading", transport), "done")
        self.assertEqual(connection.recv(10), b"late")
        row = self.row("transports", transport)
        self.assertEqual((row["received"], row["sent"], row["reading"]), (4, 4, True))

    def test_reading_of_what_is_closing(self):
        port, _ = self.serve()
        connection, transport = self.connect_to(port)
        # It is not closed before that is written.
        self.target.do(f"write {20 << 20}")
        self.assertEqual(self.control("CloseTransport", transport), "done")
        self.assertEqual(self.row("transports", transport)["state"], "closing")
        for method in ("PauseReading", "ResumeReading"):
            self.assertIn("is closing", self.assertRefused("InvalidArgument", self.control, method, transport))
        self.assertEqual(self.control("Close", transport), "done")
        self.assertEqual(len(read(connection, 20 << 20)), 20 << 20)
        self.assertEqual(connection.recv(1), b"")

    def test_pages(self):
        port, server = self.serve()
        connections = [socket.create_connection(("127.0.0.1", port), peer.PATIENCE) for _ in range(300)]
        for connection in connections:
            self.addCleanup(connection.close)
        self.wait_for(lambda: self.row("servers", server)["clients"] == 300)
        for connection in connections[:150]:
            connection.sendall(b"x")
            read(connection, 1)
        peers = {"127.0.0.1:%d" % connection.getsockname()[1] for connection in connections}
        for limit, sort in ((0, ""), (7, ""), (100, "-received"), (256, "-id"), (100, "age")):
            rows = self.client.rows(self.loop, "transports", sort=sort, limit=limit)
            self.assertEqual(len(rows), 300)
            self.assertEqual({row["peer"] for row in rows}, peers)
            self.assertEqual({row["local"] for row in rows}, {f"127.0.0.1:{port}"})
        self.assertEqual([row["received"] for row in self.client.rows(self.loop, "transports", sort="-received")],
                         [1] * 150 + [0] * 150)
        oldest = [row["id"] for row in self.client.rows(self.loop, "transports", sort="-age")]
        self.assertEqual(oldest, sorted(oldest))
        one = self.client.rows(self.loop, "transports", {"peer": GLib.Variant("s", next(iter(peers)))})
        self.assertEqual(len(one), 1)

    def test_exact_while_blocked(self):
        port, server = self.serve()
        connection, transport = self.connect_to(port)
        before = self.row("transports", transport)
        self.block(1)
        connection.sendall(b"x")
        start = time.monotonic()
        row = self.row("transports", transport)
        self.assertLess(time.monotonic() - start, 0.2)
        before["age"] = row["age"]
        self.assertEqual(row, before)
        self.assertEqual(self.row("servers", server)["clients"], 1)
        self.assertEqual(connection.recv(1), b"x")

    def test_totals(self):
        port, _ = self.serve()
        self.assertEqual(self.metrics("transports", "servers", "accepted", "received", "sent"), (0, 1, 0, 0, 0))
        for i in range(1, 4):
            connection, transport = self.connect_to(port)
            connection.sendall(b"x" * 10)
            read(connection, 10)
            self.target.do("write 5")
            read(connection, 5)
            self.assertEqual(self.metrics("transports", "accepted", "received", "sent"), (1, i, 10 * i, 15 * i))
            # What is gone counts on.
            connection.close()
            self.wait_for(lambda: not self.rows("transports"))
            self.assertEqual(self.metrics("transports", "accepted", "received", "sent"), (0, i, 10 * i, 15 * i))


class TestServers(TestCase):
    def test_addresses(self):
        for n, shown in ((1, 1), (2, 2), (4, 4), (5, 4)):
            _, server = map(int, self.target.do(f"serve 1 {n}").split())
            row = self.row("servers", server)
            addresses = row["address"].removesuffix(" …").split(" ")
            self.assertEqual([address.split(":")[0] for address in addresses],
                             [f"127.0.0.{n - i}" for i in range(shown)])
            self.assertEqual(row["address"].endswith(" …"), n > 4)
            self.assertEqual((row["state"], row["clients"], row["waiting"], row["backlog"]), ("serving", 0, 0, 100))
            self.assertEqual(self.control("Close", server), "done")
            self.assertEqual(self.row("servers", server)["address"], "")

    def test_waiting(self):
        port, server = self.serve()
        self.block(1)
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
            self.addCleanup(connection.close)
        row = self.row("servers", server)
        self.assertEqual((row["waiting"], row["accepted"]), (3, 0))
        self.wait_for(lambda: self.row("servers", server)["clients"] == 3)
        self.assertEqual(self.row("servers", server)["waiting"], 0)

    def test_throttled(self):
        port, server = self.serve()
        # The client is in for good.
        self.client.loops()
        self.target.do("exhaust")
        connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
        self.addCleanup(connection.close)
        self.wait_for(lambda: self.row("servers", server)["state"] == "throttled")
        self.assertEqual(self.row("servers", server)["waiting"], 1)

    def test_clients(self):
        for method in ("CloseClients", "AbortClients"):
            port, server = self.serve()
            other_port, _ = self.serve()
            connections = [self.connect_to(port)[0] for _ in range(3)]
            other, _ = self.connect_to(other_port)
            self.assertEqual(self.control(method, server), "done")
            for connection in connections:
                self.assertEqual(peer.read_all(connection), b"")
            self.wait_for(lambda: self.row("servers", server)["clients"] == 0)
            other.sendall(b"x")
            self.assertEqual(other.recv(1), b"x")
            # It still serves; and connections outlive it.
            connection, _ = self.connect_to(port)
            self.assertEqual(self.control("CloseServer", server), "done")
            self.assertEqual(self.row("servers", server)["state"], "closed")
            self.assertEqual(self.control(method, server), "done")
            self.assertEqual(peer.read_all(connection), b"")


class TestSubprocesses(TestCase):
    def test_pipes(self):
        id, pid = self.spawn("cat")
        row = self.row("subprocesses", id)
        self.assertEqual({key: value for key, value in row.items() if key not in ("stdin", "stdout", "stderr", "age")},
                         {"id": id, "pid": pid, "state": "running", "program": "cat"})
        transports = self.rows("transports")
        self.assertEqual([transports[row[name]]["kind"] for name in ("stdin", "stdout", "stderr")],
                         ["write pipe", "read pipe", "read pipe"])
        self.assertEqual({transport["owner"] for transport in transports.values()}, {id})
        for transport in transports.values():
            self.assertNotIn("peer", transport)
            self.assertNotIn("local", transport)

        for name in ("stdout", "stderr"):
            self.assertEqual(self.control("PauseReading", row[name]), "done")
            self.assertEqual(self.rows("transports")[row[name]]["paused"], "r")
            self.assertEqual(self.control("ResumeReading", row[name]), "done")
        self.assertIn("is only written to", self.assertRefused("InvalidArgument", self.control, "PauseReading", row["stdin"]))

        # cat ends with its input.
        self.assertEqual(self.control("Close", row["stdin"]), "done")
        self.wait_for(lambda: self.row("subprocesses", id)["state"] == "closed")
        row = self.row("subprocesses", id)
        self.assertEqual({key: value for key, value in row.items() if key != "age"},
                         {"id": id, "pid": pid, "state": "closed", "returncode": 0, "program": "cat"})
        self.assertEqual({transport["state"] for transport in self.rows("transports").values()}, {"closed"})

    def test_arguments_are_not_shown(self):
        id, _ = self.spawn("/bin/sh", "-c", "exec<&-;exit\t3", "password")
        self.wait_for(lambda: "returncode" in self.row("subprocesses", id))
        row = self.row("subprocesses", id)
        self.assertEqual((row["program"], row["returncode"]), ("sh", 3))
        self.assertNotIn("password", str(row))

    def test_ends(self):
        for method, returncode in (("TerminateSubprocess", -signal.SIGTERM), ("KillSubprocess", -signal.SIGKILL),
                                   ("Close", -signal.SIGKILL)):
            id, pid = self.spawn("cat")
            self.assertEqual(self.control(method, id), "done")
            self.wait_for(lambda: self.row("subprocesses", id)["state"] == "closed")
            self.assertEqual(self.row("subprocesses", id)["returncode"], returncode)
            self.assertFalse(os.path.exists(f"/proc/{pid}"))
            for method in ("TerminateSubprocess", "KillSubprocess"):
                message = self.assertRefused("NotFound", self.control, method, id)
                self.assertIn(f"Process {pid} has exited", message)

    def send(self, id, signum):
        return self.client.control(self.loop, "SignalSubprocess", "(ti)", id, signum)[0]

    def test_signals(self):
        id, pid = self.spawn("cat")
        self.assertEqual(self.send(id, signal.SIGSTOP), "done")

        def state():
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rpartition(")")[2].split()[0]

        self.wait_for(lambda: state() == "T")
        self.assertEqual(self.send(id, signal.SIGCONT), "done")
        self.wait_for(lambda: state() == "S")
        for signum in (-1, 65, 1 << 30):
            self.assertRefused("InvalidArgument", self.send, id, signum)
        self.assertEqual(self.row("subprocesses", id)["state"], "running")
        self.assertEqual(self.send(id, signal.SIGUSR1), "done")
        self.wait_for(lambda: self.row("subprocesses", id).get("returncode") == -signal.SIGUSR1)


class TestActions(TestCase):
    """What holds for each of them."""

    METHODS = {"Close": "transport", "CloseTransport": "transport", "AbortTransport": "transport",
               "PauseReading": "transport", "ResumeReading": "paused transport", "CloseServer": "server",
               "StartServer": "idle server", "CloseClients": "server", "AbortClients": "server",
               "TerminateSubprocess": "process", "KillSubprocess": "process"}

    def make(self, kind):
        """An object; and what tells whether the action was done to it."""
        if kind == "process":
            id, _ = self.spawn("cat")
            return id, lambda: self.row("subprocesses", id)["state"] != "running"
        if kind == "idle server":
            _, server = map(int, self.target.do("serve 0").split())
            return server, lambda: self.row("servers", server)["state"] == "serving"
        port, server = self.serve()
        _, transport = self.connect_to(port)
        if kind == "server":
            return server, lambda: not self.row("transports", transport) or self.row("servers", server)["state"] == "closed"
        if kind == "paused transport":
            self.control("PauseReading", transport)
            return transport, lambda: "paused" not in self.row("transports", transport)
        return transport, lambda: (self.row("transports", transport) or {"paused": "r"}).get("paused") == "r"

    def test_idle(self):
        for method, kind in self.METHODS.items():
            with self.subTest(method):
                id, is_done = self.make(kind)
                self.assertFalse(is_done())
                self.assertEqual(self.control(method, id), "done")
                self.wait_for(is_done)

    def test_blocked(self):
        objects = [(method, *self.make(kind)) for method, kind in self.METHODS.items()]
        self.block(3)
        for method, id, is_done in objects:
            with self.subTest(method):
                self.assertEqual(self.control(method, id), "queued")
                self.assertFalse(is_done())
        self.assertIn("handle", self.client.state(self.loop))
        for method, id, is_done in objects:
            with self.subTest(method):
                self.wait_for(is_done)

    def test_once(self):
        port, _ = self.serve()
        connection, transport = self.connect_to(port)
        self.block(0.5)
        self.assertEqual(self.control("PauseReading", transport), "queued")
        self.wait_for(lambda: self.row("transports", transport).get("paused") == "r")
        # Had it been done again, this would not last.
        self.assertEqual(self.control("ResumeReading", transport), "done")
        time.sleep(0.3)
        self.assertNotIn("paused", self.row("transports", transport))

    def test_stale(self):
        timer = self.target.number("timers 1")
        for method, kind in self.METHODS.items():
            with self.subTest(method):
                for id in (0, timer, 1 << 62, (1 << 64) - 1):
                    self.assertRefused("NotFound", self.control, method, id)
        port, server = self.serve()
        _, transport = self.connect_to(port)
        process, _ = self.spawn("cat")
        # An id of another kind is none of this.
        for method, kind in self.METHODS.items():
            others = {server: "server", transport: "transport", process: "process"}
            for id, other in others.items():
                if not kind.endswith(other) and method != "Close":
                    self.assertRefused("NotFound", self.control, method, id)
        self.assertRefused("NotFound", self.client.control, self.loop, "SignalSubprocess", "(ti)", server, 15)
        self.assertEqual(self.control("Close", transport), "done")
        self.wait_for(lambda: not self.row("transports", transport))
        for method, kind in self.METHODS.items():
            if kind.endswith("transport"):
                self.assertRefused("NotFound", self.control, method, transport)

    def test_read_only(self):
        target = self.start(LOOP_INSPECT="read")
        client = self.connect(target)
        port, server = map(int, target.do("serve").split())
        process, _ = map(int, target.do("spawn cat").split())
        connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
        self.addCleanup(connection.close)
        self.wait_for(lambda: len(client.rows(target.loop, "transports")) == 4)
        rows = [{row["id"]: row["state"] for row in client.rows(target.loop, kind)}
                for kind in ("servers", "transports", "subprocesses")]
        for method in self.METHODS:
            for id in (server, process, *rows[1], 1 << 62):
                self.assertRefused("AccessDenied", client.control, target.loop, method, "(t)", id)
        self.assertRefused("AccessDenied", client.control, target.loop, "SignalSubprocess", "(ti)", process, 9)
        self.assertEqual(rows, [{row["id"]: row["state"] for row in client.rows(target.loop, kind)}
                                for kind in ("servers", "transports", "subprocesses")])


tap.main()
