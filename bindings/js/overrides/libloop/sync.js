// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Queues of any value, and what else is given functions.

const { GLib, Loop } = imports.gi;
const { guarded } = imports.overrides.libloop.callbacks;
const { extend, last } = imports.overrides.libloop.classes;
const { fromValue, toValue } = imports.overrides.libloop.values;

function extendQueue ()
{
  const { new_priority: newPriority } = Loop.Queue;

  extend (Loop.Queue, native => ({
    put (item)
    {
      return native.put.call (this, toValue (item));
    },

    put_nowait (item)
    {
      return native.put_nowait.call (this, toValue (item));
    },

    // See Future.result ().
    get_nowait ()
    {
      if (!this.is_empty ())
        return fromValue (last (native.get_nowait.call (this)));

      const item = this.get ();

      if (item.done ())
        return item.result ();

      item.cancel ();
      throw new GLib.Error (Loop.Error, Loop.Error.QUEUE_EMPTY, 'The queue is empty');
    },
  }));

  Loop.Queue.new_priority = (loop, maxsize, compare) =>
    newPriority (loop, maxsize, guarded ((a, b) => compare (fromValue (a), fromValue (b)), [], loop, 0));
}

function extendCondition ()
{
  extend (Loop.Condition, native => ({
    wait_for (predicate)
    {
      return native.wait_for.call (this, guarded (predicate, [], null, false));
    },
  }));
}
