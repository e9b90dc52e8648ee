# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values and exceptions on their way through the library, which knows GValue and GError."""

import asyncio
import traceback
import weakref

from gi.repository import Gio, GLib, GObject

from ..module import get_introspection_module

Loop = get_introspection_module("Loop")


class _Carried:
    """A value that GValue has no type for, or that it would change: an int of any size, a subclass of str, ..."""

    __slots__ = ("value",)


def to_value(value):
    """What C can make use of goes as it is, and anything else as a Python object."""
    kind = type(value)
    if value is None or kind in (bool, float) or isinstance(value, GObject.Object):
        return value
    if kind is int and -(2**31) <= value < 2**31 or kind is str and value.isprintable():
        return value
    # Not a GObject.Value: PyGObject loses a reference when a callback returns one.
    carried = _Carried()
    carried.value = value
    return carried


def from_value(value):
    return value.value if type(value) is _Carried else value


def _error_class(name, python_class):
    return type(name, (GLib.Error, python_class), {"__module__": "gi.repository.Loop"})


_FOREIGN = GLib.quark_to_string(Loop.ForeignException.get_domain())
_LOOP = GLib.quark_to_string(Loop.error_quark())
_IO = GLib.quark_to_string(Gio.io_error_quark())

# Errors for which asyncio has a class are instances of both.
_CLASSES = {
    (_LOOP, Loop.Error.INVALID_STATE): _error_class("InvalidStateError", asyncio.InvalidStateError),
    (_LOOP, Loop.Error.BROKEN_BARRIER): _error_class("BrokenBarrierError", asyncio.BrokenBarrierError),
    (_LOOP, Loop.Error.QUEUE_EMPTY): _error_class("QueueEmpty", asyncio.QueueEmpty),
    (_LOOP, Loop.Error.QUEUE_FULL): _error_class("QueueFull", asyncio.QueueFull),
    (_LOOP, Loop.Error.SENDFILE_NOT_AVAILABLE): _error_class(
        "SendfileNotAvailableError", asyncio.SendfileNotAvailableError
    ),
    (_LOOP, Loop.Error.QUEUE_SHUT_DOWN): _error_class("QueueShutDown", getattr(asyncio, "QueueShutDown", Exception)),
    (_LOOP, Loop.Error.DESCRIPTOR_IN_USE): _error_class("DescriptorInUseError", RuntimeError),
    (_IO, Gio.IOErrorEnum.TIMED_OUT): _error_class("TimeoutError", TimeoutError),
    (_IO, Gio.IOErrorEnum.CONNECTION_CLOSED): _error_class("ConnectionResetError", ConnectionResetError),
    (_IO, Gio.IOErrorEnum.PENDING): _error_class("PendingError", RuntimeError),
    (_IO, Gio.IOErrorEnum.INVALID_ARGUMENT): _error_class("InvalidArgumentError", ValueError),
}

# Of task_done() alone: elsewhere the library's code for it is that of other exceptions.
TaskDoneError = _error_class("TaskDoneError", ValueError)

# The library's words for a cancellation without a message.
_NO_MESSAGE = ("The future was cancelled", "The task was cancelled")


class _Kept:
    __slots__ = ("exception", "__weakref__")


class _Raised:
    """An exception behind an error.

    Its traceback refers to frames, and these often to the future that has failed. So futures keep their exception in
    their __dict__, where the garbage collector sees the cycle, and the error does so only until a future does.
    """

    def __init__(self, exception):
        self.kept = _Kept()
        self.kept.exception = exception
        self.weak = weakref.ref(self.kept)

    def get(self):
        kept = self.weak()
        return kept and kept.exception

    def give_to(self, future):
        future._kept = self.weak()
        self.kept = None


def _describe(exception):
    text = "".join(traceback.format_exception_only(exception)).strip()
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def to_error(exception, owner=None):
    """A GLib.Error that stands for an exception, and keeps it for as long as C has a copy."""
    if isinstance(exception, GLib.Error):
        return exception
    if isinstance(exception, asyncio.CancelledError):
        message = str(exception.args[0]) if exception.args and exception.args[0] is not None else _NO_MESSAGE[1]
        return GLib.Error(message, _IO, Gio.IOErrorEnum.CANCELLED)
    raised = _Raised(exception)
    if owner is not None:
        raised.give_to(owner)
    foreign = Loop.ForeignException.new(GObject.Value(GObject.TYPE_PYOBJECT, raised))
    error = GLib.Error(_describe(exception), _FOREIGN, foreign.get_code())
    error.foreign = foreign
    return error


def to_exception(error, owner=None):
    if error.domain == _FOREIGN:
        foreign = Loop.ForeignException.lookup(error.code)
        raised = foreign and foreign.get_value()
        exception = raised.get() if isinstance(raised, _Raised) else None
        if exception is None:
            return error
        if owner is not None:
            raised.give_to(owner)
        return exception
    if error.domain == _IO and error.code == Gio.IOErrorEnum.CANCELLED:
        return asyncio.CancelledError(*(() if error.message in _NO_MESSAGE else (error.message,)))
    kind = _CLASSES.get((error.domain, error.code))
    return kind(error.message, error.domain, error.code) if kind else error


def call(function, *args, owner=None):
    """Call into the library, whose errors come as Python's exceptions."""
    try:
        return function(*args)
    except GLib.Error as error:
        exception = to_exception(error, owner)
    # What is bound in PyGObject's functions the garbage collector does not see, and the traceback refers to here.
    del function, args, owner
    # Out here the __context__ of the exception stays as it was.
    try:
        raise exception
    finally:
        del exception
