# SPDX-License-Identifier: LGPL-2.1-or-later
"""In debug mode: where Python is when a callback takes long, told while it does."""

import sys
import threading
import time
import traceback
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
    """A thread that looks at the loop's while the loop runs. As a context manager."""

    def __init__(self, loop, own_function):
        self._loop = loop
        self._own_code = own_function.__code__
        self._watched = threading.get_ident()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="libloop watchdog", daemon=True)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *unused):
        self._is_over.set()
        self._thread.join()

    def _watch(self):
        # Not of what: nothing is kept alive by being watched.
        told_of_begun = None
        while not self._is_over.wait(min(max(self._loop.slow_callback_duration / 2, SHORTEST / 2), LATEST)):
            turn = self._loop._turn
            if turn is None or turn[1] == told_of_begun:
                continue
            seconds = time.monotonic() - turn[1]
            if seconds >= max(self._loop.slow_callback_duration, SHORTEST):
                told_of_begun = turn[1]
                self._tell(turn, seconds)
            turn = None

    def _tell(self, turn, seconds):
        frame = sys._current_frames().get(self._watched)
        stack = traceback.StackSummary.extract(self._walk(frame), lookup_lines=False)
        stack.reverse()
        # By the time that it was read it may be another's.
        if self._loop._turn == turn:
            logger.warning("%s has been running for %.3f seconds, and is here:\n%s", describe(turn[0]), seconds,
                           "".join(stack.format()).rstrip("\n"))

    def _walk(self, frame):
        while frame is not None and frame.f_code is not self._own_code:
            yield frame, frame.f_lineno
            frame = frame.f_back
