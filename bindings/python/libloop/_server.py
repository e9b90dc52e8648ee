# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers: asyncio's, with what later versions of Python added."""

import os
import socket
from asyncio import base_events
from asyncio.log import logger


class Server(base_events.Server):
    """What create_server() returns."""

    def close_clients(self):
        """Close the connections, each once its buffer is written."""
        for transport in self._loop._transports_of(self):
            transport.close()

    def abort_clients(self):
        """Close the connections at once; what is buffered is lost."""
        for transport in self._loop._transports_of(self):
            transport.abort()


def keep_alive(server):
    for sock in server._sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)


def get_path(sock):
    """The file of a unix socket and its number, by which another one at the same path is known; or None."""
    path = sock.getsockname()
    # Not of those without a name, nor in the abstract namespace.
    if not path or path[0] in (0, "\0"):
        return None
    try:
        return path, os.stat(path).st_ino
    except FileNotFoundError:
        return None


def remove_path(path, number):
    try:
        if os.stat(path).st_ino == number:
            os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.error("Unable to clean up listening UNIX socket %r: %r", path, error)
