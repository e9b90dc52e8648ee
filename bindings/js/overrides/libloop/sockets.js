// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The low-level socket operations, whose results are arrays: bytes as Uint8Array, or [first, second]; and
// the resolver.

const { Loop } = imports.gi;
const { extend } = imports.overrides.libloop.classes;

function toBytes (data)
{
  return typeof data === 'string' ? new TextEncoder ().encode (data) : data;
}

// GJS keeps no array where it is while C writes to it: what was received is copied.
function copyInto (buffer, data)
{
  new Uint8Array (buffer.buffer, buffer.byteOffset, buffer.byteLength).set (data);

  return data.length;
}

// C would see what is before it.
function checkName (name)
{
  if (typeof name === 'string' && name.includes ('\0'))
    throw new TypeError (`${JSON.stringify (name)} has a NUL in it`);

  return name;
}

function extendSockets ()
{
  extend (Loop.EventLoop, native => ({
    sock_sendall (socket, data)
    {
      return native.sock_sendall.call (this, socket, toBytes (data));
    },

    sock_sendfile (socket, file, offset = 0, count = -1, fallback = true)
    {
      return native.sock_sendfile.call (this, socket, file, offset, count ?? -1, fallback);
    },

    sock_sendto (socket, data, address)
    {
      return native.sock_sendto.call (this, socket, toBytes (data), address);
    },

    // @port: a number, or the name of a service, or null
    getaddrinfo (host, port, { family = 0, type = 0, proto = 0, flags = 0 } = {})
    {
      if (typeof port === 'number')
        return native.getaddrinfo.call (this, checkName (host), port, family, type, proto, flags);

      return this.getaddrinfo_service (checkName (host), checkName (port), family, type, proto, flags);
    },

    // @buffer: a Uint8Array or another view
    sock_recv_into (socket, buffer)
    {
      return this.create_task (async () => copyInto (buffer, await this.sock_recv (socket, buffer.byteLength)));
    },

    sock_recvfrom_into (socket, buffer)
    {
      return this.create_task (async () => {
        const [data, address] = await this.sock_recvfrom (socket, buffer.byteLength);

        return [copyInto (buffer, data), address];
      });
    },
  }));
}
