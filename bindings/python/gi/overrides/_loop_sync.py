# SPDX-License-Identifier: LGPL-2.1-or-later
"""Timeouts, task groups, and locks and queues for tasks, as asyncio has them."""

import asyncio
import math

from gi.overrides import override
from gi.repository import GLib

from ..module import get_introspection_module
from ._loop_values import TaskDoneError, call, from_value, to_value

Loop = get_introspection_module("Loop")

__all__ = []


def _export(item):
    __all__.append(item.__name__)
    return item


def _override(cls):
    # The loader goes by the name of the module.
    cls.__module__ = "gi.overrides.Loop"
    return _export(override(cls))


def get_running_loop():
    loop = Loop.EventLoop.get_running()
    if loop is None:
        raise RuntimeError("no running event loop")
    return loop


__all__.append("get_running_loop")


@_override
class Timeout(Loop.Timeout):
    """``async with``: made by timeout() and timeout_at(), it begins at once."""

    async def __aenter__(self):
        self._task = get_running_loop().get_current_task()
        self._n_cancels = self._task.cancelling()
        return self

    async def __aexit__(self, kind, exception, trace):
        super().exit()
        is_ours = self.expired() and self._task.cancelling() <= self._n_cancels
        del self._task
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from exception

    def when(self):
        when = super().when()
        return None if math.isinf(when) else when

    def reschedule(self, when):
        if self.expired():
            raise RuntimeError("Cannot change the time of an expired timeout")
        super().reschedule(math.inf if when is None else when)


_timeout, _timeout_at = Loop.timeout, Loop.Timeout.at


def _begin_timeout(function, seconds):
    loop = get_running_loop()
    if loop.get_current_task() is None:
        raise RuntimeError("a timeout is for use inside a task")
    return function(loop, math.inf if seconds is None else seconds)


@_export
def timeout(delay):
    return _begin_timeout(_timeout, delay)


@_export
def timeout_at(when):
    return _begin_timeout(_timeout_at, when)


@_export
class TaskGroup:
    """asyncio's: ``async with TaskGroup() as group: group.create_task(coro)``.

    That of the library ends by waiting in a fiber.
    """

    def __init__(self):
        self._parent = None
        self._tasks = set()
        self._errors = []
        self._is_ending = self._is_aborting = self._has_cancelled_parent = False
        self._all_done = None

    async def __aenter__(self):
        if self._parent is not None:
            raise RuntimeError(f"{self!r} has already been entered")
        self._loop = get_running_loop()
        self._parent = get_running_loop().get_current_task()
        return self

    def create_task(self, coro, *, name=None, context=None):
        if self._parent is None or self._is_aborting or self._is_ending and not self._tasks:
            coro.close()
            raise RuntimeError(f"{self!r} is not active")
        task = self._loop.create_task(coro, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _abort(self):
        self._is_aborting = True
        for task in self._tasks:
            task.cancel()

    def _task_done(self, task):
        self._tasks.discard(task)
        if not self._tasks and self._all_done is not None and not self._all_done.done():
            self._all_done.set_result(None)
        exception = None if task.cancelled() else task.exception()
        if exception is None:
            return
        self._errors.append(exception)
        if self._is_aborting or self._has_cancelled_parent or self._parent.done():
            return
        self._abort()
        if not self._is_ending:
            self._has_cancelled_parent = True
            self._parent.cancel()

    async def __aexit__(self, kind, exception, trace):
        self._is_ending = True
        cancelled = exception if isinstance(exception, asyncio.CancelledError) else None
        if self._has_cancelled_parent and self._parent.uncancel() == 0:
            cancelled = None
        if exception is not None and not self._is_aborting:
            self._abort()
        while self._tasks:
            self._all_done = self._loop.create_future()
            try:
                await self._all_done
            except asyncio.CancelledError as error:
                if not self._is_aborting:
                    cancelled = error
                    self._abort()
        if exception is not None and not isinstance(exception, asyncio.CancelledError):
            self._errors.append(exception)
        try:
            if self._errors:
                raise BaseExceptionGroup("unhandled errors in a TaskGroup", self._errors)
            if cancelled is not None:
                raise cancelled
        finally:
            del cancelled, exception, trace
            self._errors = []
        return self._has_cancelled_parent


# --- Primitives -----------------------------------------------------------------------------------------------------


def _primitive(cls):
    """One that is made as asyncio's are, for the running loop, or for one that is given."""

    def __new__(cls, *args, loop=None, **kwargs):
        return cls._make(loop or get_running_loop(), *args, **kwargs)

    cls.__new__ = __new__
    # The library has initialised it.
    cls.__init__ = lambda self, *args, **kwargs: None
    return _override(cls)


class _Held:
    async def __aenter__(self):
        await self.acquire()

    async def __aexit__(self, kind, exception, trace):
        self.release()


@_primitive
class Lock(_Held, Loop.Lock):
    _make = Loop.Lock.new


@_primitive
class Event(Loop.Event):
    _make = Loop.Event.new


@_primitive
class Condition(_Held, Loop.Condition):
    _new = Loop.Condition.new

    @classmethod
    def _make(cls, loop, lock=None):
        return cls._new(loop, lock)

    async def wait_for(self, predicate):
        result = predicate()
        while not result:
            await self.wait()
            result = predicate()
        return result

    def notify(self, n=1):
        call(super().notify, n)


def _check_value(value):
    if value < 0:
        raise ValueError("Semaphore initial value must be >= 0")
    return value


@_primitive
class Semaphore(_Held, Loop.Semaphore):
    _new = Loop.Semaphore.new

    @classmethod
    def _make(cls, loop, value=1):
        return cls._new(loop, _check_value(value))


@_export
def BoundedSemaphore(value=1, *, loop=None):
    _check_value(value)
    return Loop.Semaphore.new_bounded(loop or get_running_loop(), value)


@_primitive
class Barrier(Loop.Barrier):
    _new = Loop.Barrier.new

    @classmethod
    def _make(cls, loop, parties):
        if parties < 1:
            raise ValueError("parties must be > 0")
        return cls._new(loop, parties)

    parties = property(Loop.Barrier.get_parties)
    n_waiting = property(Loop.Barrier.get_n_waiting)
    broken = property(Loop.Barrier.is_broken)

    async def __aenter__(self):
        return await self.wait()

    async def __aexit__(self, kind, exception, trace):
        pass


def _compare(a, b):
    a, b = from_value(a), from_value(b)
    try:
        return (a > b) - (a < b)
    except Exception as exception:
        context = {"message": f"Items of a queue cannot be compared: {a!r}, {b!r}", "exception": exception}
        get_running_loop().call_exception_handler(context)
        return 0


@_primitive
class Queue(Loop.Queue):
    _new, _new_lifo, _new_priority = Loop.Queue.new, Loop.Queue.new_lifo, Loop.Queue.new_priority

    @classmethod
    def _make(cls, loop, maxsize=0):
        return cls._new(loop, max(maxsize, 0))

    maxsize = property(Loop.Queue.get_maxsize)
    qsize = Loop.Queue.get_size
    empty = Loop.Queue.is_empty
    full = Loop.Queue.is_full

    def put(self, item):
        return super().put(to_value(item))

    def put_nowait(self, item):
        call(super().put_nowait, to_value(item))

    def get_nowait(self):
        return from_value(call(super().get_nowait))

    def task_done(self):
        try:
            super().task_done()
        except GLib.Error as error:
            raise TaskDoneError(error.message, error.domain, error.code) from None

    def shutdown(self, immediate=False):
        super().shutdown(immediate)


@_export
def LifoQueue(maxsize=0, *, loop=None):
    return Queue._new_lifo(loop or get_running_loop(), max(maxsize, 0))


@_export
def PriorityQueue(maxsize=0, *, loop=None):
    """The smallest item comes first."""
    return Queue._new_priority(loop or get_running_loop(), max(maxsize, 0), _compare)
