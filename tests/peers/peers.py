# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests with programs of others need: to start ours and theirs, and to end them."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ.get("LOOP_BUILDDIR", os.getcwd())
PATIENCE = 120

if "thread" in os.environ.get("LOOP_SANITIZERS", "no"):
    print("1..0 # SKIP programs of others are not instrumented")
    sys.exit(0)


def find(path):
    """A program of the build tree: the real one, if libtool has put a script in its place."""
    folder, name = os.path.split(os.path.join(BUILD, path))
    real = os.path.join(folder, ".libs", name)
    return real if os.access(real, os.X_OK) else os.path.join(folder, name)


def need(*programs):
    """Skip the whole file unless all of them are there: names on the path, or paths in the build tree."""
    for program in programs:
        path = find(program) if "/" in program else shutil.which(program)
        if path is None or not os.access(path, os.X_OK):
            print(f"1..0 # SKIP {program} is missing")
            sys.exit(0)


def with_program(name):
    """Decorates a test that cannot be without it."""
    return unittest.skipUnless(shutil.which(name), f"{name} is missing")


def random_bytes(length):
    return random.Random(length).randbytes(length)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def receive_all(sock):
    """All that comes before the end of the file."""
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def run(*command, stdin=b""):
    """What the program prints; it has to succeed."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    if done.returncode != 0:
        raise AssertionError(f"{command} failed with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Process:
    """A program that ends with the test, however the test does."""

    def __init__(self, *command, **kwargs):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **kwargs)
        self.pid = self.process.pid

    def end(self, signum=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(signum)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def rss(self):
        """Its memory, in KiB."""
        with open(f"/proc/{self.pid}/status") as status:
            return int(next(line.split()[1] for line in status if line.startswith("RssAnon:")))

    def count_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def count_uses(self, name):
        """How often it has a file of this name open or mapped."""
        folder = f"/proc/{self.pid}/fd"
        with open(f"/proc/{self.pid}/maps") as maps:
            paths = [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)] + maps.read().splitlines()
        return sum(path.endswith(f"/{name}") for path in paths)


class Peers(unittest.TestCase):
    """A test with a folder for its files, and with programs that end after it."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loop-peers-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write_file(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def start(self, *command):
        """A program of ours, and what comes after the last colon of the line that it says: its port."""
        process = Process(find(command[0]), *command[1:])
        # Which ends without an error, and under a sanitizer without a leak.
        self.addCleanup(lambda: self.assertEqual(process.end(), 0))
        line = process.process.stdout.readline()
        return process, int(line.rpartition(":")[2].strip(" /\n"))

    def start_http_server(self, *arguments):
        return self.start("docs/examples/http-server", "--port=0", *arguments, self.folder)

    def start_nginx(self, location, http=""):
        """Its port. It gets a socket that listens already, as if it took over from an older nginx."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = listener.getsockname()[1]
        config = os.path.join(self.folder, "nginx.conf")
        temporary = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(config, "w") as file:
            file.write(f"""
                daemon off;
                worker_processes 1;
                {"user root;" if os.geteuid() == 0 else ""}
                pid {self.folder}/nginx.pid;
                error_log stderr crit;
                events {{ worker_connections 256; }}
                http {{
                  access_log off;
                  {temporary}
                  {http}
                  server {{
                    listen 127.0.0.1:{port};
                    location / {{ {location} }}
                  }}
                }}""")
        with listener:
            nginx = Process("nginx", "-e", "stderr", "-c", config, pass_fds=[listener.fileno()],
                            env=dict(os.environ, NGINX=f"{listener.fileno()};"))
        self.addCleanup(nginx.end)
        return port
