# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names and addresses, as the socket module has them."""

import os
import socket

from gi.repository import Gio, GLib

from ..module import get_introspection_module

Loop = get_introspection_module("Loop")

_CODES = {
    Gio.ResolverError.NOT_FOUND: socket.EAI_NONAME,
    Gio.ResolverError.TEMPORARY_FAILURE: socket.EAI_AGAIN,
    Gio.ResolverError.INTERNAL: socket.EAI_FAIL,
}


def _to_name(name):
    if name is None:
        return None
    name = os.fsdecode(name)
    if "\0" in name:
        # C would see what is before it.
        raise ValueError("embedded null character")
    return name


def _to_sockaddr(address):
    numbers = address.get_address().to_string(), address.get_port()
    if address.get_family() == Gio.SocketFamily.IPV6:
        return *numbers, address.get_flowinfo(), address.get_scope_id()
    return numbers


def _to_tuple(info):
    family, kind = socket.AddressFamily(info.get_family()), socket.SocketKind(info.get_socktype())
    return family, kind, info.get_proto(), info.get_canonname() or "", _to_sockaddr(info.get_address())


def _to_address(sockaddr):
    if isinstance(sockaddr, Gio.SocketAddress):
        return sockaddr
    host, port, flowinfo, scope = (*sockaddr, 0, 0)[:4]
    try:
        address = Gio.InetSocketAddress.new_from_string(_to_name(host), port)
    except TypeError:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not a numeric address") from None
    if address.get_family() == Gio.SocketFamily.IPV6 and (flowinfo or scope):
        return Gio.InetSocketAddress(address=address.get_address(), port=port, flowinfo=flowinfo, scope_id=scope)
    return address


async def _looking_up(future, convert):
    # What PyGObject makes of the result is only good while the future has it.
    try:
        return convert(await future)
    except GLib.Error as error:
        if error.domain != GLib.quark_to_string(Gio.resolver_error_quark()):
            raise
        failure = socket.gaierror(_CODES[error.code], error.message)
    raise failure


class Resolver:
    """A part of the event loop."""

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):
        options = int(family), int(type), int(proto), int(flags)
        if isinstance(port, int):
            future = super().getaddrinfo(_to_name(host), port, *options)
        else:
            future = super().getaddrinfo_service(_to_name(host), _to_name(port), *options)
        return await _looking_up(future, lambda result: [_to_tuple(info) for info in result.get_addresses()])

    async def getnameinfo(self, sockaddr, flags=0):
        future = super().getnameinfo(_to_address(sockaddr), flags)
        return await _looking_up(future, lambda result: (result.get_host(), result.get_service()))
