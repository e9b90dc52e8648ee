# SPDX-License-Identifier: LGPL-2.1-or-later
"""Awaiting GIO's asynchronous methods."""

import asyncio
import importlib


def _find_finish(start, source):
    """What ends a call that START has begun: read_bytes_finish() for read_bytes_async()."""
    name = start.__name__.removesuffix("_async") + "_finish"
    owner = source
    if owner is None:
        # A function, or a constructor.
        owner = importlib.import_module(f"gi.repository.{start.get_namespace()}")
        container = start.get_container()
        if container is not None:
            owner = getattr(owner, container.get_name())
    finish = getattr(owner, name, None)
    if finish is None:
        raise TypeError(f"{start.__name__}() has no {name}(); say what ends it with finish=")
    return finish


async def from_gio(start, *args, finish=None, cancellable=None):
    """Call an asynchronous method of GIO, and return what its finish method returns.

    ARGS are those before the Gio.Cancellable:

        data = await libloop.from_gio(stream.read_bytes_async, 4096, GLib.PRIORITY_DEFAULT)

    Errors are raised as GLib.Error. When the task that waits is cancelled, so is the call; the
    method ends, and then the task goes on.
    """
    from gi.repository import Gio, GLib

    if cancellable is None:
        cancellable = Gio.Cancellable()
    future = asyncio.get_running_loop().create_future()

    def done(source, result, *data):
        if not future.done():
            future.set_result((source, result))

    async def end():
        source, result = await future
        return (finish or _find_finish(start, source))(result)

    start(*args, cancellable, done)
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        cancellable.cancel()
        try:
            await end()
        except GLib.Error as error:
            if not error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED):
                raise
        raise
    return await end()
