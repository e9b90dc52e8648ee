# SPDX-License-Identifier: LGPL-2.1-or-later
"""Paths of unix sockets, and what asyncio says of them."""

import os


def to_path(path, sock):
    """A path as the library has it: it knows abstract names by ``@``, and Python by NUL, where ``@`` begins a file's."""
    if path is None:
        if sock is None:
            raise ValueError("no path and sock were specified")
        return None
    if sock is not None:
        raise ValueError("path and sock can not be specified at the same time")
    path = os.fsdecode(path)
    if path.startswith("\0"):
        path = "@" + path[1:]
    elif path.startswith("@"):
        path = "./" + path
    if "\0" in path:
        raise ValueError(f"embedded null character in the path of a socket: {path!r}")
    return path
