#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file that is sent by asyncio, over a transport: see bench-sink.h."""

import asyncio
import json
import os
import resource
import socket
import sys
import time

from measure import pin, waited_s

MIB = 1024 * 1024


def drain(listener, total):
    pin(1)
    connection, _ = listener.accept()
    buffer = bytearray(256 * 1024)
    while total > 0:
        total -= connection.recv_into(buffer, 0, socket.MSG_TRUNC)
    connection.send(b"x")
    os._exit(0)


async def send(address, file, size):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, *address)
    before = resource.getrusage(resource.RUSAGE_SELF)
    waited_before = waited_s()
    started = time.monotonic()
    sent = await loop.sendfile(transport, file, fallback=False)
    transport.pause_reading()
    fd = transport.get_extra_info("socket").fileno()
    os.set_blocking(fd, True)
    assert sent == size and os.read(fd, 1) == b"x"
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    transport.abort()
    return elapsed, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, waited_s() - waited_before


def main():
    mib = max(int(1024 * float(sys.argv[1] if len(sys.argv) > 1 else 1)), 4)
    pin(0)
    listener = socket.create_server(("127.0.0.1", 0))
    if os.fork() == 0:
        drain(listener, mib * MIB)
    with open(os.memfd_create("file"), "w+b", buffering=0) as file:
        for i in range(mib):
            file.write(bytes([i % 256]) * MIB)
        file.seek(0)
        elapsed, user, system, waited_s = asyncio.run(send(listener.getsockname(), file, mib * MIB))
    print(json.dumps({"mode": "sendfile", "ops": mib, "ns_per_op": elapsed / mib * 1e9, "rate": mib / elapsed,
                      "user_ns": user / mib * 1e9, "cpu_ns": (user + system) / mib * 1e9, "wall_s": elapsed,
                      "waited_s": waited_s}))


main()
