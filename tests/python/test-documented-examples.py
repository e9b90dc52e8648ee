# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of asyncio's documentation, as one writes them with libloop.

Each is a function that prints what the documentation says that it prints; the clock is faster here. Those of
datagrams and of streams are with their tests.
"""

import contextlib
import datetime
import functools
import io
import os
import signal
import socket
import sys
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402

# --- Callbacks ------------------------------------------------------------------------------------------------------


def hello_world_callback():
    """Hello World with call_soon()"""

    def hello_world(loop):
        print("Hello World")
        loop.stop()

    loop = Loop.EventLoop()
    # Schedule a call to hello_world()
    loop.call_soon(hello_world, loop)
    # Blocking call interrupted by loop.stop()
    loop.run_forever()
    loop.close()


def display_date_callback(second=0.01):
    """Display the current date with call_later()"""

    def display_date(end_time, loop):
        print(datetime.datetime.now())
        if (loop.time() + second) < end_time:
            loop.call_later(second, display_date, end_time, loop)
        else:
            loop.stop()

    loop = Loop.EventLoop()
    # Schedule the first call to display_date()
    end_time = loop.time() + 5.0 * second
    loop.call_soon(display_date, end_time, loop)
    loop.run_forever()
    loop.close()


def watch_read_event():
    """Watch a file descriptor for read events"""
    # Create a pair of connected file descriptors
    rsock, wsock = socket.socketpair()
    loop = Loop.EventLoop()

    def reader():
        data = rsock.recv(100)
        print("Received:", data.decode())
        # We are done: unregister the file descriptor
        loop.remove_reader(rsock)
        # Stop the event loop
        loop.stop()

    # Register the file descriptor for read event
    loop.add_reader(rsock, reader)
    # Simulate the reception of data from the network
    loop.call_soon(wsock.send, "abc".encode())
    loop.run_forever()
    # We are done, close sockets and the event loop
    rsock.close()
    wsock.close()
    loop.close()


def signal_handlers(signum):
    """Set signal handlers for SIGINT and SIGTERM"""

    def ask_exit(signame):
        print("got signal %s: exit" % signame)
        loop.stop()

    loop = Loop.EventLoop()
    for signame in ("SIGINT", "SIGTERM"):
        loop.add_signal_handler(getattr(signal, signame), functools.partial(ask_exit, signame))

    # Whoever runs the example does this with a key, or with the program kill.
    loop.call_soon(os.kill, os.getpid(), signum)
    try:
        loop.run_forever()
    finally:
        loop.close()


# --- Coroutines -----------------------------------------------------------------------------------------------------


def hello_world_coroutine():
    """Hello World coroutine"""

    async def hello_world():
        print("Hello World!")

    loop = Loop.EventLoop()
    # Blocking call which returns when the hello_world() coroutine is done
    loop.run_until_complete(hello_world())
    loop.close()


def display_date_coroutine(second=0.01):
    """Coroutine displaying the current date"""

    async def display_date(loop):
        end_time = loop.time() + 5.0 * second
        while True:
            print(datetime.datetime.now())
            if (loop.time() + second) >= end_time:
                break
            await Loop.sleep(second)

    loop = Loop.EventLoop()
    # Blocking call which returns when the display_date() coroutine is done
    loop.run_until_complete(display_date(loop))
    loop.close()


# --- Transports and protocols ---------------------------------------------------------------------------------------


class EchoServerProtocol(Loop.Protocol):
    def connection_made(self, transport):
        peername = transport.get_extra_info("peername")
        print("Connection from {}".format(peername.get_address().to_string()))
        self.transport = transport

    def data_received(self, data):
        message = data.decode()
        print("Data received: {!r}".format(message))

        print("Send: {!r}".format(message))
        self.transport.write(data)

        print("Close the client socket")
        self.transport.close()


class EchoClientProtocol(Loop.Protocol):
    def __init__(self, message, on_con_lost):
        self.message = message
        self.on_con_lost = on_con_lost

    def connection_made(self, transport):
        transport.write(self.message.encode())
        print("Data sent: {!r}".format(self.message))

    def data_received(self, data):
        print("Data received: {!r}".format(data.decode()))

    def connection_lost(self, exc):
        print("The server closed the connection")
        self.on_con_lost.set_result(True)


def tcp_echo():
    """TCP Echo Server, TCP Echo Client"""

    async def client(loop, address):
        on_con_lost = loop.create_future()
        transport, protocol = await loop.create_connection(
            lambda: EchoClientProtocol("Hello World!", on_con_lost), address.get_address().to_string(),
            address.get_port())

        # Wait until the protocol signals that the connection is lost and close the transport.
        try:
            await on_con_lost
        finally:
            transport.close()

    async def main():
        loop = Loop.get_running_loop()
        server = await loop.create_server(EchoServerProtocol, "127.0.0.1", 0)

        async with server:
            serving = server.serve_forever()
            await client(loop, server.sockets[0].get_local_address())
            serving.cancel()

    loop = Loop.EventLoop()
    loop.run_until_complete(main())
    loop.close()


def connecting_existing_sockets():
    """Connecting Existing Sockets: register an open socket to wait for data using a protocol"""

    class MyProtocol(Loop.Protocol):
        def __init__(self, on_con_lost):
            self.transport = None
            self.on_con_lost = on_con_lost

        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            print("Received:", data.decode())

            # We are done: close the transport; connection_lost() will be called automatically.
            self.transport.close()

        def connection_lost(self, exc):
            # The socket has been closed
            self.on_con_lost.set_result(True)

    async def main():
        loop = Loop.get_running_loop()
        on_con_lost = loop.create_future()

        # Create a pair of connected sockets
        rsock, wsock = socket.socketpair()

        # Register the socket to wait for data.
        transport, protocol = await loop.create_connection(lambda: MyProtocol(on_con_lost), sock=rsock)

        # Simulate the reception of data from the network.
        loop.call_soon(wsock.send, "abc".encode())

        try:
            await protocol.on_con_lost
        finally:
            transport.close()
            wsock.close()

    loop = Loop.EventLoop()
    loop.run_until_complete(main())
    loop.close()


def register_open_socket():
    """The same as the specification has it: with a loop that runs for ever, and a protocol that stops it"""
    rsock, wsock = socket.socketpair()
    loop = Loop.EventLoop()

    class MyProtocol(Loop.Protocol):
        transport = None

        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            print("Received:", data.decode())
            # We are done: close the transport (it will call connection_lost())
            self.transport.close()

        def connection_lost(self, exc):
            # The socket has been closed, stop the event loop
            loop.stop()

    # Register the socket to wait for data
    transport, protocol = loop.run_until_complete(loop.create_connection(MyProtocol, sock=rsock))
    # Simulate the reception of data from the network
    loop.call_soon(wsock.send, "abc".encode())
    loop.run_forever()
    wsock.close()
    loop.close()


# --- Processes ------------------------------------------------------------------------------------------------------


def get_date_of_subprocess():
    """loop.subprocess_exec() and SubprocessProtocol"""

    class DateProtocol(Loop.SubprocessProtocol):
        def __init__(self, exit_future):
            self.exit_future = exit_future
            self.output = bytearray()
            self.pipe_closed = False
            self.exited = False

        def pipe_connection_lost(self, fd, exc):
            self.pipe_closed = True
            self.check_for_exit()

        def pipe_data_received(self, fd, data):
            self.output.extend(data)

        def process_exited(self):
            self.exited = True
            # process_exited() can be called before pipe_connection_lost(): wait until both are.
            self.check_for_exit()

        def check_for_exit(self):
            if self.pipe_closed and self.exited:
                self.exit_future.set_result(True)

    async def get_date():
        loop = Loop.get_running_loop()
        code = "import datetime; print(datetime.datetime.now())"
        exit_future = loop.create_future()

        # Create the subprocess controlled by DateProtocol; redirect the standard output into a pipe.
        transport, protocol = await loop.subprocess_exec(
            lambda: DateProtocol(exit_future), sys.executable, "-c", code, stdin=None, stderr=None)

        # Wait for the subprocess exit using the process_exited() method of the protocol.
        await exit_future

        # Close the stdout pipe.
        transport.close()

        # Read the output which was collected by the pipe_data_received() method of the protocol.
        return bytes(protocol.output).decode("ascii").rstrip()

    loop = Loop.EventLoop()
    date = loop.run_until_complete(get_date())
    print(f"Current date: {date}")
    loop.close()


# --- What they print ------------------------------------------------------------------------------------------------

DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\n"


class TestDocumentedExamples(unittest.TestCase):
    def prints(self, pattern, example, *args):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            example(*args)
        self.assertRegex(output.getvalue(), f"^{pattern}$(?![\n])")

    def test_hello_world(self):
        self.prints("Hello World\n", hello_world_callback)
        self.prints("Hello World!\n", hello_world_coroutine)

    def test_display_date(self):
        # Five of them, unless the machine has other things to do.
        self.prints("(" + DATE + "){1,5}", display_date_callback)
        self.prints("(" + DATE + "){1,5}", display_date_coroutine)

    def test_watch_read_event(self):
        self.prints("Received: abc\n", watch_read_event)

    def test_signal_handlers(self):
        self.prints("got signal SIGINT: exit\n", signal_handlers, signal.SIGINT)
        self.prints("got signal SIGTERM: exit\n", signal_handlers, signal.SIGTERM)

    def test_tcp_echo(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            tcp_echo()
        # Server and client are one process here: each says its own in order.
        lines = output.getvalue().splitlines()
        received = "Data received: 'Hello World!'"
        self.assertEqual(sorted(lines), sorted([
            "Connection from 127.0.0.1", received, "Send: 'Hello World!'", "Close the client socket",
            "Data sent: 'Hello World!'", received, "The server closed the connection"]))
        self.assertLess(lines.index("Connection from 127.0.0.1"), lines.index("Send: 'Hello World!'"))
        self.assertLess(lines.index("Data sent: 'Hello World!'"), lines.index(received))
        self.assertEqual(lines[-1], "The server closed the connection")

    def test_existing_sockets(self):
        self.prints("Received: abc\n", connecting_existing_sockets)
        self.prints("Received: abc\n", register_open_socket)

    def test_subprocess(self):
        self.prints("Current date: " + DATE, get_date_of_subprocess)


tap.main()
