# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the inspector need: a program to look at, and clients, well-behaved and not."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))

from gi.repository import Gio, GLib  # noqa: E402

BUILD = os.environ.get("LOOP_BUILDDIR", os.getcwd())
PATIENCE = 20

PROCESS = "/org/libloop/Process1"
HEX_UID = str(os.geteuid()).encode().hex().encode()


def find(path):
    """A program of the build tree: the real one, if libtool has put a script in its place."""
    folder, name = os.path.split(os.path.join(BUILD, path))
    real = os.path.join(folder, ".libs", name)
    return real if os.access(real, os.X_OK) else os.path.join(folder, name)


TARGET = find("tests/inspector/target")


class Refused(Exception):
    """The answer was an error of D-Bus: its name, without what comes before the last dot, and its message."""

    def __init__(self, error):
        remote = Gio.DBusError.get_remote_error(error) or ""
        super().__init__(f"{remote}: {error.message}")
        self.name = remote.removeprefix("org.libloop.Error.")
        self.message = error.message


class Client:
    """An ordinary client, through GDBus."""

    def __init__(self, path):
        self.connection = Gio.DBusConnection.new_for_address_sync(
            f"unix:path={path}", Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
        self.connection.set_exit_on_close(False)

    def call(self, path, interface, method, signature="()", *arguments, timeout=PATIENCE):
        try:
            reply = self.connection.call_sync(None, path, interface, method, GLib.Variant(signature, arguments), None,
                                              Gio.DBusCallFlags.NONE, int(timeout * 1000), None)
        except GLib.Error as error:
            raise Refused(error) from None
        values = reply.unpack()
        return values[0] if len(values) == 1 else values

    def loops(self):
        return self.call(PROCESS, "org.libloop.Process1", "ListLoops")

    def loop(self, loop, method, signature="()", *arguments):
        return self.call(f"/org/libloop/Loop1/{loop}", "org.libloop.Loop1", method, signature, *arguments)

    def state(self, loop):
        return self.loop(loop, "GetState")

    def metrics(self, loop):
        return self.loop(loop, "GetMetrics")[0]

    def list_raw(self, loop, kind, filter=None, sort="", cursor="", limit=0):
        return self.loop(loop, "List", "(sa{sv}ssu)", kind, filter or {}, sort, cursor, limit)

    def rows(self, loop, kind, filter=None, sort="", limit=0):
        """All pages of a view."""
        found, cursor = [], ""
        while True:
            rows, cursor, _, _ = self.list_raw(loop, kind, filter, sort, cursor, limit)
            found += rows
            if not cursor:
                return found
            if limit and len(rows) != limit:
                raise AssertionError(f"a page of {len(rows)} that is not the last")

    def control(self, loop, method, signature="()", *arguments):
        """The outcome and the state."""
        return self.call(f"/org/libloop/Loop1/{loop}", "org.libloop.Control1", method, signature, *arguments)

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)


class Target:
    """The program, its commands, and what /proc tells of it."""

    def __init__(self, env):
        self.process = subprocess.Popen([TARGET], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.runtime = env.get("XDG_RUNTIME_DIR", "")
        self.pid, self.loop = map(int, self.process.stdout.readline().split())

    def ask(self, command):
        """Whether it worked, and the rest of the answer."""
        self.send(command)
        status, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
        return status, rest

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def do(self, command):
        status, rest = self.ask(command)
        if status != "ok":
            raise AssertionError(f"{command}: {status} {rest}")
        return rest

    def number(self, command):
        return int(self.do(command).split()[0])

    @property
    def paths(self):
        folder = os.path.join(self.runtime, "libloop")
        if not os.path.isdir(folder):
            return []
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.startswith(f"{self.pid}-")]

    @property
    def path(self):
        path, = self.paths
        return path

    def connect(self):
        return Client(self.path)

    @property
    def n_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def rss(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    @property
    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Ends it as a program ends. Returns the exit code and what it wrote to standard error."""
        self.process.stdin.close()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, errors


class TestCase(unittest.TestCase):
    """Each test has a directory of its own, and leaves no process behind."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loop-inspector-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.runtime = os.path.join(self.folder, "run")
        os.mkdir(self.runtime, 0o700)

    def environment(self, **extra):
        env = {key: value for key, value in os.environ.items() if key != "LOOP_INSPECT"}
        env["XDG_RUNTIME_DIR"] = self.runtime
        env.update(extra)
        return {key: value for key, value in env.items() if value is not None}

    def start(self, **extra):
        """Starts the program; without a word about it, with its inspector on."""
        target = Target(self.environment(**{"LOOP_INSPECT": "1", **extra}))

        def end():
            if target.process.poll() is None:
                target.process.kill()
            target.process.wait()
            for stream in (target.process.stdin, target.process.stdout, target.process.stderr):
                try:
                    stream.close()
                except OSError:
                    pass

        self.addCleanup(end)
        return target

    def connect(self, target):
        client = target.connect()
        self.addCleanup(client.close)
        return client

    def raw(self, target):
        """A bare socket."""
        peer = socket.socket(socket.AF_UNIX)
        self.addCleanup(peer.close)
        # One that does not wait is refused when too many are queued.
        peer.connect(target.path)
        peer.settimeout(PATIENCE)
        return peer

    def wait_for(self, condition, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not happen")
            time.sleep(0.005)

    def assertRefused(self, name, function, *arguments, **options):
        with self.assertRaises(Refused) as context:
            function(*arguments, **options)
        self.assertEqual(context.exception.name, name, str(context.exception))
        return context.exception.message


def read_all(peer):
    """Until the other end closes."""
    data = b""
    try:
        while part := peer.recv(65536):
            data += part
    except (ConnectionResetError, BrokenPipeError):
        pass
    return data


def read_line(peer):
    line = b""
    while not line.endswith(b"\r\n"):
        part = peer.recv(1)
        if not part:
            raise EOFError(line)
        line += part
    return line[:-2]


def authenticate(peer):
    peer.sendall(b"\0AUTH EXTERNAL " + HEX_UID + b"\r\nBEGIN\r\n")
    if not read_line(peer).startswith(b"OK "):
        raise AssertionError("not let in")


def message(path, interface, method, signature="()", *arguments, serial=1, expects_reply=True):
    """A method call, as bytes."""
    call = Gio.DBusMessage.new_method_call(None, path, interface, method)
    call.set_serial(serial)
    if not expects_reply:
        call.set_flags(Gio.DBusMessageFlags.NO_REPLY_EXPECTED)
    if arguments:
        call.set_body(GLib.Variant(signature, arguments))
    return bytes(call.to_blob(Gio.DBusCapabilityFlags.NONE))


def read_message(peer):
    """A reply: a Gio.DBusMessage."""
    data = b""
    while len(data) < 16:
        data += _some(peer, 16 - len(data))
    needed = Gio.DBusMessage.bytes_needed(data)
    while len(data) < needed:
        data += _some(peer, needed - len(data))
    return Gio.DBusMessage.new_from_blob(data, Gio.DBusCapabilityFlags.NONE)


def _some(peer, length):
    part = peer.recv(length)
    if not part:
        raise EOFError
    return part
