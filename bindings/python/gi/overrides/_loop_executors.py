# SPDX-License-Identifier: LGPL-2.1-or-later
"""Executors: those of the library, and those of concurrent.futures."""

import concurrent.futures
import math
import threading
import warnings

from gi.overrides import override
from gi.repository import GLib

from ..module import get_introspection_module
from ._loop_values import to_error, to_value

Loop = get_introspection_module("Loop")


class ThreadPoolExecutor(Loop.ThreadPoolExecutor):
    def __init__(self, max_workers=None, thread_name_prefix=""):
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        super().__init__(max_workers=max_workers or 0, thread_name_prefix=thread_name_prefix or None)

    def shutdown(self, wait=True, cancel_futures=False):
        super().shutdown(wait, cancel_futures)


# The loader goes by the name of the module.
ThreadPoolExecutor.__module__ = "gi.overrides.Loop"
ThreadPoolExecutor = override(ThreadPoolExecutor)


def check_executor(executor):
    if not isinstance(executor, (Loop.Executor, concurrent.futures.Executor)):
        raise TypeError(f"an executor was expected, got {executor!r}")
    if hasattr(executor, "do_submit"):
        # PyGObject has no way to hand it the function.
        raise TypeError("Loop.Executor cannot be implemented in Python; derive from concurrent.futures.Executor")


def _post(loop, callback):
    try:
        Loop.EventLoop.call_soon_threadsafe(loop, callback)
    except GLib.Error as error:
        # Nobody waits any more.
        if not error.matches(Loop.error_quark(), Loop.Error.CLOSED):
            raise


def _wrap(loop, theirs):
    """A future of ``loop`` that ends as ``theirs`` does, of concurrent.futures, and cancels it."""
    ours = loop.create_future()

    def copy():
        if ours.done():
            return
        exception = None if theirs.cancelled() else theirs.exception()
        if theirs.cancelled() or isinstance(exception, concurrent.futures.CancelledError):
            ours.cancel()
        elif exception is not None:
            ours.set_exception(exception)
        else:
            ours.set_result(theirs.result())

    ours.add_done_callback(lambda _: ours.cancelled() and theirs.cancel())
    theirs.add_done_callback(lambda _: _post(loop, copy))
    return ours


def submit_to(executor, loop, func, args):
    return _wrap(loop, executor.submit(func, *args))


def make_job(func, args):
    """What the library's executors call."""

    def job():
        try:
            return True, to_value(func(*args))
        except BaseException as exception:
            error = to_error(exception)
        raise error

    return job


def shut_down(executor, loop, timeout):
    """A future that is done when the threads of an executor of concurrent.futures have ended, or time is up."""
    future = loop.create_future()

    def work():
        executor.shutdown(wait=True)
        _post(loop, end)

    def end():
        if not future.done():
            future.set_result(None)

    def give_up():
        if not future.done():
            message = f"The executor did not finish joining its threads within {timeout} seconds"
            warnings.warn(message, RuntimeWarning)
            executor.shutdown(wait=False)
            end()

    threading.Thread(target=work).start()
    if timeout is not None and 0 <= timeout < math.inf:
        timer = loop.call_later(timeout, give_up)
        future.add_done_callback(lambda _: timer.cancel())
    return future
