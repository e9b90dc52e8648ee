# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocols in Python, with asyncio's names for what they are told."""

import ctypes
import weakref

from gi.repository import GObject

from ..module import get_introspection_module
from ._loop_addresses import from_address
from ._loop_calls import report
from ._loop_signals import guards_callbacks
from ._loop_values import to_error, to_exception

Loop = get_introspection_module("Loop")

_VFUNCS = tuple(
    vfunc.get_name() for kind in (Loop.Protocol, Loop.BufferedProtocol) for vfunc in kind.__info__.get_vfuncs()
)


class _Protocol:
    """What both kinds have. PyGObject looks for a class's vfuncs, do_*, in the class alone."""

    _transport = staticmethod(lambda: None)
    _fatal = None

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        GObject.Object.__init__(self)
        return self

    def __init__(self):
        # __new__ has done it, since the protocols of asyncio's users do not call this.
        pass

    def connection_made(self, transport):
        pass

    def connection_lost(self, exc):
        pass

    def pause_writing(self):
        pass

    def resume_writing(self):
        pass

    def _attach(self, transport):
        # Weak, for there may be no connection_lost(), when the loop is closed. What has an attribute of its own stays
        # the same Python object for as long as the library has the transport.
        transport._is_attached = True
        self._transport = weakref.ref(transport)

    def _detach(self):
        self.__dict__.pop("_transport", None)
        self.__dict__.pop("_fatal", None)

    @guards_callbacks
    def _guard(self, method, *args, message=None):
        """Call one of the above: whether it raised, and what it returned."""
        try:
            return False, method(*args)
        except BaseException as exception:
            context = {"protocol": self}
            if self._transport() is not None:
                context["transport"] = self._transport()
            message = message or "Exception in callback {!r}"
            report(Loop.EventLoop.get_running(), message, exception, method, **context)
            self._fatal = exception
            return True, None


class _StreamProtocol(_Protocol):
    """What those of byte streams have, but for their vfuncs."""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in _VFUNCS:
            # It would take the place of ours, below, in all other protocols as well.
            if "do_" + name in vars(cls) and cls.__module__ != "gi.repository.Loop":
                raise TypeError(f"{cls.__name__}.do_{name} is to be called {name}, as in asyncio")

    def eof_received(self):
        pass

    def _guard_reading(self, method, *args):
        failed, result = self._guard(method, *args, message=f"Fatal error: protocol.{method.__name__}() call failed.")
        if failed and self._transport() is not None:
            self._transport().abort()
        return result

    def _connection_made(self, transport):
        self._attach(transport)
        self._guard(self.connection_made, transport)

    def _connection_lost(self, exception):
        if exception is not None:
            exception = to_exception(exception)
        self._guard(self.connection_lost, self._fatal or exception)
        self._detach()

    def _pause_writing(self):
        self._guard(self.pause_writing, message="protocol.pause_writing() failed")

    def _resume_writing(self):
        self._guard(self.resume_writing, message="protocol.resume_writing() failed")

    def _eof_received(self):
        return bool(self._guard_reading(self.eof_received))


class Protocol(_StreamProtocol, GObject.Object, Loop.Protocol):
    """A protocol has asyncio's methods: connection_made(transport), data_received(data), eof_received(),
    pause_writing(), resume_writing(), connection_lost(exception).

    As in asyncio, one that raises in data_received() or eof_received() loses its connection.
    """

    __gtype_name__ = "LoopPythonProtocol"
    __module__ = "gi.repository.Loop"

    do_connection_made = _StreamProtocol._connection_made
    do_connection_lost = _StreamProtocol._connection_lost
    do_pause_writing = _StreamProtocol._pause_writing
    do_resume_writing = _StreamProtocol._resume_writing
    do_eof_received = _StreamProtocol._eof_received

    def data_received(self, data):
        pass

    def do_data_received(self, data, length):
        self._guard_reading(self.data_received, data)


class BufferedProtocol(_StreamProtocol, GObject.Object, Loop.Protocol, Loop.BufferedProtocol):
    """As Protocol, with get_buffer(sizehint) and buffer_updated(nbytes) in the place of data_received(data).

    get_buffer() returns a writable buffer, which is read into without a copy. It is exported until the next call of any
    of the protocol's methods: a bytearray cannot be resized in between.
    """

    __gtype_name__ = "LoopPythonBufferedProtocol"
    __module__ = "gi.repository.Loop"

    _exported = None

    do_connection_made = _StreamProtocol._connection_made
    do_pause_writing = _StreamProtocol._pause_writing
    do_resume_writing = _StreamProtocol._resume_writing

    def get_buffer(self, sizehint):
        raise NotImplementedError

    def buffer_updated(self, nbytes):
        pass

    @guards_callbacks
    def do_get_buffer(self, sizehint):
        self._exported = None
        try:
            view = memoryview(self.get_buffer(sizehint)).cast("B")
            if view.nbytes == 0:
                raise RuntimeError("get_buffer() returned an empty buffer")
            self._exported = ctypes.c_char.from_buffer(view)
            return view.nbytes, ctypes.addressof(self._exported)
        except BaseException as exception:
            # The library tells of it, and connection_lost() is told.
            if isinstance(exception, (KeyboardInterrupt, SystemExit)):
                report(Loop.EventLoop.get_running(), "", exception)
            error = to_error(exception, self)
        raise error

    def do_buffer_updated(self, nbytes):
        self._exported = None
        self._guard_reading(self.buffer_updated, nbytes)

    def do_eof_received(self):
        self._exported = None
        return self._eof_received()

    def do_connection_lost(self, exception):
        self._exported = None
        self._connection_lost(exception)


class SubprocessProtocol(_Protocol, GObject.Object, Loop.SubprocessProtocol):
    """Has asyncio's methods: connection_made(transport), pipe_data_received(fd, data), pipe_connection_lost(fd, exception),
    process_exited(), pause_writing(), resume_writing(), connection_lost(exception).
    """

    __gtype_name__ = "LoopPythonSubprocessProtocol"
    __module__ = "gi.repository.Loop"

    def pipe_data_received(self, fd, data):
        pass

    def pipe_connection_lost(self, fd, exc):
        pass

    def process_exited(self):
        pass

    def do_connection_made(self, transport):
        self._attach(transport)
        self._guard(self.connection_made, transport)

    def do_connection_lost(self, exception):
        self._guard(self.connection_lost, exception and to_exception(exception))
        self._detach()

    def do_pause_writing(self):
        self._guard(self.pause_writing)

    def do_resume_writing(self):
        self._guard(self.resume_writing)

    def do_pipe_data_received(self, fd, data, length):
        self._guard(self.pipe_data_received, fd, data)

    def do_pipe_connection_lost(self, fd, exception):
        self._guard(self.pipe_connection_lost, fd, exception and to_exception(exception))

    def do_process_exited(self):
        self._guard(self.process_exited)


class DatagramProtocol(_Protocol, GObject.Object, Loop.DatagramProtocol):
    """Has asyncio's methods: connection_made(transport), datagram_received(data, addr), error_received(exception),
    pause_writing(), resume_writing(), connection_lost(exception).
    """

    __gtype_name__ = "LoopPythonDatagramProtocol"
    __module__ = "gi.repository.Loop"

    def datagram_received(self, data, addr):
        pass

    def error_received(self, exc):
        pass

    def do_connection_made(self, transport):
        self._attach(transport)
        self._guard(self.connection_made, transport)

    def do_connection_lost(self, exception):
        self._guard(self.connection_lost, exception and to_exception(exception))
        self._detach()

    def do_pause_writing(self):
        self._guard(self.pause_writing)

    def do_resume_writing(self):
        self._guard(self.resume_writing)

    def do_datagram_received(self, data, length, addr):
        self._guard(self.datagram_received, bytes(data), from_address(addr))

    def do_error_received(self, exception):
        self._guard(self.error_received, to_exception(exception))


def change_protocol(transport, protocol):
    """Before a transport gets another protocol."""
    previous = transport.get_protocol()
    if isinstance(previous, _Protocol):
        previous._detach()
    if isinstance(protocol, _Protocol):
        protocol._attach(transport)
