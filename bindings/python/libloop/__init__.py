# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncio on libloop: an event loop on GLib's main context.

    import libloop

    libloop.run(main())

runs a coroutine as asyncio.run() does. Where a loop factory is asked for, it is
libloop.new_event_loop:

    with asyncio.Runner(loop_factory=libloop.new_event_loop) as runner:
        runner.run(main())

A loop that is made for a main context of somebody else, such as that of a GTK
application, runs whenever that context is iterated: libloop.new_event_loop(context).
"""

from ._event_loop import EventLoop
from ._gio import from_gio
from ._run import EventLoopPolicy, install, new_event_loop, run

__all__ = ("EventLoop", "EventLoopPolicy", "from_gio", "install", "new_event_loop", "run")
