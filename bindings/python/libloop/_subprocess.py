# SPDX-License-Identifier: LGPL-2.1-or-later
"""Child processes: asyncio's transports, and a descriptor that tells of each one's end.

No child watcher is needed, no SIGCHLD, no thread, and no child is waited for but our own.
"""

import os
from asyncio.log import logger
from asyncio.unix_events import _UnixSubprocessTransport, waitstatus_to_exitcode


def _child_exited(loop, pidfd, transport):
    loop._remove_reader(pidfd)
    os.close(pidfd)
    pid = transport.get_pid()
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        # Somebody has waited for all children there are; asyncio says 255 then.
        logger.warning("child process pid %d exit status already read:  will report returncode 255", pid)
        returncode = 255
    else:
        returncode = waitstatus_to_exitcode(status)
    transport._process_exited(returncode)


async def make_transport(loop, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=None, **kwargs):
    waiter = loop.create_future()
    transport = _UnixSubprocessTransport(loop, protocol, args, shell, stdin, stdout, stderr, bufsize, waiter=waiter,
                                         extra=extra, **kwargs)
    pidfd = os.pidfd_open(transport.get_pid())
    loop._add_reader(pidfd, _child_exited, loop, pidfd, transport)
    try:
        await waiter
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:
        transport.close()
        await transport._wait()
        raise
    return transport
