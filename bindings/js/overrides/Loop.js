// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What introspection alone does not give JavaScript: futures that can be awaited, coroutines,
// any value as a result, and exceptions that reach the loop's exception handler.
//
// GJS goes on with what awaits a promise from the default main context, and so a loop made with
// "new Loop.EventLoop ()" lives on that one. While a loop runs on another context, promises go on
// after each of its callbacks; those that a foreign source on that context resolves, after the next.

/* exported _init */

const { Gio, GLib, GObject } = imports.gi;
const { drainMicrotaskQueue } = imports._promiseNative;

let Loop;
let Value;
let Coroutine;

// --- Exceptions ---------------------------------------------------------------------------------

// A GError has a number in the place of the JavaScript exception that it stands for. Whoever is
// to keep the exception for it, such as a future, has the holder in this property.
const HOLDER = Symbol ('the holder of the exception');
const DOMAIN = GLib.quark_from_string ('loop-js-error-quark');
const holders = new Map ();
let nHolders = 0;
let pruneAt = 64;

function toError (exception, keeper)
{
  if (exception instanceof GLib.Error)
    return exception;

  if (holders.size >= pruneAt)
    {
      for (const [id, reference] of holders)
        {
          if (reference.deref () === undefined)
            holders.delete (id);
        }
      pruneAt = Math.max (64, 2 * holders.size);
    }

  nHolders = (nHolders + 1) & 0x7fffffff;
  keeper[HOLDER] = { exception };
  holders.set (nHolders, new WeakRef (keeper[HOLDER]));

  return new GLib.Error (DOMAIN, nHolders, `${String (exception)}\n${exception?.stack ?? ''}`.trim ());
}

function fromError (error)
{
  const holder = error?.domain === DOMAIN ? holders.get (error.code)?.deref () : undefined;

  return holder === undefined ? error : holder.exception;
}

// --- Promises on other contexts -----------------------------------------------------------------

const IS_PRIVATE = Symbol ('whether the context of the loop is not the default one');

function getPointer (boxed)
{
  return String (boxed).match (/native@\w+/)?.[0];
}

function isPrivate (loop)
{
  return loop[IS_PRIVATE] ??= getPointer (loop.get_context ()) !== getPointer (GLib.MainContext.default ());
}

function goOn (loop = Loop.EventLoop.get_running ())
{
  if (loop !== null && isPrivate (loop))
    drainMicrotaskQueue ();
}

// --- Callbacks ----------------------------------------------------------------------------------

// To the exception handler of the loop, or to GJS when there is none.
function report (message, exception, loop, details = {})
{
  if (loop === null)
    throw exception;

  const context = Loop.ExceptionContext.new (message, exception);

  if (details.protocol)
    context.set_protocol (details.protocol);
  if (details.transport)
    context.set_transport (details.transport);
  loop.call_exception_handler (context);
}

// What the library is given to call: @callback with more arguments. Returns @fallback if it throws.
function guarded (callback, args = [], loop = null, fallback = undefined)
{
  if (typeof callback !== 'function')
    throw new TypeError (`Expected a function, got ${String (callback)}`);

  return (...given) => {
    try
      {
        return callback (...given, ...args);
      }
    catch (e)
      {
        report (`Exception in callback ${callback.name || '(anonymous)'}`, e, loop ?? Loop.EventLoop.get_running ());
        return fallback;
      }
    finally
      {
        goOn ();
      }
  };
}

// --- Values -------------------------------------------------------------------------------------

// What GValue has no type for, or would not give back as it was, travels in a Value.
function toValue (value)
{
  switch (typeof value)
    {
    case 'number':
    case 'boolean':
      return value;
    case 'string':
      return value.includes ('\0') ? new Value (value) : value;
    case 'object':
      return value === null || value.constructor?.$gtype !== undefined ? value : new Value (value);
    default:
      return new Value (value);
    }
}

function fromValue (value)
{
  if (value instanceof Value)
    return value.value;
  if (value instanceof GObject.ValueArray)
    return Array.from ({ length: value.n_values }, (_, i) => fromValue (value.get_nth (i)));

  return fromError (value);
}

// What a function gave that returns TRUE besides: GJS 1.74 does not know (skip).
function last (result)
{
  return Array.isArray (result) && result[0] === true ? result[1] : result;
}

// --- Promises and coroutines --------------------------------------------------------------------

const AsyncFunction = (async () => {}).constructor;

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

// GJS lets promises go on one after another: none while one has not returned from a call.
function isInPromise ()
{
  let hasRun = false;

  Promise.resolve ().then (() => { hasRun = true; });
  drainMicrotaskQueue ();

  return !hasRun;
}

function ensureFuture (value, loop)
{
  return value instanceof Loop.Future ? value : loop.create_task (value);
}

function defineCoroutine ()
{
  // A generator that yields futures, promises, or nothing to let others have their turn.
  Coroutine = GObject.registerClass ({
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

      try
        {
          const step = this.generator[how] (value);

          if (step.done)
            return [Loop.CoroutineStatus.RETURNED, null, toValue (step.value)];

          this.awaited = toFuture (step.value, loop);
          return [Loop.CoroutineStatus.AWAITING, this.awaited, null];
        }
      catch (e)
        {
          throw toError (e, loop?.get_current_task () ?? {});
        }
      finally
        {
          goOn ();
        }
    }
  });
}

// --- What is added to each class ----------------------------------------------------------------

// extend (CLASS, native => ({ METHODS })): they are new, or replace those of @native.
function extend (klass, make)
{
  const native = {};

  for (const [name, value] of Object.entries (make (native)))
    {
      native[name] = klass.prototype[name];
      klass.prototype[name] = value;
    }
}

function extendFuture ()
{
  extend (Loop.Future, native => ({
    // asyncio's exception (): null if there is a result.
    exception ()
    {
      return fromError (native.exception.call (this));
    },

    // The GValue of a future without a result makes GJS fail in its own way.
    result ()
    {
      const error = native.exception.call (this);

      if (error !== null)
        throw fromError (error);

      return fromValue (last (native.result.call (this)));
    },

    set_exception (exception)
    {
      return native.set_exception.call (this, toError (exception, this));
    },

    set_result (result)
    {
      return native.set_result.call (this, toValue (result));
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

// The methods that take a function and, after it, arguments for it, as setTimeout () does.
const SCHEDULING = {
  call_soon: 0,
  call_soon_threadsafe: 0,
  call_later: 1,
  call_at: 1,
  add_reader: 1,
  add_writer: 1,
  add_signal_handler: 1,
};

function refuseThread ()
{
  throw new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED,
                        'GJS runs no JavaScript in another thread');
}

function extendEventLoop ()
{
  extend (Loop.EventLoop, native => ({
    ...Object.fromEntries (Object.entries (SCHEDULING).map (([name, n]) => [name, function (...given) {
      const callback = guarded (given[n], given.slice (n + 1));
      const handle = last (native[name].call (this, ...given.slice (0, n), callback));

      if (given[n].name !== '')
        handle?.set_name?.(given[n].name);

      return handle;
    }])),

    _init (properties = {})
    {
      native._init.call (this, { context: GLib.MainContext.default (), ...properties });
    },

    run_forever ()
    {
      goOn (this);

      return native.run_forever.call (this);
    },

    // A future, or what create_task () takes.
    run_until_complete (awaitable)
    {
      if (!(awaitable instanceof Loop.Future) && (isThenable (awaitable) || awaitable instanceof AsyncFunction) &&
          isInPromise ())
        throw new GLib.Error (Loop.Error, Loop.Error.RUNNING,
                              'No promise goes on while another one runs the event loop: await it');

      const future = ensureFuture (awaitable, this);
      let isWaiting = true;

      if (future.get_loop () !== this)
        throw new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT,
                              'The future belongs to a different event loop');

      const id = this.is_closed () || this.is_running () ? 0
        : future.add_done_callback (() => isWaiting && this.stop ());
      try
        {
          this.run_forever ();
        }
      finally
        {
          isWaiting = false;
          if (id !== 0)
            future.remove_done_callback (id);
        }

      if (!future.done ())
        throw new GLib.Error (Loop.Error, Loop.Error.STOPPED, 'The event loop stopped before the future was done');

      return future.result ();
    },

    // An async function, a generator function or its generator, a promise, or a Loop.Coroutine.
    create_task (awaitable)
    {
      if (this.is_closed ())
        throw new GLib.Error (Loop.Error, Loop.Error.CLOSED, 'The event loop is closed');

      return native.create_task.call (this, toCoroutine (awaitable));
    },

    set_exception_handler (handler)
    {
      native.set_exception_handler.call (this, handler == null ? null : (loop, context) => {
        try
          {
            // GJS only lends it.
            handler (loop, context.ref ().hold_exception ());
          }
        catch (e)
          {
            loop.default_exception_handler (context);
            loop.default_exception_handler (Loop.ExceptionContext.new ('Exception in the exception handler', e));
          }
        finally
          {
            goOn ();
          }
      });
    },

    create_connection (host, port, options, factory)
    {
      return native.create_connection.call (this, host, port, options, guarded (factory, [], this, null));
    },

    create_server (hosts, port, options, factory)
    {
      return native.create_server.call (this, hosts, port, options, guarded (factory, [], this, null));
    },

    run_in_executor: refuseThread,
  }));

  Loop.EventLoop.new = () => new Loop.EventLoop ();
}

function extendExceptionContext ()
{
  const { new: make } = Loop.ExceptionContext;

  extend (Loop.ExceptionContext, native => ({
    get_exception ()
    {
      return fromError (native.get_exception.call (this));
    },

    // Has the exception be there for as long as somebody has the context.
    hold_exception ()
    {
      this[HOLDER] = holders.get (native.get_exception.call (this)?.code)?.deref ();

      return this;
    },
  }));

  Loop.ExceptionContext.new = (message, exception = null) => {
    const keeper = {};
    const context = make (message, exception === null ? null : toError (exception, keeper));

    context[HOLDER] = keeper[HOLDER];

    return context;
  };
}

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

function getTask (loop)
{
  const task = loop.get_current_task ();

  if (task === null)
    throw new GLib.Error (Loop.Error, Loop.Error.INVALID_STATE, 'No task of this event loop is running');

  return task;
}

const LIMITED = Symbol ('the task that a timeout limits, and what it was asked before');

function extendTimeout ()
{
  // loop_timeout () has the name of its class.
  const { '': after, at } = Loop.Timeout;
  const begin = make => (loop, seconds) => {
    const task = getTask (loop);

    return Object.assign (make (loop, seconds), { [LIMITED]: { task, nCancels: task.cancelling () } });
  };

  Loop.timeout = Loop.Timeout.new = begin (after);
  Loop.Timeout.at = begin (at);

  extend (Loop.Timeout, native => ({
    // With the exception with which what it limits has ended, if any: throws that or, if time was up, another.
    exit (exception = null)
    {
      const { task, nCancels } = this[LIMITED];

      native.exit.call (this);
      if (this.expired () && isCancellation (exception) && task.cancelling () <= nCancels)
        throw new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT, 'Time was up');
      if (exception !== null)
        throw exception;
    },
  }));
}

function extendTaskGroup ()
{
  const { new: make } = Loop.TaskGroup;

  Loop.TaskGroup.new = loop => getTask (loop) && make (loop);

  extend (Loop.TaskGroup, native => ({
    create_task (awaitable)
    {
      return native.create_task.call (this, toCoroutine (awaitable));
    },
  }));
}

function extendOthers ()
{
  const { gather, wait } = Loop;
  const { new: newTask } = Loop.Task;

  Loop.gather = (loop, awaitables, returnExceptions = false) =>
    gather (loop, awaitables.map (awaitable => ensureFuture (awaitable, loop)), returnExceptions);
  Loop.wait = (loop, awaitables, timeout = -1, returnWhen = Loop.ReturnWhen.ALL_COMPLETED) =>
    wait (loop, awaitables.map (awaitable => ensureFuture (awaitable, loop)), timeout, returnWhen);
  Loop.Task.new = (loop, awaitable) => newTask (loop, toCoroutine (awaitable));

  // See Future.result ().
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
  extend (Loop.Condition, native => ({
    wait_for (predicate)
    {
      return native.wait_for.call (this, guarded (predicate, [], null, false));
    },
  }));
  extend (Loop.Executor, () => ({ submit: refuseThread }));
  extend (Loop.ThreadPoolExecutor, () => ({ submit: refuseThread }));

  // "new Loop.Lock (loop)": made from properties alone, none of these would have a loop.
  for (const name of ['Barrier', 'Condition', 'Event', 'Lock', 'Queue', 'Semaphore', 'Task', 'TaskGroup', 'Timeout'])
    extend (Loop[name], () => ({ _init: (...args) => Loop[name].new (...args) }));
  extend (Loop.Future, () => ({
    _init ()
    {
      throw new TypeError ('A future is made with EventLoop.create_future ()');
    },
  }));
}

// --- Protocols ----------------------------------------------------------------------------------

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
    const isProtocol = klass[GObject.interfaces]?.includes (Loop.Protocol);
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

function _init ()
{
  Loop = this;

  Value = GObject.registerClass ({ GTypeName: 'LoopJSValue' }, class extends GObject.Object {
    constructor (value)
    {
      super ();
      this.value = value;
    }
  });

  defineCoroutine ();
  extendFuture ();
  extendEventLoop ();
  extendExceptionContext ();
  extendQueue ();
  extendTimeout ();
  extendTaskGroup ();
  extendOthers ();
  guardProtocols ();
}
