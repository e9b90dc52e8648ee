# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTTP server of the examples, and programs that many people use: curl, wrk, nc, and nginx before it."""

import os
import re
import socket
import time

import tap
from peers import PATIENCE, Peers, connect, need, random_bytes, receive_all, run, sha256, with_program

need("curl", "docs/examples/http-server")

LARGE = random_bytes(8 << 20)


class TestCurl(Peers):
    def setUp(self):
        super().setUp()
        self.write_file("hello", b"hello\n")
        self.write_file("empty", b"")
        self.write_file("large", LARGE)
        self.write_file("index.html", b"<!DOCTYPE html>\n")
        self.server, port = self.start_http_server()
        self.url = f"http://127.0.0.1:{port}"

    def curl(self, *arguments, stdin=b""):
        return run("curl", "-sS", *arguments, stdin=stdin)

    def status(self, *arguments, stdin=b""):
        return int(self.curl("-o", os.devnull, "-w", "%{http_code}", *arguments, stdin=stdin))

    def test_get(self):
        self.assertEqual(self.curl(f"{self.url}/hello"), b"hello\n")
        self.assertEqual(self.curl(f"{self.url}/hello?query#fragment"), b"hello\n")
        self.assertEqual(self.curl(f"{self.url}/h%65llo"), b"hello\n")
        self.assertEqual(self.curl(f"{self.url}/empty"), b"")
        self.assertEqual(self.curl(f"{self.url}/"), b"<!DOCTYPE html>\n")

    def test_large(self):
        self.assertEqual(sha256(self.curl(f"{self.url}/large")), sha256(LARGE))

    def test_head(self):
        head = self.curl("--head", f"{self.url}/large").decode()
        self.assertIn("HTTP/1.1 200 OK\r\n", head)
        self.assertIn(f"Content-Length: {len(LARGE)}\r\n", head)

    def test_keep_alive(self):
        """Three requests, one connection; and HTTP/1.0 closes unless it is asked not to."""
        out = self.curl("-o", os.devnull, "-o", os.devnull, "-o", os.devnull, "-w", "%{num_connects} ",
                        f"{self.url}/hello", f"{self.url}/nothing", f"{self.url}/large")
        self.assertEqual(out, b"1 0 0 ")

        out = self.curl("--http1.0", "-o", os.devnull, "-o", os.devnull, "-w", "%{num_connects} ",
                        f"{self.url}/hello", f"{self.url}/hello")
        self.assertEqual(out, b"1 1 ")
        out = self.curl("--http1.0", "-H", "Connection: keep-alive", "-o", os.devnull, "-o", os.devnull,
                        "-w", "%{num_connects} ", f"{self.url}/hello", f"{self.url}/hello")
        self.assertEqual(out, b"1 0 ")

    def test_post(self):
        for length in (0, 1, 1000, 300_000):
            data = random_bytes(length)
            with self.subTest(length):
                self.assertEqual(self.curl("--data-binary", "@-", f"{self.url}/x", stdin=data), data)
            with self.subTest(f"{length}, chunked"):
                self.assertEqual(self.curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                                           f"{self.url}/x", stdin=data), data)

    def test_continue(self):
        """curl waits for a second before it sends unless it is told to go on, and says what it was told."""
        data = random_bytes(1 << 20)
        out = self.curl("-i", "-T", "-", "-H", "Expect: 100-continue", f"{self.url}/x", stdin=data)
        self.assertTrue(out.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
        self.assertTrue(out.endswith(data))

    def test_statuses(self):
        self.assertEqual(self.status(f"{self.url}/nothing"), 404)
        self.assertEqual(self.status("--path-as-is", f"{self.url}/../{os.path.basename(self.folder)}/hello"), 404)
        self.assertEqual(self.status("--path-as-is", f"{self.url}/%2e%2e/{os.path.basename(self.folder)}/hello"), 404)
        self.assertEqual(self.status(f"{self.url}/hello%00"), 400)
        os.mkfifo(os.path.join(self.folder, "fifo"))
        self.assertEqual(self.status(f"{self.url}/fifo"), 404)
        self.assertEqual(self.status("-X", "DELETE", f"{self.url}/hello"), 405)
        self.assertEqual(self.status("--data-binary", "@-", f"{self.url}/", stdin=LARGE), 413)
        self.assertEqual(self.status("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                                     f"{self.url}/", stdin=LARGE), 413)
        self.assertEqual(self.status("-H", "X: " + 20_000 * "x", f"{self.url}/hello"), 431)
        self.assertEqual(self.status("--http2", f"{self.url}/hello"), 200)

    def test_parallel(self):
        """40 transfers at a time, and all the descriptors are closed afterwards."""
        n_fds = self.server.count_fds()
        out = self.curl("--parallel", "--parallel-immediate", "--parallel-max", "40", "--no-keepalive",
                        "-w", "%{http_code} %{size_download}\n", "-o", os.devnull, f"{self.url}/large?[1-40]")
        self.assertEqual(out.split(b"\n")[:-1], 40 * [b"200 %d" % len(LARGE)])
        deadline = time.monotonic() + PATIENCE
        while self.server.count_fds() != n_fds:
            self.assertLess(time.monotonic(), deadline, "descriptors were left behind")
            time.sleep(0.01)


class TestBytes(Peers):
    """What no decent client sends."""

    def setUp(self):
        super().setUp()
        self.write_file("hello", b"hello\n")
        self.write_file("large", LARGE)

    def start_server(self, *arguments):
        self.server, self.port = self.start_http_server(*arguments)

    def talk(self, request):
        with connect(self.port) as sock:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            return receive_all(sock)

    def statuses(self, request):
        return [int(status) for status in re.findall(rb"^HTTP/1.1 (\d+) ", self.talk(request), re.MULTILINE)]

    def test_refused(self):
        self.start_server()
        host = b"Host: x\r\n"
        for status, request in [
                (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
                (400, b"GET\r\n\r\n"),
                (400, b"GET /hello HTTP/1.1\r\n\r\n"),
                (400, b"GET /hello HTTP/1.1\r\n" + 2 * host + b"\r\n"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n"),
                (400, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 18446744073709551617\r\n\r\n"),
                (413, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1000000000000000000\r\n\r\n"),
                (431, b"GET /" + 100_000 * b"x" + b" HTTP/1.1\r\n" + host + b"\r\n"),
                (505, b"GET /hello HTTP/2.0\r\n" + host + b"\r\n")]:
            with self.subTest(request[:80]):
                self.assertEqual(self.statuses(request), [status])
                # And nothing after it is taken for a request.
                self.assertEqual(self.statuses(request + b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), [status])

    def test_split(self):
        """A pipeline that comes byte by byte is the same pipeline."""
        self.start_server()
        request = (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                   b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                   b"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                   b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with connect(self.port) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(request)):
                sock.send(request[i:i + 1])
            answer = receive_all(sock)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in re.split(rb"HTTP/1\.1 \d", answer)[1:]]
        self.assertEqual(bodies, [b"hello\n", b"abcde", b"", b"404 Not Found\n"])

    def test_pipeline_is_bounded(self):
        """Who asks for 400 GiB and does not read costs no memory, and no time of others; who reads then gets it all."""
        self.start_server()
        before = self.server.rss()
        requests = 50_000 * (b"GET /large HTTP/1.1\r\nHost: x\r\nX: " + 500 * b"x" + b"\r\n\r\n")
        with connect(self.port) as sock:
            # It is not listened to any more when the buffers of the kernel are full, which hold some MiB.
            sock.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                sock.sendall(requests)
            self.assertEqual(run("curl", "-sS", f"http://127.0.0.1:{self.port}/hello"), b"hello\n")
            self.assertLess(self.server.rss() - before, 4096)
            # Nor files that are open, or mapped into memory.
            self.assertLess(self.server.count_uses("large"), 5)
            sock.settimeout(PATIENCE)
            received = bytearray()
            while len(received) < 2 * len(LARGE) + 1000:
                received += sock.recv(1 << 20)
        self.assertEqual([part.partition(b"\r\n\r\n")[2] == LARGE
                          for part in received.split(b"HTTP/1.1 200 OK")[1:3]], [True, True])

    def test_idle(self):
        """Closed without a word when nothing was asked, with a 408 in the middle of a request."""
        self.start_server("--timeout=2")
        with connect(self.port) as sock:
            self.assertEqual(receive_all(sock), b"")
        with connect(self.port) as sock:
            sock.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(receive_all(sock).endswith(b"hello\n"))

    def test_slow_request(self):
        """A byte from time to time does not prolong the time for a request."""
        self.start_server("--timeout=2")
        with connect(self.port) as sock:
            sock.settimeout(0.1)
            sock.send(b"GET / HTTP/1.1\r\nX: ")
            answer = None
            while answer is None:
                sock.send(b"x")
                try:
                    answer = sock.recv(1000)
                except TimeoutError:
                    pass
            self.assertIn(b"HTTP/1.1 408 Request Timeout\r\n", answer)

    def test_does_not_read(self):
        """Who asks and never reads is cut off."""
        self.start_server("--timeout=2")
        n_fds = self.server.count_fds()
        with connect(self.port) as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(1)
            deadline = time.monotonic() + PATIENCE
            while self.server.count_fds() != n_fds:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertLess(len(receive_all(sock)), len(LARGE))

    def test_file_is_cut(self):
        """What was promised cannot be sent any more: the connection ends, and no other."""
        self.start_server()
        with connect(self.port) as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(1)
            os.truncate(os.path.join(self.folder, "large"), 0)
            self.assertLess(len(receive_all(sock)), len(LARGE))
        self.assertEqual(run("curl", "-sS", f"http://127.0.0.1:{self.port}/hello"), b"hello\n")

    @with_program("nc")
    def test_pipelined_with_nc(self):
        self.start_server()
        out = run("nc", "-N", "127.0.0.1", str(self.port),
                  stdin=b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n" * 100 + b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(out.count(b"HTTP/1.1 200 OK\r\n"), 101)
        self.assertEqual(out.count(b"\r\n\r\nhello\n"), 100)
        self.assertTrue(out.endswith(LARGE))


class TestWrk(Peers):
    @with_program("wrk")
    def test_wrk(self):
        """Every request of 64 connections is answered, and well."""
        self.write_file("hello", b"hello\n")
        _, port = self.start_http_server()
        script = os.path.join(self.folder, "done.lua")
        with open(script, "w") as file:
            file.write("""
                done = function (summary, latency, requests)
                  local e = summary.errors
                  io.write (string.format ("\\nresult %d %d %d %d %d %d\\n", summary.requests,
                                           e.connect, e.read, e.write, e.status, e.timeout))
                end""")
        out = run("wrk", "-t2", "-c64", "-d2s", "--timeout", str(PATIENCE), "-s", script,
                  f"http://127.0.0.1:{port}/hello").decode()
        requests, *errors = map(int, re.search(r"^result (.*)$", out, re.MULTILINE)[1].split())
        self.assertEqual(errors, [0, 0, 0, 0, 0])
        self.assertGreater(requests, 64)


class TestNginx(Peers):
    @with_program("nginx")
    def test_reverse_proxy(self):
        """nginx before the server, with connections to it that it keeps."""
        self.write_file("hello", b"hello\n")
        self.write_file("large", LARGE)
        _, port = self.start_http_server()
        proxy = self.start_nginx('proxy_pass http://loop; proxy_http_version 1.1; proxy_set_header Connection "";',
                                 f"upstream loop {{ server 127.0.0.1:{port}; keepalive 4; }}")
        url = f"http://127.0.0.1:{proxy}"
        for _ in range(20):
            self.assertEqual(run("curl", "-sS", f"{url}/hello"), b"hello\n")
        self.assertEqual(sha256(run("curl", "-sS", f"{url}/large")), sha256(LARGE))
        data = random_bytes(500_000)
        self.assertEqual(run("curl", "-sS", "--data-binary", "@-", f"{url}/x", stdin=data), data)
        self.assertEqual(run("curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", f"{url}/nothing"), b"404")


tap.main()
