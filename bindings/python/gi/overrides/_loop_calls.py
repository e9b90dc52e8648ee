# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callbacks of Python's, and what becomes of their exceptions."""

import asyncio
import contextvars
import weakref

from ..module import get_introspection_module
from ._loop_signals import guards_callbacks

Loop = get_introspection_module("Loop")


def report(loop, message, exception, *subjects, **context):
    """Tell the loop's exception handler; what is to end the program ends run_forever().

    ``subjects`` go into the message, and are not formatted by callers: as a guard's callback, repr() could be interrupted.
    """
    if isinstance(exception, (KeyboardInterrupt, SystemExit)) and loop.is_running():
        loop._interrupt = exception
        loop.stop()
    else:
        loop.call_exception_handler({"message": message.format(*subjects), "exception": exception, **context})


def get_name(function):
    """For inspectors."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__


class Call:
    """A callback of Python's, with its arguments. It never raises."""

    __slots__ = ("callback", "args", "context", "handle")

    def __init__(self, callback, args=(), context=None):
        if not callable(callback):
            raise TypeError(f"a callable object was expected, got {callback!r}")
        self.callback = callback
        self.args = args
        self.context = context if context is not None else contextvars.copy_context()
        self.handle = None

    @guards_callbacks
    def __call__(self, *args):
        try:
            self.context.run(self.callback, *self.args, *args)
        except BaseException as exception:
            context = {"future": args[0]} if args else self.get_details()
            report(Loop.EventLoop.get_running(), "Exception in callback {!r}", exception, self.callback, **context)

    def get_details(self):
        return {"handle": self.handle} if self.handle else {}


class WatchCall(Call):
    """The callback of a reader, a writer or a signal: asyncio has a handle for it, and the library does not."""

    __slots__ = ("remove", "key")

    def __init__(self, remove, key, callback, args):
        super().__init__(callback, args)
        self.remove = remove
        self.key = key

    def __call__(self):
        if self.handle is not None and self.handle.cancelled():
            self.remove(Loop.EventLoop.get_running(), self.key)
        else:
            super().__call__()

    def get_details(self):
        if self.handle is None:
            # The loop refers to this where the garbage collector does not see it.
            loop = weakref.proxy(Loop.EventLoop.get_running())
            self.handle = asyncio.Handle(self.callback, self.args, loop, self.context)
        return super().get_details()
