# SPDX-License-Identifier: LGPL-2.1-or-later
"""Handlers of Python's signal module, Ctrl-C first of all, while a loop runs in the main thread.

Python runs them between two of its instructions, of which there are none while the library waits: it is woken up. And
what they raise is lost, or printed at best, in a function that C has called. So Ctrl-C raises in the callbacks of the
user only, whose exceptions find their way to run_forever(), and stops the loop elsewhere. What a handler of the user's
own raises gets there from callbacks as well, and while the loop waits.
"""

import contextlib
import os
import signal
import sys
import threading

from .. import _ossighelper

_guards = set()


def guards_callbacks(function):
    """Mark a function that calls the user's, and catches whatever they raise."""
    _guards.add(function.__code__)
    return function


def _is_in_callback(frame):
    """Whether a function of the user's is in ``frame``, and what it raises gets to a guard."""
    if frame.f_code in _guards:
        return False
    while frame is not None and frame.f_code not in _guards:
        # Ours, or a main loop of PyGObject's, which prints what its callbacks raise.
        if frame.f_globals.get("__name__", "").startswith("gi."):
            return False
        frame = frame.f_back
    return frame is not None


def _interrupt(loop):
    def interrupt():
        # PyGObject's handler calls this once. But what is raised in a callback the callback may catch.
        if not _ossighelper._callback_stack:
            _ossighelper._callback_stack.append(interrupt)
            _ossighelper._sigint_called = False
        # The caller is that handler.
        if _is_in_callback(sys._getframe(2)):
            raise KeyboardInterrupt
        loop._interrupt = KeyboardInterrupt()
        loop.stop()

    return interrupt


def _drain(loop, fd):
    """A generator, for Python may run handlers as soon as C calls it: what they raise then, they raise at the yield."""
    while True:
        try:
            yield
            os.read(fd, 4096)
            if "_interrupt" in loop.__dict__:
                # It came before the loop ran.
                loop.stop()
        except GeneratorExit:
            return
        except BlockingIOError:
            pass
        except BaseException as exception:
            loop._interrupt = exception
            loop.stop()


@contextlib.contextmanager
def _waking_up(loop, add_reader, remove_reader):
    """Have each signal for which Python has a handler wake the loop up."""
    theirs, ours = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    drain = _drain(loop, theirs)
    next(drain)
    try:
        add_reader(theirs, drain.__next__)
        previous = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        try:
            yield
        finally:
            current = signal.set_wakeup_fd(previous)
            if current != ours:
                # Somebody else's, set meanwhile.
                signal.set_wakeup_fd(current)
            remove_reader(theirs)
    finally:
        drain.close()
        os.close(theirs)
        os.close(ours)


@contextlib.contextmanager
def handling_signals(loop, add_reader, remove_reader):
    """While ``loop`` runs."""
    if threading.current_thread() is not threading.main_thread() or loop.is_closed() or loop.is_running():
        yield
        return
    with _ossighelper.register_sigint_fallback(_interrupt(loop)):
        with _waking_up(loop, add_reader, remove_reader):
            yield


def leave_sigint_alone():
    """Take PyGObject's handler of Ctrl-C back, before it is replaced where Python does not see it."""
    handler = signal.getsignal(signal.SIGINT)
    if getattr(handler, "__module__", None) == _ossighelper.__name__:
        signal.signal(signal.SIGINT, signal.default_int_handler)
