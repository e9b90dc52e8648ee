# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad network: what goes through it comes late, in pieces of any size, and connections overtake each other.

Stands for loss and reordering, which TCP hides but for their effect on time: the kernel's own means (netem)
are not to be had everywhere.
"""

import random
import selectors
import socket
import threading
import time

import tap
from peers import PATIENCE, Peers, find, need, random_bytes, receive_all, run, sha256

need("tests/peers/echo", "docs/examples/http-client")


class Way:
    """One direction of a connection: bytes that came in, and the time at which some of them go on."""

    def __init__(self, source, sink, rng):
        self.source = source
        self.sink = sink
        self.rng = rng
        self.bytes = bytearray()
        self.is_ended = False
        self.due = 0.0

    def read(self):
        data = self.source.recv(self.rng.choice((1, 100, 65536)))
        self.bytes += data
        self.is_ended = not data

    def pass_on(self, now):
        """False when it is at its end."""
        if now < self.due:
            return True
        self.due = now + self.rng.choice((0, 0, 0, 0.001, 0.02))
        if self.bytes:
            # Seldom more than a byte, or nothing would be split; always now and then, or it would take for ever.
            size = self.rng.choice((1, 1, 2, 1000, 65536))
            try:
                del self.bytes[:self.sink.send(self.bytes[:size])]
            except BlockingIOError:
                pass
        elif self.is_ended:
            self.sink.shutdown(socket.SHUT_WR)
            return False
        return True


class Mangler:
    """Between clients, that connect to its port, and a server. Connections are made in an order of their own."""

    def __init__(self, server_port, seed):
        self.rng = random.Random(seed)
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.is_stopped = False
        self.waiting = []
        self.ways = []
        self.sockets = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def accept(self, now):
        try:
            self.waiting.append((now + self.rng.random() * 0.2, self.listener.accept()[0]))
        except BlockingIOError:
            pass

    def connect(self, client):
        client.setblocking(False)
        server = socket.create_connection(("127.0.0.1", self.server_port), PATIENCE)
        server.setblocking(False)
        for sock in client, server:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(sock)
        self.ways += [Way(client, server, self.rng), Way(server, client, self.rng)]

    def run(self):
        while not self.is_stopped:
            now = time.monotonic()
            self.accept(now)
            for entry in [entry for entry in self.waiting if entry[0] <= now]:
                self.waiting.remove(entry)
                self.connect(entry[1])

            with selectors.DefaultSelector() as selector:
                selector.register(self.listener, selectors.EVENT_READ)
                for way in self.ways:
                    if not way.is_ended and len(way.bytes) < 65536:
                        selector.register(way.source, selectors.EVENT_READ, way)
                for key, _ in selector.select(0.001):
                    if key.data is not None:
                        key.data.read()
            self.rng.shuffle(self.ways)
            self.ways = [way for way in self.ways if way.pass_on(now)]

        for sock in [self.listener, *self.sockets, *(sock for _, sock in self.waiting)]:
            sock.close()

    def stop(self):
        self.is_stopped = True
        self.thread.join()


class TestMangled(Peers):
    def mangle(self, port):
        mangler = Mangler(port, 1)
        self.addCleanup(mangler.stop)
        return mangler.port

    def test_echo(self):
        """20 connections, each with words of its own: they come back all, in order, to whom they belong."""
        _, port = self.start("tests/peers/echo")
        port = self.mangle(port)
        results = {}

        def talk(number):
            data = b"".join(b"<%d:%d>" % (number, i) for i in range(1000))
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
                sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
                sender.start()
                results[number] = receive_all(sock) == data
                sender.join()

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, dict.fromkeys(range(20), True))

    def test_client(self):
        """Headers and bodies in pieces, in both directions."""
        files = {"small": b"hello\n", "middle": random_bytes(50_000), "large": random_bytes(1 << 20)}
        for name, data in files.items():
            self.write_file(name, data)
        _, port = self.start_http_server()
        port = self.mangle(port)
        urls = [f"http://127.0.0.1:{port}/{name}" for name in files]
        out = run(find("docs/examples/http-client"), *urls).decode().splitlines()
        self.assertEqual(out, [f"200 {len(data)} {sha256(data)} {url}" for data, url in zip(files.values(), urls)]
                         + ["1 connections"])


tap.main()
