// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The low-level socket operations. Their results are arrays: bytes as Uint8Array, or [first, second].

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

function extendSockets ()
{
  extend (Loop.EventLoop, native => ({
    sock_sendall (socket, data)
    {
      return native.sock_sendall.call (this, socket, toBytes (data));
    },

    sock_sendto (socket, data, address)
    {
      return native.sock_sendto.call (this, socket, toBytes (data), address);
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
