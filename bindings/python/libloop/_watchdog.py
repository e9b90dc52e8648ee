# SPDX-License-Identifier: LGPL-2.1-or-later
"""In debug mode: where Python is when a callback takes long, told while it does."""

import sys
import threading
import time
import traceback
import weakref
from asyncio import events
from asyncio.base_events import _format_handle
from asyncio.log import logger

# What is shorter is over before anybody could look.
SHORTEST = 0.01
# How late a longer duration may be noticed.
LATEST = 0.5


def describe(what):
    """A handle, or a protocol."""
    return _format_handle(what) if isinstance(what, events.Handle) else repr(what)


class Watchdog:
    """A thread that looks at what the loop runs, until it is stopped or the loop is gone."""

    def __init__(self, loop, own_function):
        self._loop = weakref.ref(loop)
        self._own_code = own_function.__code__
        # When the turn began that was told of last. Not what it is: nothing is kept alive by being watched.
        self._told_of_begun = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="libloop watchdog", daemon=True)
        self._thread.start()

    def stop(self):
        """Stop, and wait until it has, unless it is a report's handler that stops it, or the interpreter's end."""
        self._is_over.set()
        if self._thread is not threading.current_thread() and not sys.is_finalizing():
            self._thread.join()

    def _watch(self):
        seconds = self._look()
        while seconds is not None and not self._is_over.wait(seconds):
            seconds = self._look()

    def _look(self):
        """Returns the seconds until it is to be called again, or None when there is no loop any more."""
        loop = self._loop()
        if loop is None:
            return None
        turn = loop._turn
        if turn is not None and turn[1] != self._told_of_begun:
            seconds = time.monotonic() - turn[1]
            if seconds >= max(loop.slow_callback_duration, SHORTEST):
                self._told_of_begun = turn[1]
                self._tell(loop, turn, seconds)
        return min(max(loop.slow_callback_duration / 2, SHORTEST / 2), LATEST)

    def _tell(self, loop, turn, seconds):
        what, _, thread = turn
        frame = sys._current_frames().get(thread)
        stack = traceback.StackSummary.extract(self._walk(frame), lookup_lines=False)
        stack.reverse()
        # By the time that it was read it may be another's.
        if loop._turn == turn:
            logger.warning("%s has been running for %.3f seconds, and is here:\n%s", describe(what), seconds,
                           "".join(stack.format()).rstrip("\n"))

    def _walk(self, frame):
        while frame is not None and frame.f_code is not self._own_code:
            yield frame, frame.f_lineno
            frame = frame.f_back
