# SPDX-License-Identifier: LGPL-2.1-or-later
"""What inspectors are told of Python: tasks, what each waits for, and where a thread is.

It is asked in a thread of libloop's, while the loop's own may be anywhere in Python. So it only
looks: what is found is put into the list "kept", which is let go of where it may be freed.
"""

import functools
import gc
import os
import sys
import types
import weakref
from asyncio import futures, tasks
from asyncio.taskgroups import TaskGroup

import _libloop

# Of futures and tasks, in the sequence in which they were first seen.
_ids = weakref.WeakKeyDictionary()

_ASYNCIO = os.path.dirname(tasks.__file__) + os.sep
_PACKAGE = os.path.dirname(__file__) + os.sep
_AWAITABLES = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)

# How deep coroutines may be in one another.
_MAX_DEPTH = 100


def _get_id(future):
    found = _ids.get(future)
    if found is None:
        found = _ids[future] = _libloop._reserve_id()
    return found


def _place(path, line):
    return f"{os.path.basename(path)}:{line}"


# --- Coroutines -------------------------------------------------------------------------------


def _unwrap(awaited):
    """The coroutine or generator behind what "await" and "async for" make of it, or None."""
    if isinstance(awaited, _AWAITABLES):
        return awaited
    if awaited is None or futures.isfuture(awaited) or type(awaited).__module__ != "builtins":
        return None
    for referent in gc.get_referents(awaited):
        if isinstance(referent, _AWAITABLES):
            return referent
    return None


def _look_into(coroutine):
    """Its frame, its code, and what it waits for."""
    if isinstance(coroutine, types.CoroutineType):
        return coroutine.cr_frame, coroutine.cr_code, coroutine.cr_await
    if isinstance(coroutine, types.AsyncGeneratorType):
        return coroutine.ag_frame, coroutine.ag_code, coroutine.ag_await
    return coroutine.gi_frame, coroutine.gi_code, coroutine.gi_yieldfrom


def _get_chain(coroutine, kept):
    """From the task's own coroutine to the innermost: the code of each, and the line it is at."""
    chain = []
    while (coroutine := _unwrap(coroutine)) is not None and len(chain) < _MAX_DEPTH:
        frame, code, awaited = _look_into(coroutine)
        kept += coroutine, frame
        chain.append((code, frame.f_lineno if frame is not None else code.co_firstlineno))
        coroutine = awaited
    return chain


# --- Tasks ------------------------------------------------------------------------------------


def _unwrap_partial(callback):
    return callback.func if isinstance(callback, functools.partial) else callback


def _get_futures(callback):
    """The futures that a done callback of asyncio's is about: of gather, wait, shield and the like."""
    if not str(getattr(_unwrap_partial(callback), "__module__", "")).startswith("asyncio."):
        return []
    if isinstance(callback, types.MethodType):
        group = callback.__self__
        found = (group._on_completed_fut,) if isinstance(group, TaskGroup) else ()
    elif isinstance(callback, types.FunctionType):
        found = []
        for cell in callback.__closure__ or ():
            try:
                found.append(cell.cell_contents)
            except ValueError:
                pass
    else:
        found = getattr(callback, "args", ())
    return [waiter for waiter in found if futures.isfuture(waiter) and not waiter.done()]


def _get_state(task, current, waiter):
    if task is current:
        return "running"
    if task.cancelling():
        return "cancelling"
    return "ready" if waiter is None or waiter.done() else "waiting"


def _name_by_callback(callback):
    """What a future stands for, by what is to fulfil it: "shield" of "shield.<locals>._inner_done_callback"."""
    name, _, rest = getattr(_unwrap_partial(callback), "__qualname__", "").partition(".<locals>.")
    return name if rest else "future"


def _name_by_chain(chain):
    """What a future stands for that a task waits for: the function of asyncio's that does."""
    name = "future"
    for code, _ in reversed(chain):
        if not code.co_filename.startswith(_ASYNCIO):
            break
        if name == "future" or "._" not in f".{code.co_qualname}":
            name = code.co_qualname
    return name


def _is_own(frame):
    return frame.filename.startswith((_ASYNCIO, _PACKAGE))


def _format_frame(frame):
    return f"{_place(frame.filename, frame.lineno)} {frame.name}"


def format_traceback(frames):
    """Who made a thing: a line for each, the innermost last. Those within asyncio are left out if others are left."""
    inner = list(frames)
    # Who runs the loop is not who made it.
    for i in range(len(inner) - 1, -1, -1):
        if inner[i].name == "run_forever" and _is_own(inner[i]):
            del inner[:i + 1]
            break
    found = inner
    while found and _is_own(found[-1]):
        found = found[:-1]
    return "".join(f"  {_format_frame(frame)}\n" for frame in found or inner or frames)


def _get_created(future):
    """The innermost of those who made it, in debug mode."""
    frames = getattr(future, "_source_traceback", None)
    return format_traceback(frames).splitlines()[-1].strip() if frames else None


def _get_callbacks(future):
    # Futures of other kinds need not have them.
    return getattr(future, "_callbacks", None) or ()


class _Graph:
    """Tasks, the futures that they wait for, and who waits for which."""

    def __init__(self, loop, kept):
        self.kept = kept
        self.tasks = []
        self.futures = {}
        self.awaits = {}
        current = tasks.current_task(loop)
        found = tasks.all_tasks(loop)
        kept += found
        for task in found:
            self.add_task(task, current)
        seen = set(found)
        path = [*found, *self.futures]
        while path:
            path += self.add_neighbours(path.pop(), seen)

    def add_task(self, task, current):
        waiter = task._fut_waiter
        coroutine = task.get_coro()
        chain = _get_chain(coroutine, self.kept)
        row = {"id": _get_id(task), "name": task.get_name(), "state": _get_state(task, current, waiter),
               "coroutine": getattr(coroutine, "__qualname__", type(coroutine).__qualname__),
               "cancelling": task.cancelling()}
        own = [(code, line) for code, line in chain if not code.co_filename.startswith(_ASYNCIO)] or chain
        if own:
            row["where"] = _place(own[-1][0].co_filename, own[-1][1])
            row["chain"] = " → ".join(f"{code.co_qualname} {_place(code.co_filename, line)}" for code, line in chain)
        if (created := _get_created(task)) is not None:
            row["created"] = created
        if waiter is not None and not waiter.done():
            row["awaits"] = _get_id(waiter)
            if isinstance(waiter, tasks.Task):
                row["awaited"] = waiter.get_name()
            else:
                gathers = isinstance(waiter, tasks._GatheringFuture)
                row["awaited"] = self.add_future(waiter, "gather" if gathers else _name_by_chain(chain))
            self.add_edge(task, waiter)
        self.tasks.append(row)

    def add_future(self, future, name):
        row = self.futures.get(future)
        if row is None:
            self.kept.append(future)
            row = self.futures[future] = {"id": _get_id(future), "name": name, "state": "pending",
                                          "callbacks": len(_get_callbacks(future)), "waiters": 0}
            if (created := _get_created(future)) is not None:
                row["created"] = created
        return row["name"]

    def add_edge(self, waiter, future):
        edge = _get_id(waiter), _get_id(future)
        if edge in self.awaits:
            return
        self.awaits[edge] = {"id": _libloop._reserve_id(), "waiter": edge[0], "future": edge[1]}
        row = self.futures.get(future)
        if row is not None:
            row["waiters"] += 1
            row.setdefault("waiter", edge[0])

    def add_neighbours(self, future, seen):
        """Those that wait for a future, and those that it gathers. Returns what has not been looked at before."""
        edges = []
        for callback, _ in _get_callbacks(future):
            self.kept.append(callback)
            name = _name_by_callback(callback)
            if name == "shield" and callback.__name__ == "_outer_done_callback":
                # It belongs to the future that waits for the one that is shielded.
                self.futures.get(future, {})["name"] = name
                edges += [(future, shielded, shielded, "future") for shielded in _get_futures(callback)]
            else:
                edges += [(waiter, future, waiter, name) for waiter in _get_futures(callback)]
        edges += [(future, child, child, "future") for child in getattr(future, "_children", ()) if not child.done()]
        found = []
        for waiter, awaited, other, name in edges:
            if other not in seen and not isinstance(other, tasks.Task):
                seen.add(other)
                found.append(other)
                self.add_future(other, name)
            self.add_edge(waiter, awaited)
        return found


def _list_tasks(loop, argument, kept):
    graph = _Graph(loop, kept)
    return {"tasks": graph.tasks, "futures": list(graph.futures.values()), "awaits": list(graph.awaits.values())}


# --- Where the loop's thread is ---------------------------------------------------------------


def _get_stack(loop, argument, kept):
    """Of the thread with that number, the innermost function first."""
    stack = []
    current = sys._current_frames()
    kept += current.values()
    frame = current.get(argument)
    del current
    while frame is not None:
        kept.append(frame)
        stack.append({"function": frame.f_code.co_qualname, "file": frame.f_code.co_filename,
                      "line": frame.f_lineno or frame.f_code.co_firstlineno})
        frame = frame.f_back
    return {"stack": stack}


# --- Acting -----------------------------------------------------------------------------------


def _cancel(loop, argument, kept):
    """On the loop's thread."""
    number, message = argument
    for future, found in list(_ids.items()):
        if found == number and futures._get_loop(future) is loop:
            return {"done": int(future.cancel(message or None))}
    return {"done": 0}


_ANSWERS = {"tasks": _list_tasks, "stack": _get_stack, "cancel": _cancel}


def answer(loop, question, argument, kept):
    """A dictionary of numbers, strings, and lists of such dictionaries."""
    return _ANSWERS[question](loop, argument, kept)
