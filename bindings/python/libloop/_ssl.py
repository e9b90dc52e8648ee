# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS: asyncio's protocol for it, with what is called for each message in C."""

import ssl
from asyncio import sslproto

import _libloop


class SSLProtocol(_libloop.SSLProtocol, sslproto.SSLProtocol):
    """Encrypts and decrypts between a transport and an application's protocol."""

    # The base class makes a buffer of that size for each connection: there is none.
    max_size = 0

    def _get_app_transport(self):
        if self._app_transport is None:
            if self._app_transport_created:
                raise RuntimeError("The transport of this SSLProtocol was made already")
            self._app_transport = _libloop.SSLTransport(self._loop, self)
            self._app_transport_created = True
        return self._app_transport

    def _on_shutdown_complete(self, shutdown_exc):
        # The transport below is closed next, and takes nothing then: nor the end of TLS, kept back while it was full.
        if shutdown_exc is None and self._ssl_writing_paused:
            self._transport.write(self._outgoing.read())
        super()._on_shutdown_complete(shutdown_exc)


async def start_tls(loop, transport, protocol, sslcontext, **options):
    """Put TLS between a transport and the protocol that has used it, and return the transport on top."""
    if not isinstance(sslcontext, ssl.SSLContext):
        raise TypeError(f"sslcontext is to be an ssl.SSLContext, got {sslcontext!r}")
    if not getattr(transport, "_start_tls_compatible", False):
        raise TypeError(f"transport {transport!r} is not supported by start_tls()")

    handshake = loop.create_future()
    ssl_protocol = SSLProtocol(loop, protocol, sslcontext, handshake, call_connection_made=False, **options)

    # What the peer sends from now on is for the new protocol, which must have been told of its transport first.
    transport.pause_reading()
    transport.set_protocol(ssl_protocol)
    steps = [loop.call_soon(ssl_protocol.connection_made, transport), loop.call_soon(transport.resume_reading)]
    try:
        await handshake
    except BaseException:
        transport.close()
        for step in steps:
            step.cancel()
        raise
    return ssl_protocol._app_transport
