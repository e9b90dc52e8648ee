# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who gets in, and what those who do not can do to the rest: nothing."""

import ctypes
import os
import random
import signal
import socket
import time

import peer
import tap

AUTH = b"AUTH EXTERNAL " + peer.HEX_UID + b"\r\n"
LIST = peer.message(peer.PROCESS, "org.libloop.Process1", "ListLoops")


class TestAuthentication(peer.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.start()

    def open(self, data=b""):
        connection = self.raw(self.target)
        if data:
            connection.sendall(data)
        return connection

    def assertServed(self, connection):
        connection.sendall(LIST)
        reply = peer.read_message(connection)
        loop, = reply.get_body().unpack()[0]
        self.assertEqual(loop["id"], self.target.loop)
        connection.close()

    def assertClosed(self, connection, seconds=2):
        """The other end closes, well before its deadline."""
        start = time.monotonic()
        data = peer.read_all(connection)
        self.assertLess(time.monotonic() - start, seconds)
        connection.close()
        return data

    def test_initial_response(self):
        connection = self.open(b"\0" + AUTH)
        self.assertRegex(peer.read_line(connection), rb"^OK [0-9a-f]{32}$")
        connection.sendall(b"BEGIN\r\n")
        self.assertServed(connection)

    def test_data(self):
        for identity in (b"DATA", b"DATA ", b"DATA " + peer.HEX_UID, b"DATA " + peer.HEX_UID.upper()):
            connection = self.open(b"\0AUTH EXTERNAL\r\n")
            self.assertEqual(peer.read_line(connection), b"DATA")
            connection.sendall(identity + b"\r\n")
            self.assertRegex(peer.read_line(connection), b"^OK ")
            connection.sendall(b"BEGIN\r\n")
            self.assertServed(connection)

    def test_pipelined(self):
        connection = self.open(b"\0" + AUTH + b"NEGOTIATE_UNIX_FD\r\nBEGIN\r\n" + LIST)
        self.assertRegex(peer.read_line(connection), b"^OK ")
        self.assertEqual(peer.read_line(connection), b"ERROR")
        self.assertEqual(len(peer.read_message(connection).get_body().unpack()[0]), 1)
        # As sd-bus does it.
        connection = self.open(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n" + LIST)
        self.assertEqual(peer.read_line(connection), b"DATA")
        self.assertRegex(peer.read_line(connection), b"^OK ")
        self.assertEqual(peer.read_line(connection), b"ERROR")
        self.assertEqual(len(peer.read_message(connection).get_body().unpack()[0]), 1)

    def test_byte_by_byte(self):
        connection = self.open()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for byte in b"\0" + AUTH + b"NEGOTIATE_UNIX_FD\r\nBEGIN\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        self.assertRegex(peer.read_line(connection), b"^OK ")
        self.assertEqual(peer.read_line(connection), b"ERROR")
        for byte in LIST:
            connection.sendall(bytes([byte]))
        self.assertEqual(len(peer.read_message(connection).get_body().unpack()[0]), 1)

    def test_split_anywhere(self):
        whole = b"\0" + AUTH + b"BEGIN\r\n" + LIST
        for i in range(1, len(whole)):
            connection = self.open(whole[:i])
            time.sleep(0.001)
            connection.sendall(whole[i:])
            self.assertRegex(peer.read_line(connection), b"^OK ")
            self.assertEqual(len(peer.read_message(connection).get_body().unpack()[0]), 1)
            connection.close()

    def test_second_try(self):
        connection = self.open(b"\0AUTH\r\n")
        self.assertEqual(peer.read_line(connection), b"REJECTED EXTERNAL")
        for line in (b"AUTH ANONYMOUS 30", b"AUTH DBUS_COOKIE_SHA1 30", b"AUTH KERBEROS_V4", b"CANCEL", b"ERROR",
                     b"ERROR what", b"AUTH EXTERNAL 39393939", b"AUTH EXTERNAL " + peer.HEX_UID + b"0",
                     b"AUTH EXTERNAL zz", b"AUTH EXTERNAL " + peer.HEX_UID + b"00", b"AUTH EXTERNALISH"):
            connection.sendall(line + b"\r\n")
            self.assertEqual(peer.read_line(connection), b"REJECTED EXTERNAL", line)
        connection.sendall(b"NONSENSE\r\n")
        self.assertEqual(peer.read_line(connection), b"ERROR")
        connection.sendall(AUTH + b"BEGIN\r\n")
        self.assertRegex(peer.read_line(connection), b"^OK ")
        self.assertServed(connection)

    def test_not_let_in(self):
        refused = {
            "wrong uid": b"\0AUTH EXTERNAL 31323334\r\nBEGIN\r\n",
            "wrong uid as data": b"\0AUTH EXTERNAL\r\nDATA 31323334\r\nBEGIN\r\n",
            "another mechanism": b"\0AUTH DBUS_COOKIE_SHA1 30\r\nBEGIN\r\n",
            "anonymous": b"\0AUTH ANONYMOUS 30\r\nBEGIN\r\n",
            "BEGIN first": b"\0BEGIN\r\n",
            "BEGIN before DATA": b"\0AUTH EXTERNAL\r\nBEGIN\r\n",
            "DATA without AUTH": b"\0DATA\r\nBEGIN\r\n",
            "cancelled": b"\0" + AUTH + b"CANCEL\r\nBEGIN\r\n",
            "error": b"\0" + AUTH + b"ERROR\r\nBEGIN\r\n",
            "authenticated anew": b"\0" + AUTH + b"AUTH EXTERNAL 31323334\r\nBEGIN\r\n",
            "no NUL": AUTH + b"BEGIN\r\n",
            "two NULs": b"\0\0" + AUTH,
            "embedded NUL": b"\0AUTH EXTERNAL\0 30\r\n",
            "NUL after the identity": b"\0AUTH EXTERNAL " + peer.HEX_UID + b"\0\r\nBEGIN\r\n",
            "LF alone": b"\0AUTH EXTERNAL\n",
            "long line": b"\0AUTH " + b"x" * 600,
            "a D-Bus message": b"\0" + LIST + b"\n",
        }
        for name, data in refused.items():
            with self.subTest(name):
                answer = self.assertClosed(self.open(data))
                self.assertNotIn(b"org.libloop", answer)
        self.assertServed(self.let_in())

    def let_in(self):
        connection = self.open()
        peer.authenticate(connection)
        return connection

    def test_long_input(self):
        for data in (b"\0" + b"A" * (1 << 20) + b"\r\n", b"\0" + b"AUTH\r\n" * 10000, b"\0" + b"\r\n" * 10000,
                     b"\0" + b"NOPE\r\n" * 10000):
            connection = self.open()
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            self.assertLess(len(self.assertClosed(connection)), 64 << 10)
        self.assertServed(self.let_in())

    def test_close_at_each_stage(self):
        whole = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n" + LIST
        # GDBus keeps its thread once there was a client.
        first = self.let_in()
        self.assertServed(first)
        fds = self.target.n_fds
        for i in range(len(whole)):
            connection = self.open(whole[:i])
            if i % 3 == 0:
                connection.shutdown(socket.SHUT_WR)
            connection.close()
        self.wait_for(lambda: self.target.n_fds <= fds)
        self.assertServed(self.let_in())

    def abuse(self, generator):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.target.path)
            connection.settimeout(peer.PATIENCE)
            choice = generator.randrange(8)
            if choice == 0:
                data = generator.randbytes(generator.randrange(1, 3000))
            elif choice == 1:
                data = b"\0" + generator.randbytes(generator.randrange(1, 3000))
            elif choice == 2:
                data = b"\0" + b"A" * 5000
            elif choice == 3:
                data = b"\0BEGIN\r\n"
            elif choice == 4:
                data = b"\0" + AUTH[:generator.randrange(len(AUTH))]
            elif choice == 5:
                data = b"\0AUTH ANONYMOUS\r\n" * 20
            elif choice == 6:
                data = b""
            else:
                # Let in, and then garbage.
                data = b"\0" + AUTH + b"BEGIN\r\n" + generator.randbytes(generator.randrange(1, 3000))
            if data:
                connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            connection.close()

    def test_memory(self):
        generator = random.Random(40)
        client = self.connect(self.target)
        for _ in range(1000):
            self.abuse(generator)
        client.loops()
        time.sleep(0.2)
        before, fds = self.target.rss, self.target.n_fds
        for i in range(4000):
            self.abuse(generator)
            if i % 500 == 0:
                self.assertEqual(len(client.loops()), 1)
        time.sleep(0.2)
        client.loops()
        self.assertLess(self.target.rss - before, 2 << 20)
        self.wait_for(lambda: self.target.n_fds <= fds)
        self.assertIsNone(self.target.process.poll())
        self.assertEqual(self.target.end()[0], 0)

    def test_garbage_after_authentication(self):
        client = self.connect(self.target)
        generator = random.Random(7)
        for length in (1, 15, 16, 100, 5000):
            connection = self.let_in()
            connection.sendall(generator.randbytes(length))
            connection.close()
        # A message that claims to be larger than any may be.
        huge = bytearray(LIST)
        huge[4:8] = (0x7fffffff).to_bytes(4, "little")
        connection = self.let_in()
        connection.sendall(huge)
        self.assertEqual(self.assertClosed(connection), b"")
        self.assertEqual(len(client.loops()), 1)

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        reader, writer = os.pipe()
        path = self.target.path
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reader)
                libc = ctypes.CDLL(None, use_errno=True)
                # Somebody else, who reaches the file all the same.
                if libc.setresuid(0, 65534, 0) < 0:
                    os._exit(3)
                libc.setfsuid(0)
                result = []
                for data in (b"", b"\0" + AUTH + b"BEGIN\r\n" + LIST):
                    connection = socket.socket(socket.AF_UNIX)
                    connection.settimeout(2)
                    try:
                        connection.connect(path)
                    except PermissionError:
                        os._exit(77)
                    try:
                        if data:
                            connection.sendall(data)
                        result.append(repr(connection.recv(100)))
                    except (ConnectionResetError, BrokenPipeError):
                        result.append("b''")
                    except socket.timeout:
                        result.append("timeout")
                os.write(writer, " ".join(result).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as file:
            text = file.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code in (3, 77):
            self.skipTest("this root cannot become somebody else who reaches the file")
        self.assertEqual((code, text), (0, "b'' b''"))
        self.assertServed(self.let_in())

    def test_silent_peers(self):
        self.connect(self.target).loops()
        fds = self.target.n_fds
        client = self.connect(self.target)
        silent = []
        most = 0
        for i in range(1000):
            connection = socket.socket(socket.AF_UNIX)
            self.addCleanup(connection.close)
            connection.connect(self.target.path)
            connection.settimeout(peer.PATIENCE)
            silent.append(connection)
            if i % 10 == 0:
                most = max(most, self.target.n_fds - fds)
            if i % 100 == 0:
                start = time.monotonic()
                self.assertEqual(len(client.loops()), 1)
                other = self.target.connect()
                self.assertEqual(len(other.loops()), 1)
                other.close()
                self.assertLess(time.monotonic() - start, 1)
        # Two clients, four that are pending, and one that is being looked at or on its way out.
        self.assertLessEqual(most, 1 + 1 + 4 + 1)
        start = time.monotonic()
        other = self.target.connect()
        self.assertEqual(len(other.loops()), 1)
        other.close()
        self.assertLess(time.monotonic() - start, 1)
        # The earlier ones are closed already; the last four when they have been silent for too long.
        for connection in silent[:-4]:
            self.assertEqual(peer.read_all(connection), b"")
        self.assertLess(time.monotonic() - start, 2)

    def test_deadline(self):
        start = time.monotonic()
        silent = self.open()
        slow = self.open(b"\0AUTH")
        chatty = self.open(b"\0")
        chatty.settimeout(0.4)
        closed_after = None
        while time.monotonic() - start < 8 and closed_after is None:
            try:
                chatty.sendall(b"X")
                if chatty.recv(10) == b"":
                    closed_after = time.monotonic() - start
            except socket.timeout:
                pass
            except (BrokenPipeError, ConnectionResetError):
                closed_after = time.monotonic() - start
        self.assertIsNotNone(closed_after)
        self.assertGreater(closed_after, 3.9)
        self.assertLess(closed_after, 7)
        self.assertEqual(peer.read_all(silent), b"")
        self.assertEqual(peer.read_all(slow), b"")
        self.assertLess(time.monotonic() - start, 7)

    def test_too_many_clients(self):
        clients = []
        for _ in range(32):
            client = self.connect(self.target)
            self.assertEqual(len(client.loops()), 1)
            clients.append(client)
        self.assertEqual(self.assertClosed(self.open(b"")), b"")
        with self.assertRaises((peer.GLib.Error, peer.Refused)):
            self.target.connect()
        for client in clients:
            self.assertEqual(len(client.loops()), 1)
        # There is room again.
        clients[0].close()
        self.wait_for(self.lets_in)

    def lets_in(self):
        try:
            client = self.target.connect()
        except peer.GLib.Error:
            return False
        client.close()
        return True

    def test_many_authenticate_at_once(self):
        # Those that wait in the queue are not let in past the limit either.
        connections = []
        for _ in range(60):
            connection = self.open()
            try:
                connection.sendall(b"\0" + AUTH + b"BEGIN\r\n" + LIST)
            except (BrokenPipeError, ConnectionResetError):
                pass
            connections.append(connection)
        served = 0
        for connection in connections:
            try:
                peer.read_line(connection)
                peer.read_message(connection)
                served += 1
            except (EOFError, ConnectionResetError):
                pass
        self.assertLessEqual(served, 32)
        self.assertGreaterEqual(served, 4)

    def test_descriptor_exhaustion(self):
        client = self.connect(self.target)
        client.loops()
        self.target.do("exhaust")
        waiting = [self.open() for _ in range(3)]
        before = self.target.cpu
        time.sleep(1.5)
        self.assertLess(self.target.cpu - before, 0.3)
        # Who is in already is served all the same.
        self.assertEqual(len(client.loops()), 1)
        self.assertEqual(client.state(self.target.loop)["id"], self.target.loop)
        for connection in waiting:
            connection.close()

    def test_descriptor_exhaustion_before_the_first(self):
        """Who is about to get in when the last descriptor goes: GDBus needs one to start."""
        connection = self.raw(self.target)
        connection.sendall(b"\0AUTH EXTERNAL " + peer.HEX_UID + b"\r\n")
        self.assertTrue(peer.read_line(connection).startswith(b"OK "))
        self.target.do("exhaust")
        connection.sendall(b"BEGIN\r\n" + peer.message(peer.PROCESS, "org.libloop.Process1", "ListLoops"))
        self.assertEqual(len(peer.read_message(connection).get_body().unpack()[0]), 1)

    def test_descriptor_exhaustion_before_any(self):
        self.target.do("exhaust")
        waiting = self.raw(self.target)
        waiting.sendall(b"\0AUTH EXTERNAL " + peer.HEX_UID + b"\r\nBEGIN\r\n")
        before = self.target.cpu
        time.sleep(0.5)
        self.assertLess(self.target.cpu - before, 0.2)
        self.assertIsNone(self.target.process.poll())

    def test_stopped_target_is_closed_cleanly(self):
        connection = self.let_in()
        os.kill(self.target.pid, signal.SIGKILL)
        self.assertEqual(peer.read_all(connection), b"")


tap.main()
