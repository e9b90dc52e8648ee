# SPDX-License-Identifier: LGPL-2.1-or-later
"""What objects of the package libloop leave behind: nothing, in cycles and over many rounds."""

import asyncio
import gc
import os
import signal
import socket
import sys
import unittest
import warnings
import weakref

import libloop
import tap

ROUNDS = 1000
# A debug build counts every reference.
count_references = getattr(sys, "gettotalrefcount", lambda: 0)


class Mark:
    """Can be told to be dead, and is a callback too."""

    def __init__(self, *others):
        self.others = others

    def __call__(self, *args):
        pass


def pair():
    pair = socket.socketpair()
    for sock in pair:
        sock.setblocking(False)
    return pair


class TestCycles(unittest.TestCase):
    """Objects that have each other and that nobody else has."""

    def check(self, make):
        """MAKE gets a loop and a Mark, and returns what is to have it, by way of it."""
        for is_closed in (True, False):
            with self.subTest(is_closed=is_closed), warnings.catch_warnings():
                # Of what is not closed they tell, as asyncio's do.
                warnings.simplefilter("ignore", ResourceWarning)
                loop = libloop.new_event_loop()
                mark = Mark()
                mark.others = make(loop, mark), loop
                if is_closed:
                    loop.close()
                references = weakref.ref(mark), weakref.ref(loop)
                del loop, mark
                gc.collect()
                self.assertEqual([reference() for reference in references], [None, None])

    def test_handle(self):
        self.check(lambda loop, mark: loop.call_soon(mark))

    def test_timer(self):
        self.check(lambda loop, mark: loop.call_later(1000, mark))

    def test_threadsafe(self):
        self.check(lambda loop, mark: loop.call_soon_threadsafe(mark, mark))

    def test_done_handle(self):
        def make(loop, mark):
            handle = loop.call_soon(mark)
            loop.run_until_complete(asyncio.sleep(0))
            return handle

        self.check(make)

    def test_cancelled_timer(self):
        def make(loop, mark):
            handle = loop.call_later(1000, mark)
            handle.cancel()
            return handle

        self.check(make)

    def test_reader(self):
        self.check(lambda loop, mark: (pipe := pair(), loop.add_reader(pipe[0], mark), loop.add_writer(pipe[1], mark)))

    def test_signal_handler(self):
        self.check(lambda loop, mark: loop.add_signal_handler(signal.SIGUSR1, mark))

    def test_exception_handler(self):
        self.check(lambda loop, mark: (loop.set_exception_handler(mark), loop.set_task_factory(mark)))

    def test_transport(self):
        class Protocol(asyncio.Protocol):
            def __init__(self, mark):
                self.mark = mark

            def connection_made(self, transport):
                self.mark.transport = transport

        def make(loop, mark):
            return loop.run_until_complete(loop.create_connection(lambda: Protocol(mark), sock=pair()[0]))

        self.check(make)

    def test_server(self):
        def make(loop, mark):
            class Protocol(asyncio.Protocol):
                def connection_made(self, transport):
                    mark.transport = transport

            async def main():
                server = await loop.create_server(Protocol, "127.0.0.1", 0)
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                return server, reader, writer

            return loop.run_until_complete(main())

        self.check(make)

    def test_waiting_calls(self):
        def make(loop, mark):
            async def wait(sock):
                mark.others
                await loop.sock_recv(sock, 10)

            tasks = [loop.create_task(wait(sock)) for sock in pair()]
            loop.run_until_complete(asyncio.sleep(0))
            for task in tasks:
                task._log_destroy_pending = False
            return tasks

        self.check(make)

    def test_begun_call(self):
        def make(loop, mark):
            mark.pair = pair()
            call = loop.sock_recv(mark.pair[0], 10)
            mark.future = call.send(None)
            mark.future.add_done_callback(mark)
            return call

        self.check(make)

    def test_subprocess(self):
        def make(loop, mark):
            class Protocol(asyncio.SubprocessProtocol):
                pass

            async def main():
                transport, protocol = await loop.subprocess_exec(Protocol, "true")
                protocol.mark = mark
                await transport._wait()
                transport.close()
                return transport

            return loop.run_until_complete(main())

        self.check(make)


class TestGrowth(unittest.TestCase):
    """The same over and over again, in one loop: after the first rounds, nothing more is kept."""

    def setUp(self):
        self.loop = libloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.loop.set_exception_handler(lambda loop, context: None)

    def measure(self):
        gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks(), count_references(), len(os.listdir("/proc/self/fd"))

    def check(self, once, rounds=ROUNDS):
        async def main():
            for _ in range(2):
                for _ in range(rounds // 5):
                    await once()
                await asyncio.sleep(0.005)
                before = self.measure()
            for _ in range(rounds):
                await once()
            await asyncio.sleep(0.005)
            return before, self.measure()

        before, after = self.loop.run_until_complete(main())
        growth = [new - old for old, new in zip(before, after)]
        # The interpreter itself takes and gives some dozens of blocks, with asyncio's own loop too.
        self.assertLess(growth[0], rounds // 2, growth)
        self.assertLess(max(growth), max(rounds // 2, 200), growth)
        self.assertEqual(growth[3], 0)

    def check_call(self, call):
        async def once():
            try:
                call()
            except (ArithmeticError, BufferError, LookupError, OSError, TypeError, ValueError, RuntimeError):
                pass

        self.check(once)

    def test_call_soon(self):
        async def once():
            self.loop.call_soon(int, "1")
            self.loop.call_soon(int, "x")
            self.loop.call_soon(int).cancel()
            self.loop.call_soon_threadsafe(int)
            await asyncio.sleep(0)

        self.check(once)

    def test_call_later(self):
        async def once():
            self.loop.call_later(0, int)
            self.loop.call_later(0, int, "x")
            self.loop.call_at(1e9, int).cancel()
            await asyncio.sleep(0)

        self.check(once)

    def test_errors(self):
        loop = self.loop
        closed = libloop.new_event_loop()
        closed.close()
        sock = pair()[0]
        for number, call in enumerate([
                lambda: loop.call_soon(), lambda: loop.call_soon(int, context=5),
                lambda: loop.call_soon(int, unknown=5),
                lambda: loop.call_later(None, int), lambda: loop.call_later(float("nan"), int),
                lambda: loop.add_reader(9999, int), lambda: loop.add_reader("x", int), lambda: loop.remove_reader("x"),
                lambda: loop.create_task(5), lambda: loop.create_task(), lambda: loop.__init__(),
                lambda: libloop.new_event_loop(5), lambda: closed.call_soon(int), lambda: closed.call_at(1, int),
                lambda: closed.call_soon_threadsafe(int), lambda: closed.add_reader(sock, int), closed.run_forever,
                lambda: loop.run_forever(), lambda: loop.sock_recv(sock, -1), lambda: loop.sock_recv(sock),
                lambda: loop.sock_recv(5.5, 5).send(None), lambda: loop.sock_recv_into(sock, b"x").send(None),
                lambda: loop.sock_sendall(sock, "x").send(None), lambda: loop.sock_recv(sock, 5).throw(ValueError("x")),
                lambda: loop._make_socket_transport(sock, None, None, 5), lambda: loop._make_socket_transport(5.5, 5),
                lambda: loop._serve(-1, int, None, 5), lambda: loop._serve(sock.fileno(), int, None, "x")]):
            with self.subTest(number):
                self.check_call(call)

    def test_errors_of_transport(self):
        transport, _ = self.loop.run_until_complete(self.loop.create_connection(asyncio.Protocol, sock=pair()[0]))
        self.addCleanup(transport.abort)
        for number, call in enumerate([
                lambda: transport.write("x"), lambda: transport.write(memoryview(b"abc")[::2]),
                lambda: transport.writelines(5), lambda: transport.writelines([b"", 5]),
                lambda: transport.writelines([]),
                lambda: transport.set_write_buffer_limits(-1), lambda: transport.set_write_buffer_limits(1, 2),
                lambda: transport.set_write_buffer_limits(1 << 70), lambda: transport.get_extra_info({}),
                lambda: transport.get_extra_info(5), lambda: transport.get_extra_info("unknown", 5),
                lambda: transport.get_extra_info("socket"), lambda: transport.set_protocol(asyncio.Protocol()),
                lambda: transport._fatal_error(5), lambda: repr(transport), lambda: transport._sock,
                lambda: (transport.pause_reading(), transport.resume_reading())]):
            with self.subTest(number):
                self.check_call(call)

    def test_readers(self):
        ours, theirs = pair()
        theirs.send(b"x")

        async def once():
            self.loop.add_reader(ours, int)
            self.loop.add_reader(ours, int, "x")
            self.loop.add_writer(ours, int)
            await asyncio.sleep(0)
            self.loop.remove_reader(ours)
            self.loop.remove_writer(ours)

        self.check(once)

    def test_tasks(self):
        async def once():
            task = self.loop.create_task(asyncio.sleep(0), name="name")
            cancelled = self.loop.create_task(asyncio.sleep(100))
            await task
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            self.loop.create_future().cancel()

        self.check(once)

    def test_sockets(self):
        ours, theirs = pair()
        buffer = bytearray(10)

        async def once():
            waiting = asyncio.ensure_future(self.loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            await self.loop.sock_sendall(theirs, b"hello")
            await waiting
            await self.loop.sock_sendall(theirs, b"hello")
            await self.loop.sock_recv_into(ours, buffer)
            cancelled = asyncio.ensure_future(self.loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)

        self.check(once)

    def test_connections(self):
        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport

            def data_received(self, data):
                if data == b"fail":
                    raise ValueError("planted")
                self.transport.write(data)
                self.transport.writelines([data, memoryview(data)])

        server = self.loop.run_until_complete(self.loop.create_server(Echo, "127.0.0.1", 0))
        self.addCleanup(server.close)
        address = server.sockets[0].getsockname()

        async def once():
            for message in b"hello", b"fail":
                reader, writer = await asyncio.open_connection(*address)
                writer.get_extra_info("socket")
                writer.write(message)
                await reader.read(100)
                writer.close()
                try:
                    await writer.wait_closed()
                except OSError:
                    pass

        self.check(once)

    def test_servers(self):
        async def once():
            server = await self.loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            server.close()
            await server.wait_closed()

        self.check(once)

    def test_signal_handlers(self):
        async def once():
            self.loop.add_signal_handler(signal.SIGUSR1, int)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)
            self.loop.remove_signal_handler(signal.SIGUSR1)

        self.check(once)

    def test_subprocesses(self):
        async def once():
            process = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE)
            await process.communicate()

        self.check(once, rounds=100)

    def test_loops(self):
        async def once():
            loop = libloop.new_event_loop()
            loop.call_soon(int)
            loop.call_later(1000, int)
            loop.close()

        self.check(once)


if __name__ == "__main__":
    tap.main()
