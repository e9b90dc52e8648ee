# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of loopctl as a whole need: to run it, in a pipe and on a terminal."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

BUILD = os.environ.get("LOOP_BUILDDIR", os.getcwd())
SANITIZERS = os.environ.get("LOOP_SANITIZERS", "no")
# Under a sanitizer everything takes its time.
IS_SLOW = SANITIZERS != "no"
PATIENCE = 60 if IS_SLOW else 20

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x07\x0f]")

if "thread" in SANITIZERS:
    print("1..0 # SKIP GLib is not instrumented, and loopctl is full of its threads")
    sys.exit(0)


def find(path):
    """A program of the build tree: the real one, if libtool has put a script in its place."""
    folder, name = os.path.split(os.path.join(BUILD, path))
    real = os.path.join(folder, ".libs", name)
    return real if os.access(real, os.X_OK) else os.path.join(folder, name)


LOOPCTL = find("loopctl/loopctl")
TARGET = find("tests/loopctl/target")


def parse_json(text):
    """Strictly: Python by itself takes NaN and Infinity for numbers."""
    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


class Result:
    def __init__(self, process, stdout, stderr):
        self.code = process.returncode
        self.out = stdout
        self.err = stderr

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out}\nstderr: {self.err}"

    @property
    def rows(self):
        """The rows of a TSV table, as dictionaries."""
        lines = [line.split("\t") for line in self.out.splitlines()]
        return [dict(zip(lines[0], line)) for line in lines[1:]]

    @property
    def json(self):
        return parse_json(self.out)

    @property
    def json_lines(self):
        return [parse_json(line) for line in self.out.splitlines()]


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env, columns=80, rows=24):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], argv, env)
            finally:
                os._exit(127)
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def _read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        # Half a character may be at the end, which does not matter here.
        self.text += ESCAPES.sub("", data.decode(errors="replace")).replace("\r", "")
        return bool(data)

    def expect(self, pattern):
        """Waits for text that matches, and forgets all up to its end."""
        end = time.monotonic() + PATIENCE
        while True:
            match = re.search(pattern, self.text, re.MULTILINE)
            if match:
                self.text = self.text[match.end():]
                return match
            left = end - time.monotonic()
            if left <= 0 or (not self._read(left) and not re.search(pattern, self.text, re.MULTILINE)):
                raise AssertionError(f"no {pattern!r} in {self.text!r}")

    def drain(self, seconds):
        """What comes within some time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._read(left):
            pass
        text, self.text = self.text, ""
        return text

    def wait(self):
        """Waits for the end. Returns the exit code."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it does not end: {self.text!r}")

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self.fd)


class TestCase(unittest.TestCase):
    """Each test has directories of its own, and leaves no process behind."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loopctl-test-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.runtime = os.path.join(self.folder, "run")
        os.mkdir(self.runtime, 0o700)
        self.env = {key: value for key, value in os.environ.items()
                    if key not in ("NO_COLOR", "PAGER", "LOOPCTL_PAGER", "LOOP_INSPECT", "COLUMNS", "LINES")}
        self.env.update(XDG_RUNTIME_DIR=self.runtime, XDG_STATE_HOME=os.path.join(self.folder, "state"),
                        HOME=self.folder, TERM="xterm", LC_ALL="C.UTF-8")

    def loopctl(self, *args, input=None, code=None, env=None):
        """Runs it to its end, in pipes; with what exit code it has to end may be given."""
        process = subprocess.Popen([LOOPCTL, *map(str, args)], env=env or self.env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            result = Result(process, *process.communicate(input or "", timeout=PATIENCE))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        result.code = process.returncode
        if code is not None:
            self.assertEqual(result.code, code, result)
        return result

    def start(self, argv, stderr=None, **extra):
        """Starts a process that lasts as long as the test."""
        process = subprocess.Popen(argv, env={**self.env, **extra}, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr)

        def end():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            process.stdout.close()

        self.addCleanup(end)
        return process

    def start_target(self, *args):
        """Starts the program to look at. Returns its pid and the port of its echo server."""
        process = self.start([TARGET, *args], LOOP_INSPECT="1")
        pid, port = process.stdout.readline().split()
        self.assertEqual(int(pid), process.pid)
        self.target = process
        return int(pid), int(port)

    def stop_target(self):
        """Stops the target, and waits until none of its threads runs any more."""
        self.target.send_signal(signal.SIGSTOP)
        tasks = f"/proc/{self.target.pid}/task"
        deadline = time.monotonic() + 10

        def runs(task):
            try:
                return Path(tasks, task, "stat").read_text().rpartition(")")[2].split()[0] != "T"
            except (FileNotFoundError, ProcessLookupError):
                return False

        while any(runs(task) for task in os.listdir(tasks)):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.001)

    def loop_ids(self, pid):
        return [row["id"] for row in self.loopctl(pid, "loops", code=0).rows]

    def start_host(self, *args):
        """Starts a host without a shell. Returns the process and the port."""
        process = self.start([LOOPCTL, "host", "--no-shell", *args])
        port = int(re.fullmatch(r"echo server on .*:(\d+)\n", process.stdout.readline())[1])
        self.assertIn(f"process {process.pid}, inspector on {self.runtime}/libloop/", process.stdout.readline())
        return process, port

    def terminal(self, *args, **options):
        terminal = Terminal([LOOPCTL, *map(str, args)], self.env, **options)
        self.addCleanup(terminal.close)
        return terminal


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it does not happen")
        time.sleep(0.02)


def connect(port):
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.settimeout(PATIENCE)
    return client


def echo(client, data):
    """Sends, and receives as much."""
    client.sendall(data)
    received = b""
    while len(received) < len(data):
        part = client.recv(65536)
        if not part:
            break
        received += part
    return received
