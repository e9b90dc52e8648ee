# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a loop gets to be the one that a program runs on."""

import asyncio

from ._event_loop import EventLoop


def new_event_loop(context=None):
    """Make an event loop: on a main context of its own, or on the GLib.MainContext that is given."""
    return EventLoop(context)


def run(main, *, debug=None):
    """Run a coroutine on a new event loop and return its result, as asyncio.run() does."""
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("libloop.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """For programs that are told of their loop by a policy. asyncio gives policies up in Python 3.16."""

    def _loop_factory(self):
        return new_event_loop()


def install():
    """Make new_event_loop() what asyncio.run() and asyncio.new_event_loop() call."""
    asyncio.set_event_loop_policy(EventLoopPolicy())
