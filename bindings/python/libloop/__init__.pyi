# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gi.repository import Gio, GLib

_T = TypeVar("_T")

class EventLoop(asyncio.SelectorEventLoop):
    def __init__(self, context: GLib.MainContext | None = None) -> None: ...

class EventLoopPolicy(asyncio.DefaultEventLoopPolicy): ...

def new_event_loop(context: GLib.MainContext | None = None) -> EventLoop: ...
def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T: ...
def install() -> None: ...
async def from_gio(
    start: Callable[..., None],
    *args: Any,
    finish: Callable[[Gio.AsyncResult], Any] | None = None,
    cancellable: Gio.Cancellable | None = None,
) -> Any: ...

__all__: tuple[str, ...]
