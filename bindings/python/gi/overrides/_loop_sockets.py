# SPDX-License-Identifier: LGPL-2.1-or-later
"""The low-level socket operations, as asyncio has them: with sockets of Python's, or with those of GIO.

A socket of Python's is read and written by Python itself, straight from and into the caller's buffers, once the library
says that it is ready. That is done by the task that awaits it, so that nothing is lost when the task is cancelled. With
a Gio.Socket, the library does it, and addresses are those of GIO.
"""

import errno
import os
import select
import socket
import ssl

from gi.repository import Gio, GLib

from ..module import get_introspection_module
from ._loop_values import call

Loop = get_introspection_module("Loop")

_IN = GLib.IOCondition.IN
_OUT = GLib.IOCondition.OUT


def _view(buffer):
    return memoryview(buffer).cast("B")


def _to_bytes(data):
    return GLib.Bytes.new(data if isinstance(data, bytes) else bytes(_view(data)))


def _from_bytes(data):
    return data.get_data() or b""


async def _receive(future):
    # What PyGObject makes of the result is only good while the future has it.
    received = await future
    if isinstance(received, GLib.Bytes):
        return _from_bytes(received)
    return _from_bytes(received.get_data()), received.get_address()


async def _accept(future):
    accepted = await future
    return accepted.get_socket(), accepted.get_address()


def _to_connectable(sock, address):
    if isinstance(address, Gio.SocketConnectable):
        return address
    if sock.get_family() == Gio.SocketFamily.UNIX:
        path = os.fsencode(address)
        if path[:1] == b"\0":
            return Gio.UnixSocketAddress.new_with_type(path[1:], Gio.UnixSocketAddressType.ABSTRACT)
        return Gio.UnixSocketAddress.new(os.fsdecode(path))
    return Gio.NetworkAddress.new(*address[:2])


def _is_resolved(sock, address):
    try:
        socket.inet_pton(sock.family, address[0].split("%")[0])
    except (OSError, TypeError, AttributeError):
        return False
    return isinstance(address[1], int)


def to_stream(file):
    """What a binary file of Python's reads; it is not closed with that."""
    if isinstance(file, Gio.InputStream):
        return file
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("file should be opened in binary mode")
    # GIO makes such a thing for a moment, and ends the process if it cannot: this is an error that can be caught.
    select.epoll().close()
    stream = Gio.UnixInputStream.new(file.fileno(), False)
    stream.file = file
    return stream


def to_count(count):
    """The library's number of bytes to send. To send none is no error there, but one in asyncio."""
    if count is None:
        return -1
    if count == 0:
        raise ValueError("count must be a positive integer (got 0)")
    return count


class SocketOperations:
    """A part of the event loop."""

    def _check_sock(self, sock):
        if isinstance(sock, ssl.SSLSocket):
            raise TypeError("Socket cannot be of type SSLSocket")
        if not isinstance(sock, socket.socket):
            raise TypeError(f"a socket was expected, got {sock!r}")
        if sock.gettimeout() != 0 and self.get_debug():
            raise ValueError("the socket must be non-blocking")
        call(super().sock_check, sock.fileno())

    async def _sock_try(self, sock, condition, function, *args):
        while True:
            try:
                return function(*args)
            except (BlockingIOError, InterruptedError):
                pass
            await super().sock_wait(sock.fileno(), condition)

    async def sock_recv(self, sock, nbytes):
        if isinstance(sock, Gio.Socket):
            return await _receive(super().sock_recv(sock, nbytes))
        self._check_sock(sock)
        return await self._sock_try(sock, _IN, sock.recv, nbytes)

    async def sock_recv_into(self, sock, buf):
        """Into any writable buffer: without a copy from a socket of Python's, with one from a Gio.Socket."""
        if isinstance(sock, Gio.Socket):
            view = _view(buf)
            data = await self.sock_recv(sock, len(view))
            view[: len(data)] = data
            return len(data)
        self._check_sock(sock)
        return await self._sock_try(sock, _IN, sock.recv_into, buf)

    async def sock_recvfrom(self, sock, bufsize):
        if isinstance(sock, Gio.Socket):
            return await _receive(super().sock_recvfrom(sock, bufsize))
        self._check_sock(sock)
        return await self._sock_try(sock, _IN, sock.recvfrom, bufsize)

    async def sock_recvfrom_into(self, sock, buf, nbytes=0):
        view = _view(buf)
        if isinstance(sock, Gio.Socket):
            data, address = await self.sock_recvfrom(sock, nbytes or len(view))
            view[: len(data)] = data
            return len(data), address
        self._check_sock(sock)
        return await self._sock_try(sock, _IN, sock.recvfrom_into, buf, nbytes or len(view))

    async def sock_sendfile(self, sock, file, offset=0, count=None, *, fallback=True):
        """``file``: a Gio.InputStream, or a binary file with a descriptor, which stays its own."""
        count = to_count(count)
        stream = to_stream(file)
        if isinstance(sock, Gio.Socket):
            return await super().sock_sendfile(sock, stream, offset, count, fallback)
        self._check_sock(sock)
        was_blocking = os.get_blocking(sock.fileno())
        twin = Gio.Socket.new_from_fd(os.dup(sock.fileno()))
        twin.set_blocking(False)
        try:
            return await super().sock_sendfile(twin, stream, offset, count, fallback)
        finally:
            if was_blocking:
                os.set_blocking(twin.get_fd(), True)
            twin.close()

    async def sock_sendall(self, sock, data):
        if isinstance(sock, Gio.Socket):
            return await super().sock_sendall(sock, _to_bytes(data))
        self._check_sock(sock)
        view = _view(data)
        while True:
            view = view[await self._sock_try(sock, _OUT, sock.send, view) :]
            if not view:
                return None

    async def sock_sendto(self, sock, data, address):
        if isinstance(sock, Gio.Socket):
            return await super().sock_sendto(sock, _to_bytes(data), address)
        self._check_sock(sock)
        return await self._sock_try(sock, _OUT, sock.sendto, data, address)

    async def sock_connect(self, sock, address):
        if isinstance(sock, Gio.Socket):
            return await super().sock_connect(sock, _to_connectable(sock, address))
        self._check_sock(sock)
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_resolved(sock, address):
            found = await self.getaddrinfo(*address[:2], family=sock.family, type=sock.type, proto=sock.proto)
            address = found[0][4]
        # A unix socket whose peer has no room has not begun to connect, and the kernel does not tell when it may.
        delay = 0.001
        while True:
            try:
                return sock.connect(address)
            except (BlockingIOError, InterruptedError) as error:
                if error.errno != errno.EAGAIN:
                    break
                if sock.family != socket.AF_UNIX:
                    raise
            await Loop.sleep(self, delay)
            delay = min(2 * delay, 1 / 16)
        await super().sock_wait(sock.fileno(), _OUT)
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status != 0:
            raise OSError(status, f"Connect call failed {address}")
        return None

    async def sock_accept(self, sock):
        if isinstance(sock, Gio.Socket):
            return await _accept(super().sock_accept(sock))
        self._check_sock(sock)
        connection, address = await self._sock_try(sock, _IN, sock.accept)
        connection.setblocking(False)
        return connection, address
