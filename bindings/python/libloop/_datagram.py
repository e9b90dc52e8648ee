# SPDX-License-Identifier: LGPL-2.1-or-later
"""Datagram transports: asyncio's, which before Python 3.13 sent no empty datagrams and did not count them."""

import sys
from asyncio.selector_events import _SelectorDatagramTransport

# What each datagram that waits is counted for besides its data, as in Python 3.13.
_HEADER_SIZE = 8


class _Empty(bytes):
    """No data, but data: asyncio asks whether there is any before it sends."""

    def __bool__(self):
        return True


class DatagramTransport(_SelectorDatagramTransport):
    """What create_datagram_endpoint() makes."""

    if sys.version_info < (3, 13):

        def sendto(self, data, addr=None):
            """Send a datagram, which may be empty, to ADDR or whoever the transport is connected to."""
            if isinstance(data, (bytes, bytearray, memoryview)) and not data:
                data = _Empty()
            super().sendto(data, addr)

        def get_write_buffer_size(self):
            """Return how many bytes wait to be sent, with 8 more for each datagram."""
            return self._buffer_size + _HEADER_SIZE * len(self._buffer)
