// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Async functions, generators and promises as coroutines.

const { Gio, GLib, GObject, Loop } = imports.gi;
const { goOn } = imports.overrides.libloop.callbacks;
const { extend } = imports.overrides.libloop.classes;
const { fromError, toError } = imports.overrides.libloop.exceptions;
const { keepResult, toValue } = imports.overrides.libloop.values;

function isThenable (value)
{
  return typeof value?.then === 'function';
}

function isGenerator (value)
{
  return typeof value?.next === 'function' && typeof value.throw === 'function';
}

function isCancellation (exception)
{
  return exception instanceof GLib.Error && exception.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
}

// The future of a promise, for a task to wait for.
function toFuture (value, loop)
{
  if (value === null || value === undefined || value instanceof Loop.Future)
    return value ?? null;
  if (!isThenable (value))
    throw new TypeError (`Neither a future nor a promise: ${String (value)}`);

  const future = loop.create_future ();

  value.then (result => future.done () || future.set_result (result),
              exception => future.done () || future.set_exception (exception));

  return future;
}

// An async function cannot be cancelled from outside: it may ask its argument, a Gio.Cancellable.
function* call (func)
{
  const cancellable = new Gio.Cancellable ();

  try
    {
      const result = func (cancellable);

      if (isGenerator (result))
        return yield* result;

      return isThenable (result) ? yield result : result;
    }
  catch (e)
    {
      if (isCancellation (e))
        cancellable.cancel ();
      throw e;
    }
}

// A generator that yields futures, promises, or nothing to let others have their turn.
const Coroutine = GObject.registerClass ({
  GTypeName: 'LoopJSCoroutine',
  Implements: [Loop.Coroutine],
}, class extends GObject.Object {
  constructor (generator, name)
  {
    super ();
    Object.assign (this, { generator, name, awaited: null });
  }

  vfunc_get_name ()
  {
    return this.name || '(anonymous)';
  }

  vfunc_send ()
  {
    let result;

    try
      {
        result = this.awaited?.result ();
      }
    catch (e)
      {
        return this.step ('throw', e);
      }

    return this.step ('next', result);
  }

  vfunc_throw_exception (error)
  {
    return this.step ('throw', fromError (error));
  }

  vfunc_close ()
  {
    this.generator.return ();
  }

  step (how, value)
  {
    const loop = Loop.EventLoop.get_running ();
    const task = loop?.get_current_task () ?? {};

    try
      {
        const step = this.generator[how] (value);

        if (step.done)
          {
            keepResult (task, step.value);
            return [Loop.CoroutineStatus.RETURNED, null, toValue (step.value)];
          }

        this.awaited = toFuture (step.value, loop);
        return [Loop.CoroutineStatus.AWAITING, this.awaited, null];
      }
    catch (e)
      {
        throw toError (e, task);
      }
    finally
      {
        goOn ();
      }
  }
});

function toCoroutine (value)
{
  if (value instanceof GObject.Object && value instanceof Loop.Coroutine)
    return value;
  if (typeof value === 'function')
    return new Coroutine (call (value), value.name);
  if (isGenerator (value))
    return new Coroutine (value, 'generator');
  if (isThenable (value))
    return new Coroutine (call (() => value), 'promise');

  throw new TypeError (`Neither a function, a generator nor a promise: ${String (value)}`);
}

function ensureFuture (value, loop)
{
  return value instanceof Loop.Future ? value : loop.create_task (value);
}

// See Future.result ().
function extendCoroutine ()
{
  extend (Loop.Coroutine, () => ({
    send ()
    {
      return this.vfunc_send ();
    },

    throw (exception)
    {
      return this.vfunc_throw_exception (toError (exception, this));
    },
  }));
}
