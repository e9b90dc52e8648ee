// SPDX-License-Identifier: LGPL-2.1-or-later
//
// GErrors that stand for what JavaScript has thrown.

const { GLib, Loop } = imports.gi;
const { extend } = imports.overrides.libloop.classes;

const DOMAIN = GLib.quark_from_string ('loop-js-error-quark');

// A GError has a number in the place of the JavaScript exception that it stands for. Futures keep
// the exception in this property, with the number.
const HELD = Symbol ('the exception that an object keeps');

// Others, such as a gather () of the future that failed, find it here, unless they ask too late.
// It is not for weak references: GJS 1.74 never drops what was in one.
const MAX_RECENT = 256;
const recent = new Map ();
let nErrors = 0;

function toError (exception, keeper)
{
  if (exception instanceof GLib.Error)
    return exception;

  nErrors = (nErrors + 1) & 0x7fffffff;
  keeper[HELD] = { id: nErrors, exception };
  recent.set (nErrors, exception);
  if (recent.size > MAX_RECENT)
    recent.delete (recent.keys ().next ().value);

  return new GLib.Error (DOMAIN, nErrors, `${String (exception)}\n${exception?.stack ?? ''}`.trim ());
}

function fromError (error, keeper = {})
{
  if (error?.domain !== DOMAIN)
    return error;

  if (keeper[HELD]?.id !== error.code)
    {
      if (!recent.has (error.code))
        return error;
      keeper[HELD] = { id: error.code, exception: recent.get (error.code) };
    }

  return keeper[HELD].exception;
}

function extendExceptionContext ()
{
  const { new: make } = Loop.ExceptionContext;

  extend (Loop.ExceptionContext, native => ({
    get_exception ()
    {
      return fromError (native.get_exception.call (this), this);
    },
  }));

  Loop.ExceptionContext.new = (message, exception = null) => {
    const keeper = {};
    const context = make (message, exception === null ? null : toError (exception, keeper));

    context[HELD] = keeper[HELD];

    return context;
  };
}
