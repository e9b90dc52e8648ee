# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocols in Python, with asyncio's names for what they are told."""

import weakref

from gi.repository import GObject

from ..module import get_introspection_module
from ._loop_calls import report
from ._loop_signals import guards_callbacks
from ._loop_values import to_exception

Loop = get_introspection_module("Loop")

_VFUNCS = tuple(vfunc.get_name() for vfunc in Loop.Protocol.__info__.get_vfuncs())


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


class Protocol(_Protocol, GObject.Object, Loop.Protocol):
    """A protocol has asyncio's methods: connection_made(transport), data_received(data), eof_received(),
    pause_writing(), resume_writing(), connection_lost(exception).

    As in asyncio, one that raises in data_received() or eof_received() loses its connection.
    """

    __gtype_name__ = "LoopPythonProtocol"
    __module__ = "gi.repository.Loop"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in _VFUNCS:
            # It would take the place of ours, below, in all other protocols as well.
            if "do_" + name in vars(cls):
                raise TypeError(f"{cls.__name__}.do_{name} is to be called {name}, as in asyncio")

    def data_received(self, data):
        pass

    def eof_received(self):
        pass

    def _guard_reading(self, method, *args):
        failed, result = self._guard(method, *args, message=f"Fatal error: protocol.{method.__name__}() call failed.")
        if failed and self._transport() is not None:
            self._transport().abort()
        return result

    def do_connection_made(self, transport):
        self._attach(transport)
        self._guard(self.connection_made, transport)

    def do_connection_lost(self, exception):
        if exception is not None:
            exception = to_exception(exception)
        self._guard(self.connection_lost, self._fatal or exception)
        self._detach()

    def do_pause_writing(self):
        self._guard(self.pause_writing, message="protocol.pause_writing() failed")

    def do_resume_writing(self):
        self._guard(self.resume_writing, message="protocol.resume_writing() failed")

    def do_data_received(self, data, length):
        self._guard_reading(self.data_received, data)

    def do_eof_received(self):
        return bool(self._guard_reading(self.eof_received))


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


def change_protocol(transport, protocol):
    """Before a transport gets another protocol."""
    previous = transport.get_protocol()
    if isinstance(previous, _Protocol):
        previous._detach()
    if isinstance(protocol, _Protocol):
        protocol._attach(transport)
