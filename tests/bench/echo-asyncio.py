#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An echo server in Python, on the loop that is named: asyncio, uvloop or libloop.

    echo-asyncio.py [--streams | --sock | --websockets | --aiohttp] [--tls] [LOOP]

It does what echo-util.h says of all echo servers: with a protocol for each connection or,
with --streams or --sock, with a coroutine that reads from a stream or from a socket. With
--websockets it echoes the messages of WebSockets; with --aiohttp it answers HTTP requests.
"""

import asyncio
import contextlib
import importlib
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from measure import pin, waited_s

MESSAGE = int(os.environ.get("BENCH_MESSAGE", 0))
PATH = os.environ.get("BENCH_UNIX")
BUFFER_SIZE = 64 * 1024


class Echo(asyncio.Protocol):
    n_requests = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        Echo.n_requests += 1
        if not 0 < MESSAGE < len(data):
            self.transport.write(data)
            return
        for start in range(0, len(data), MESSAGE):
            self.transport.write(data[start:start + MESSAGE])


async def echo_stream(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(BUFFER_SIZE):
            Echo.n_requests += 1
            writer.write(data)
            await writer.drain()
    writer.close()


async def echo_socket(loop, sock):
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, contextlib.suppress(ConnectionError):
        while data := await loop.sock_recv(sock, BUFFER_SIZE):
            Echo.n_requests += 1
            await loop.sock_sendall(sock, data)


async def accept_sockets(loop, listener):
    tasks = set()
    while True:
        sock, _ = await loop.sock_accept(listener)
        task = loop.create_task(echo_socket(loop, sock))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def start_websockets():
    import websockets

    async def echo_websocket(websocket):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in websocket:
                Echo.n_requests += 1
                await websocket.send(message)

    server = await websockets.serve(echo_websocket, "127.0.0.1", 0, compression=None, ping_interval=None)
    return server.sockets[0], server


async def start_aiohttp():
    from aiohttp import web

    async def hello(request):
        Echo.n_requests += 1
        return web.Response(text="Hello, world")

    application = web.Application()
    application.router.add_get("/", hello)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener).start()
    return listener, runner


def snapshot():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"seconds": time.monotonic(), "waited_s": waited_s(), "user_s": usage.ru_utime, "sys_s": usage.ru_stime,
            "requests": Echo.n_requests}


class Control:
    def __init__(self, name, stop):
        self.name = name
        self.stop = stop
        self.begin = snapshot()
        self.has_reported = False

    def report(self):
        end = snapshot()
        figures = {key: end[key] - self.begin[key] for key in end}
        figures.update(server=self.name, user_ns=figures["user_s"] * 1e9, syscalls=0)
        print(json.dumps(figures), flush=True)
        self.has_reported = True

    def read(self):
        marks = os.read(0, 16)
        if not marks:
            self.stop()
        for mark in marks.decode():
            if mark == "b":
                self.begin = snapshot()
            elif mark == "e":
                self.report()


def make_ssl_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        certificate, key = (os.path.join(directory, name) for name in ("certificate.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate],
                       stderr=subprocess.DEVNULL, check=True)
        context.load_cert_chain(certificate, key)
    return context


async def start(loop, options):
    """Begins to serve. Returns the socket that listens, and what is to be kept."""
    if "--sock" in options:
        listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        listener.setblocking(False)
        return listener, loop.create_task(accept_sockets(loop, listener))
    if "--websockets" in options:
        return await start_websockets()
    if "--aiohttp" in options:
        return await start_aiohttp()
    context = make_ssl_context() if "--tls" in options else None
    where = {"host": "127.0.0.1", "port": 0, "family": socket.AF_INET, "backlog": 4096, "ssl": context}
    if "--streams" in options:
        server = await asyncio.start_server(echo_stream, **where)
    elif PATH:
        server = await loop.create_unix_server(Echo, PATH, backlog=4096)
    else:
        server = await loop.create_server(Echo, **where)
    return server.sockets[0], server


async def serve(name, options):
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    listener, kept = await start(loop, options)
    print(json.dumps({"port": 0 if PATH else listener.getsockname()[1], "inspector": ""}), flush=True)

    control = Control(name, ended.set)
    loop.add_reader(0, control.read)
    await ended.wait()
    loop.remove_reader(0)
    if not control.has_reported:
        control.report()
    del kept


def main():
    options = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    name = ([argument for argument in sys.argv[1:] if argument not in options] or ["asyncio"])[0]
    pin()
    with asyncio.Runner(loop_factory=importlib.import_module(name).new_event_loop) as runner:
        runner.run(serve(name, options))


main()
