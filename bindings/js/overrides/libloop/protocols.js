// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Protocols that throw.

const { GObject, Loop } = imports.gi;
const { goOn, report } = imports.overrides.libloop.callbacks;

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

// GJS takes the functions of a class when it registers it. The class itself keeps its own.
function guardProtocols ()
{
  const classInit = GObject.Object._classInit;

  GObject.Object._classInit = function (klass) {
    const isProtocol = klass[GObject.interfaces]?.some (i => i === Loop.Protocol || i === Loop.SubprocessProtocol);
    const own = Object.entries (Object.getOwnPropertyDescriptors (klass.prototype))
      .filter (([name, { value }]) => isProtocol && name.startsWith ('vfunc_') && typeof value === 'function');

    for (const [name, descriptor] of own)
      Object.defineProperty (klass.prototype, name, { ...descriptor, value: guardedVFunc (name, descriptor.value) });
    try
      {
        return classInit.call (this, klass);
      }
    finally
      {
        for (const [name, descriptor] of own)
          Object.defineProperty (klass.prototype, name, descriptor);
      }
  };
}
