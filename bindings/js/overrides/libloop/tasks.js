// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tasks, and what is called with coroutines.

const { Gio, GLib, Loop } = imports.gi;
const { extend } = imports.overrides.libloop.classes;
const { ensureFuture, isCancellation, toCoroutine } = imports.overrides.libloop.coroutines;

function extendTask ()
{
  const { gather, wait } = Loop;
  const { new: make } = Loop.Task;

  Loop.Task.new = (loop, awaitable) => make (loop, toCoroutine (awaitable));
  Loop.gather = (loop, awaitables, returnExceptions = false) =>
    gather (loop, awaitables.map (awaitable => ensureFuture (awaitable, loop)), returnExceptions);
  Loop.wait = (loop, awaitables, timeout = -1, returnWhen = Loop.ReturnWhen.ALL_COMPLETED) =>
    wait (loop, awaitables.map (awaitable => ensureFuture (awaitable, loop)), timeout, returnWhen);
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
  const { timeout: after } = Loop;
  const { at } = Loop.Timeout;
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
