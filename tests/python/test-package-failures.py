# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocols and callbacks that raise whatever there is to raise, on libloop's loop as on asyncio's own."""

import asyncio
import socket
import threading
import unittest

import libloop
import tap

EXCEPTIONS = (ValueError, OSError, ConnectionResetError, BrokenPipeError, StopIteration, RecursionError, MemoryError,
              GeneratorExit, asyncio.CancelledError)
EXITS = (SystemExit, KeyboardInterrupt)


class Failing:
    """A protocol that tells what happens to it, and fails at one point."""

    point = None
    error = None

    def __init__(self, seen):
        self.seen = seen
        self.point_of_failure = self.point
        self.fail("init")

    def fail(self, name):
        self.seen.append(name)
        if name == self.point_of_failure:
            # Once, or what stops a loop would stop it for ever.
            self.point_of_failure = None
            raise self.error("planted")

    def connection_made(self, transport):
        self.transport = transport
        self.fail("connection_made")

    def eof_received(self):
        self.fail("eof_received")

    def pause_writing(self):
        self.fail("pause_writing")

    def resume_writing(self):
        self.fail("resume_writing")

    def connection_lost(self, error):
        self.seen.append(type(error).__name__)
        self.fail("connection_lost")


class Plain(Failing, asyncio.Protocol):
    def data_received(self, data):
        self.fail("data_received")
        if data == b"fill":
            self.transport.set_write_buffer_limits(10)
            self.transport.write(bytes(1 << 20))


class Buffered(Failing, asyncio.BufferedProtocol):
    def get_buffer(self, sizehint):
        self.fail("get_buffer")
        self.buffer = bytearray(100)
        return self.buffer

    def buffer_updated(self, nbytes):
        self.fail("buffer_updated")


POINTS = {Plain: ("connection_made", "data_received", "eof_received", "pause_writing", "resume_writing",
                  "connection_lost"),
          Buffered: ("connection_made", "get_buffer", "buffer_updated", "connection_lost")}


def drain(peer):
    """Reads to the end: as another process would."""
    try:
        while peer.recv(1 << 16):
            pass
    except OSError:
        pass


def run_connection(new_event_loop, base, point, error):
    """What a protocol sees, and what is reported and raised, when it fails at a point."""
    seen, reports, raised = [], [], []
    loop = new_event_loop()
    loop.set_exception_handler(lambda loop, context: reports.append(type(context.get("exception")).__name__))
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    protocol = type("Protocol", (base,), {"point": point, "error": error})

    async def main():
        await loop.create_connection(lambda: protocol(seen), sock=ours)
        peer.send(b"fill")
        await asyncio.sleep(0.01)
        reader = threading.Thread(target=drain, args=(peer,))
        reader.start()
        peer.shutdown(socket.SHUT_WR)
        await asyncio.to_thread(reader.join, 5)
        await asyncio.sleep(0.01)

    task = loop.create_task(main())
    while not task.done():
        try:
            loop.run_until_complete(task)
        except BaseException as error:
            raised.append(type(error).__name__)
    loop.run_until_complete(loop.shutdown_default_executor())
    for step in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    peer.close()
    ours.close()
    # asyncio also asks for a buffer to read the end of the file into.
    return [name for name in seen if name != "get_buffer" or name == point], reports, raised


class TestProtocols(unittest.TestCase):
    maxDiff = None

    def check(self, base, point):
        for error in EXCEPTIONS:
            with self.subTest(error.__name__):
                expected = run_connection(asyncio.new_event_loop, base, point, error)
                self.assertEqual(run_connection(libloop.new_event_loop, base, point, error), expected)
                self.assertIn(point, expected[0])
        for error in EXITS:
            with self.subTest(error.__name__):
                # run_forever() raises it, and goes on when it is called again.
                seen, reports, raised = run_connection(libloop.new_event_loop, base, point, error)
                self.assertEqual((seen[-1], reports, raised), ("connection_lost", [], [error.__name__]))
                self.assertIn(point, seen)


for base, points in POINTS.items():
    for point in points:
        setattr(TestProtocols, f"test_{base.__name__}_{point}".lower(),
                lambda self, base=base, point=point: self.check(base, point))


if __name__ == "__main__":
    tap.main()
