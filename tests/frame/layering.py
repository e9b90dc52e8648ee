# SPDX-License-Identifier: LGPL-2.1-or-later
"""Includes point downward: a file of a layer includes its own layer and those below, never above.

A new file of libloop/ is one word in ROOMS. loop-NAME.c, loop-NAME.h and loop-NAME-private.h are
one room, and have one layer.
"""

import os
import re
import sys
from pathlib import Path

# The layers of the design, lowest first.
ROOMS = [
    ("core", """
        version visibility types error enums clock id registry
        handle timer-handle incoming ready-queue write-buffer timer-queue guard fork symbols traceback neighbours poller source metrics
        exception-context foreign-exception interpreter-hooks event-loop event-loop-iteration event-loop-list event-loop-run event-loop-calls event-loop-close event-loop-debug
    """),
    ("readiness", """
        fd-watcher signal-action signal-watcher event-loop-fd event-loop-signal
    """),
    ("futures", """
        awaitable future future-callbacks future-spares future-wait canceller task task-group coroutine composite-future
        fiber fiber-switch fiber-prepare fiber-stack fiber-overflow gather wait wait-for shield
        waiter lock event condition semaphore barrier queue queue-items
        sleep timeout async-generator event-loop-future event-loop-task
        executor executor-job executor-worker job-queue thread-pool
    """),
    ("transports", """
        protocol buffered-protocol buffered-protocol-vtable datagram-protocol subprocess-protocol subprocess-protocol-vtable base-transport transport
        protocol-vtable socket-transport socket-transport-read socket-transport-write pipe-transport
        datagram-transport datagram-transport-send datagram-batch datagram-protocol-vtable address-cache
        flow-transport flow-transport-write read-buffer sigpipe
    """),
    ("TLS", """
        tls-context tls-engine tls-transport
    """),
    ("connections", """
        resolver options socket make-socket-transport unix-path connect-pipe create-server connection-options server-options datagram-options datagram-endpoint connector connection
        happy-eyeballs listener server sock sendfile stream stream-read stream-reader stream-reader-protocol stream-result stream-writer
        io-channel io-wait io-input-stream io-output-stream io-stream
        connect-accepted create-unix-server connecting unix-connector listen-fds
        io-stream-transport io-stream-transport-read io-stream-transport-write connect-io-stream
        file-source file-source-read sock-sendfile
        event-loop-server event-loop-connection event-loop-sock event-loop-datagram
        sock-accept sock-connect sock-receive sock-send sock-wait address-info
    """),
    ("offload", """
        thread-pool-executor process-pool-executor
        process process-frame process-function process-pool process-worker zygote zygote-main
        child child-spawn child-watcher communicate subprocess subprocess-options subprocess-options-lists
        subprocess-pipe subprocess-result subprocess-transport event-loop-executor event-loop-subprocess
    """),
    ("inspection", """
        inspector inspector-socket inspector-auth inspector-clients inspector-rpc inspector-list inspector-state
        inspector-page inspector-columns inspector-views inspector-call-views inspector-object-views
        inspector-task-views inspector-offload-views
        inspector-actions inspector-interpreter
    """),
]

# Belongs to no layer: what it includes is the whole, and no room may include it.
UMBRELLA = "loop.h"

LAYER = {room: layer for layer, (_, rooms) in enumerate(ROOMS) for room in rooms.split()}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<libloop/([^>]+)>)')


def room_of(name):
    return re.sub(r"^loop-|(-private)?\.(c|h|S)$", "", name.removesuffix(".in"))


def describe(name):
    room = room_of(name)
    return f"{name} (layer {LAYER[room]}, {ROOMS[LAYER[room]][0]})"


def violations(path):
    """What is wrong with one file, as lines to print."""
    room = room_of(path.name)
    if room not in LAYER:
        return [f'{path.name}: "{room}" is in no layer: add it to ROOMS in {Path(__file__).name}']

    wrong = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        name = match and Path(match[1] or match[2]).name
        if not name or name == "config.h":
            continue
        where = f"{path.name}:{number}"
        if name == UMBRELLA:
            wrong.append(f"{where} includes the umbrella {UMBRELLA}: include what is meant")
        elif room_of(name) not in LAYER:
            wrong.append(f"{where} includes {name}, which is in no layer")
        elif LAYER[room_of(name)] > LAYER[room]:
            wrong.append(f"{where} points upward: {describe(path.name)} includes {describe(name)}")
    return wrong


def main():
    source = Path(os.environ.get("LOOP_SRCDIR", Path(__file__).parents[2])) / "libloop"
    files = sorted(p for p in source.iterdir()
                   if re.search(r"\.(c|h|S|h\.in)$", p.name) and p.name != UMBRELLA)

    failed = 0
    for number, path in enumerate(files, 1):
        wrong = violations(path)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {path.name}")
        for line in wrong:
            print(f"# {line}")
    print(f"1..{len(files)}")
    return 1 if failed or not files else 0


sys.exit(main())
