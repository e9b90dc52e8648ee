# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses as Python's sockets have them, and as GIO does."""

import functools
import os

from gi.repository import Gio, GLib


def from_address(address):
    """A tuple for the internet, and a path, or the name in the abstract namespace, for a unix socket."""
    if isinstance(address, Gio.UnixSocketAddress):
        path = address.get_path()
        if address.get_address_type() == Gio.UnixSocketAddressType.ABSTRACT:
            return b"\0" + os.fsencode(path)
        return path
    if not isinstance(address, Gio.InetSocketAddress):
        return address
    host = address.get_address()
    pair = (host.to_string(), address.get_port())
    if host.get_family() == Gio.SocketFamily.IPV6:
        return (*pair, address.get_flowinfo(), address.get_scope_id())
    return pair


@functools.lru_cache(maxsize=256)
def _to_inet(host, port, flowinfo=0, scope=0):
    if not GLib.hostname_is_ip_address(host):
        return Gio.NetworkAddress.new(host, port)
    number = Gio.InetAddress.new_from_string(host)
    return Gio.InetSocketAddress(address=number, port=port, flowinfo=flowinfo, scope_id=scope)


def to_connectable(address):
    """Also of a name, which is still to be looked up."""
    if isinstance(address, (tuple, list)):
        host, *rest = address
        return _to_inet(host or "", *rest)
    if isinstance(address, (str, bytes, os.PathLike)):
        path = os.fsdecode(address)
        if path.startswith("\0"):
            kind, path = Gio.UnixSocketAddressType.ABSTRACT, path[1:]
        else:
            kind = Gio.UnixSocketAddressType.PATH
        return Gio.UnixSocketAddress.new_with_type(list(os.fsencode(path)), kind)
    return address


def to_address(address):
    address = to_connectable(address)
    if isinstance(address, Gio.NetworkAddress):
        raise ValueError(f"{address.get_hostname()!r} is no address: names are looked up for endpoints alone")
    return address
