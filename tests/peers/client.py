# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTTP client of the examples fetches from nginx, and from our own server."""

import socket
import subprocess
import threading

import tap
from peers import PATIENCE, Peers, find, need, random_bytes, run, sha256, with_program

need("docs/examples/http-client", "docs/examples/http-server")

FILES = {"small": b"hello\n", "empty": b"", "middle": random_bytes(100_000), "large": random_bytes(8 << 20)}


class TestClient(Peers):
    def setUp(self):
        super().setUp()
        for name, data in FILES.items():
            self.write_file(name, data)

    def fetch_all(self, port, *arguments):
        """The number of connections that it took."""
        urls = [f"http://127.0.0.1:{port}/{name}" for name in FILES] * 2 + [f"http://127.0.0.1:{port}/nothing"]
        *lines, last = run(find("docs/examples/http-client"), *arguments, *urls).decode().splitlines()
        self.assertEqual(lines[:-1], [f"200 {len(data)} {sha256(data)} http://127.0.0.1:{port}/{name}"
                                      for name, data in FILES.items()] * 2)
        self.assertRegex(lines[-1], "^404 ")
        return int(last.removesuffix(" connections"))

    def fails_with(self, url, pattern):
        done = subprocess.run([find("docs/examples/http-client"), url], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, pattern)

    @with_program("nginx")
    def test_nginx(self):
        self.assertEqual(self.fetch_all(self.start_nginx(f"root {self.folder};")), 1)

    @with_program("nginx")
    def test_nginx_close(self):
        """Each with a connection of its own, that nginx closes."""
        self.assertEqual(self.fetch_all(self.start_nginx(f"root {self.folder};"), "--close"), 2 * len(FILES) + 1)

    @with_program("nginx")
    def test_nginx_closes(self):
        """nginx allows two requests on a connection."""
        port = self.start_nginx(f"root {self.folder}; keepalive_requests 2;")
        self.assertEqual(self.fetch_all(port), len(FILES) + 1)

    @with_program("nginx")
    def test_nginx_chunked(self):
        """A body whose length nobody knows before its end."""
        port = self.start_nginx(f"root {self.folder}; sub_filter no-such-text text; sub_filter_types *;")
        self.assertEqual(self.fetch_all(port), 1)

    def test_own_server(self):
        _, port = self.start_http_server()
        self.assertEqual(self.fetch_all(port), 1)
        self.assertEqual(self.fetch_all(port, "--close"), 2 * len(FILES) + 1)

    def answer(self, data):
        """A server that says this to its first client and hangs up; its port."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(PATIENCE)

        def serve():
            with listener, listener.accept()[0] as sock:
                sock.settimeout(PATIENCE)
                sock.recv(1000)
                sock.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        return listener.getsockname()[1]

    def test_errors(self):
        self.fails_with("ftp://127.0.0.1/", "is no http:// URL")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.fails_with(f"http://127.0.0.1:{unused.getsockname()[1]}/", "refused")
        self.fails_with(f"http://127.0.0.1:{self.answer(b'')}/", "hung up|reset")
        self.fails_with(f"http://127.0.0.1:{self.answer(b'SSH-2.0-OpenSSH_9.2')}/", "invalid|expected|constant")
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
        self.fails_with(f"http://127.0.0.1:{self.answer(cut)}/", "stream ended")

    def test_until_the_end(self):
        """As in HTTP/1.0: the end of the file ends the body."""
        port = self.answer(b"HTTP/1.0 200 OK\r\n\r\n" + FILES["middle"])
        out = run(find("docs/examples/http-client"), f"http://127.0.0.1:{port}/").decode()
        self.assertTrue(out.startswith(f"200 {len(FILES['middle'])} {sha256(FILES['middle'])} "))


tap.main()
