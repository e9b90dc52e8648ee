# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams, as asyncio has them: what is read is bytes, and functions that wait are coroutines."""

import asyncio
import contextvars
import inspect

from gi.overrides import override
from gi.repository import GLib

from ..module import get_introspection_module
from ._loop_calls import report
from ._loop_signals import guards_callbacks
from ._loop_sync import get_running_loop
from ._loop_values import to_error, to_exception

Loop = get_introspection_module("Loop")

__all__ = []

_LIMIT = 2**16


def _export(item):
    __all__.append(item.__name__)
    return item


def _override(cls):
    # The loader goes by the name of the module.
    cls.__module__ = "gi.overrides.Loop"
    # The library has initialised it.
    cls.__init__ = lambda self, *args, **kwargs: None
    return _export(override(cls))


def _is_error(exception, code):
    return isinstance(exception, GLib.Error) and exception.matches(Loop.error_quark(), code)


@_override
class StreamReader(Loop.StreamReader):
    """``async for line in reader`` reads to the end. Bytes of a read that is cancelled are read by the next one."""

    _new = Loop.StreamReader.new

    def __new__(cls, limit=_LIMIT, loop=None):
        if limit <= 0:
            raise ValueError("Limit cannot be <= 0")
        return cls._new(loop or get_running_loop(), limit)

    def set_exception(self, exc):
        super().set_exception(to_error(exc, self))

    def exception(self):
        error = super().exception()
        return error and to_exception(error)

    async def _wait(self, future, expected=None):
        try:
            return (await future).get_data() or b""
        except Exception as error:
            exception = error
        if _is_error(exception, Loop.Error.INCOMPLETE_READ):
            exception = asyncio.IncompleteReadError(self.get_partial().get_data() or b"", expected)
        elif _is_error(exception, Loop.Error.LIMIT_OVERRUN):
            exception = asyncio.LimitOverrunError(exception.message, self.get_consumed())
        try:
            raise exception
        finally:
            del exception

    async def read(self, n=-1):
        return await self._wait(super().read(n))

    async def readexactly(self, n):
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        return await self._wait(super().readexactly(n), n)

    async def readuntil(self, separator=b"\n"):
        return await self._wait(super().readuntil(separator))

    async def readline(self):
        try:
            return await self._wait(super().readline())
        except asyncio.LimitOverrunError as error:
            message = error.args[0]
        raise ValueError(message)

    def __aiter__(self):
        return self

    async def __anext__(self):
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line


@_override
class StreamReaderProtocol(Loop.StreamReaderProtocol):
    _new = Loop.StreamReaderProtocol.new

    def __new__(cls, stream_reader, client_connected_cb=None, loop=None):
        connected = None if client_connected_cb is None else _Client(client_connected_cb)
        return cls._new(stream_reader, connected)


@_override
class StreamWriter(Loop.StreamWriter):
    """One that is freed closes the connection."""

    _new = Loop.StreamWriter.new

    def __new__(cls, transport, protocol, reader, loop=None):
        return cls._new(transport, protocol, reader)

    transport = property(Loop.StreamWriter.get_transport)

    def write(self, data):
        super().write(data if isinstance(data, bytes) else bytes(memoryview(data)))

    def writelines(self, data):
        super().writelines([line if isinstance(line, GLib.Bytes) else GLib.Bytes(line) for line in data])

    def get_extra_info(self, name, default=None):
        return self.transport.get_extra_info(name, default)

    async def drain(self):
        await super().drain()

    async def wait_closed(self):
        await super().wait_closed()


class _Client:
    """The function of a server, or its coroutine: for each client it becomes a task."""

    def __init__(self, callback):
        self.callback = callback
        self.context = contextvars.copy_context()

    @staticmethod
    def _fail(loop, exception, transport):
        report(loop, "Unhandled exception in client_connected_cb", exception, transport=transport)
        transport.close()

    @guards_callbacks
    def __call__(self, reader, writer):
        loop = reader.get_loop()
        transport = writer.transport
        try:
            result = self.context.run(self.callback, reader, writer)
            if inspect.iscoroutine(result):
                task = loop.create_task(result)
                task.add_done_callback(lambda task: self._task_done(loop, task, transport))
        except BaseException as exception:
            self._fail(loop, exception, transport)

    def _task_done(self, loop, task, transport):
        if task.cancelled():
            transport.close()
        elif task.exception() is not None:
            self._fail(loop, task.exception(), transport)


async def _open(connect, limit, *args, **kwds):
    loop = get_running_loop()
    reader = StreamReader(limit=limit, loop=loop)
    protocol = StreamReaderProtocol(reader)
    transport, _ = await getattr(loop, connect)(lambda: protocol, *args, **kwds)
    return reader, StreamWriter(transport, protocol, reader)


async def _start(serve, client_connected_cb, limit, *args, **kwds):
    loop = get_running_loop()

    def make_protocol():
        return StreamReaderProtocol(StreamReader(limit=limit, loop=loop), client_connected_cb)

    return await getattr(loop, serve)(make_protocol, *args, **kwds)


@_export
async def open_connection(host=None, port=None, *, limit=_LIMIT, **kwds):
    """(reader, writer), for what create_connection() of the running loop connects to."""
    return await _open("create_connection", limit, host, port, **kwds)


@_export
async def start_server(client_connected_cb, host=None, port=None, *, limit=_LIMIT, **kwds):
    """A server as create_server() of the running loop makes it."""
    return await _start("create_server", client_connected_cb, limit, host, port, **kwds)


@_export
async def open_unix_connection(path=None, *, limit=_LIMIT, **kwds):
    """(reader, writer), for what create_unix_connection() of the running loop connects to."""
    return await _open("create_unix_connection", limit, path, **kwds)


@_export
async def start_unix_server(client_connected_cb, path=None, *, limit=_LIMIT, **kwds):
    """A server as create_unix_server() of the running loop makes it."""
    return await _start("create_unix_server", client_connected_cb, limit, path, **kwds)
