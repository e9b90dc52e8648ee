#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes of asyncio, one after another."""

import asyncio
import json
import resource
import sys
import time

from measure import pin, waited_s


class Protocol(asyncio.SubprocessProtocol):
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc):
        self.lost.set_result(None)


async def spawn(count):
    loop = asyncio.get_running_loop()
    for _ in range(count):
        _, protocol = await loop.subprocess_exec(Protocol, "/bin/true", stdin=None, stdout=None, stderr=None)
        await protocol.lost


def main():
    count = max(int(1000 * float(sys.argv[1] if len(sys.argv) > 1 else 1)), 100)
    pin()
    # The default of later versions, where it is possible.
    asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())
    before = resource.getrusage(resource.RUSAGE_SELF)
    waited_before = waited_s()
    started = time.monotonic()
    asyncio.run(spawn(count))
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    user = after.ru_utime - before.ru_utime
    print(json.dumps({"mode": "spawn", "ops": count, "ns_per_op": elapsed / count * 1e9, "rate": count / elapsed,
                      "user_ns": user / count * 1e9,
                      "cpu_ns": (user + after.ru_stime - before.ru_stime) / count * 1e9, "wall_s": elapsed,
                      "waited_s": waited_s() - waited_before}))


main()
