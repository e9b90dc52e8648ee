// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Protocols that throw, and those with memory of their own.

const { GObject, Loop } = imports.gi;
const { goOn, report } = imports.overrides.libloop.callbacks;
const { extend } = imports.overrides.libloop.classes;
const { toError } = imports.overrides.libloop.exceptions;

// The transports of those that may fail.
const transports = new WeakMap ();

// A protocol that cannot take what it is sent loses its connection, as in asyncio.
function guardedVFunc (name, vfunc)
{
  return function (...args) {
    if (name === 'vfunc_connection_made')
      transports.set (this, args[0]);
    try
      {
        return vfunc.apply (this, args);
      }
    catch (e)
      {
        // The library tells of it, and ends the connection.
        if (name === 'vfunc_get_buffer')
          throw toError (e, this);

        const transport = transports.get (this);

        report (`Exception in ${name.slice ('vfunc_'.length)} of ${this.constructor.name}`, e,
                Loop.EventLoop.get_running (), { protocol: this, transport });
        if (name === 'vfunc_data_received' || name === 'vfunc_eof_received')
          transport?.abort ();
        return undefined;
      }
    finally
      {
        if (name === 'vfunc_connection_lost')
          transports.delete (this);
        goOn ();
      }
  };
}

// The memory that is to be filled next.
const buffers = new WeakMap ();

// JavaScript's memory has no address: the library reads as much as there is room for, and it is copied.
const bufferedVFuncs = {
  vfunc_get_buffer (sizehint)
  {
    const buffer = this.vfunc_get_buffer (sizehint);

    if (!(buffer instanceof Uint8Array))
      throw new TypeError (`vfunc_get_buffer () is to return a Uint8Array, not ${String (buffer)}`);
    buffers.set (this, buffer);

    return buffer.length;
  },

  vfunc_data_received (data)
  {
    buffers.get (this).set (data);
    buffers.delete (this);
    this.vfunc_buffer_updated?.(data.length);
  },
};

// GJS takes the functions of a class when it registers it. The class itself keeps its own.
function guardProtocols ()
{
  const classInit = GObject.Object._classInit;
  const protocols = [Loop.Protocol, Loop.BufferedProtocol, Loop.DatagramProtocol, Loop.SubprocessProtocol];

  GObject.Object._classInit = function (klass) {
    const interfaces = klass[GObject.interfaces] ?? [];
    const isProtocol = interfaces.some (i => protocols.includes (i));
    const own = Object.fromEntries (Object.entries (Object.getOwnPropertyDescriptors (klass.prototype))
      .filter (([name, { value }]) => isProtocol && name.startsWith ('vfunc_') && typeof value === 'function'));
    const vfuncs = Object.fromEntries (Object.entries (own).map (([name, { value }]) => [name, value]));

    if ('vfunc_get_buffer' in own && interfaces.includes (Loop.BufferedProtocol))
      Object.assign (vfuncs, bufferedVFuncs);

    for (const [name, vfunc] of Object.entries (vfuncs))
      Object.defineProperty (klass.prototype, name, { configurable: true, ...own[name], value: guardedVFunc (name, vfunc) });
    try
      {
        return classInit.call (this, klass);
      }
    finally
      {
        for (const name in vfuncs)
          delete klass.prototype[name];
        Object.defineProperties (klass.prototype, own);
      }
  };

  // Its protocol has one to abort, though it was not there when the connection was made.
  extend (Loop.Transport, native => ({
    set_protocol (protocol)
    {
      native.set_protocol.call (this, protocol);
      transports.set (protocol, this);
    },
  }));
}
