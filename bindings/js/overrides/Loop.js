// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What introspection alone does not give JavaScript: futures that can be awaited, coroutines,
// any value as a result, and exceptions that reach the loop's exception handler.
//
// GJS goes on with what awaits a promise from the default main context, and so a loop made with
// "new Loop.EventLoop ()" lives on that one. While a loop runs on another context, promises go on
// after each of its callbacks; those that a foreign source on that context resolves, after the next.

/* exported _init */

function addConstructors (Loop)
{
  // "new Loop.Lock (loop)": made from properties alone, none of these would have a loop.
  for (const name of ['Barrier', 'Condition', 'Event', 'Lock', 'Queue', 'Semaphore', 'StreamReader', 'StreamReaderProtocol',
                      'StreamWriter', 'Task', 'TaskGroup', 'Timeout'])
    Loop[name].prototype._init = (...args) => Loop[name].new (...args);
  Loop.Future.prototype._init = () => {
    throw new TypeError ('A future is made with EventLoop.create_future ()');
  };
}

function _init ()
{
  // They look for the namespace, which is not there before.
  const {
    coroutines, eventLoop, exceptions, futures, protocols, sockets, streams, sync, tasks,
  } = imports.overrides.libloop;

  exceptions.extendExceptionContext ();
  futures.extendFuture ();
  coroutines.extendCoroutine ();
  tasks.extendTask ();
  tasks.extendTimeout ();
  tasks.extendTaskGroup ();
  eventLoop.extendEventLoop ();
  eventLoop.extendExecutor ();
  sockets.extendSockets ();
  sync.extendQueue ();
  sync.extendCondition ();
  protocols.guardProtocols ();
  streams.extendStreams ();
  addConstructors (this);
}
