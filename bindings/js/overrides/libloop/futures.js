// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Futures that can be awaited, with any value.

const { Loop } = imports.gi;
const { guarded } = imports.overrides.libloop.callbacks;
const { extend, last } = imports.overrides.libloop.classes;
const { fromError, toError } = imports.overrides.libloop.exceptions;
const { getResult, keepResult, toValue } = imports.overrides.libloop.values;

function extendFuture ()
{
  extend (Loop.Future, native => ({
    // asyncio's exception (): null if there is a result.
    exception ()
    {
      return fromError (native.exception.call (this), this);
    },

    // The GValue of a future without a result makes GJS fail in its own way.
    result ()
    {
      const error = native.exception.call (this);

      if (error !== null)
        throw fromError (error, this);

      return getResult (this, () => last (native.result.call (this)));
    },

    set_exception (exception)
    {
      return native.set_exception.call (this, toError (exception, this));
    },

    set_result (result)
    {
      native.set_result.call (this, toValue (result));
      keepResult (this, result);

      return true;
    },

    add_done_callback (callback, ...args)
    {
      return native.add_done_callback.call (this, guarded (callback, args));
    },

    // What is awaited is kept until it is done.
    then (onFulfilled, onRejected)
    {
      return new Promise ((resolve, reject) => {
        const settle = () => {
          try
            {
              resolve (this.result ());
            }
          catch (e)
            {
              reject (e);
            }
        };

        if (this.done ())
          settle ();
        else
          this.add_done_callback (settle);
      }).then (onFulfilled, onRejected);
    },

    catch (onRejected)
    {
      return this.then (undefined, onRejected);
    },

    finally (onFinally)
    {
      return this.then ().finally (onFinally);
    },
  }));
}
