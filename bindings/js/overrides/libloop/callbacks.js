// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the library is given to call.

const { GLib, Loop } = imports.gi;
const { drainMicrotaskQueue } = imports._promiseNative;

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

// GJS lets promises go on one after another: none while one has not returned from a call.
function isInPromise ()
{
  let hasRun = false;

  Promise.resolve ().then (() => { hasRun = true; });
  drainMicrotaskQueue ();

  return !hasRun;
}

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
