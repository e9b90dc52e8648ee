// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Async functions, generators and classes as coroutines; tasks, groups and timeouts.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, collect, covers, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

covers ('Task', 'TaskGroup', 'Timeout', 'timeout', 'Coroutine', 'EventLoop.create_task', 'EventLoop.set_task_factory',
        'EventLoop.get_current_task', 'AsyncGenerator', 'EventLoop.track_async_generator', 'EventLoop.shutdown_asyncgens', 'EventLoop.all_tasks', 'Fiber.get_current', 'Fiber.get_stack_size',
        'Fiber.set_stack_size');

const isCancelled = e => e instanceof GLib.Error && e.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);

// A coroutine by itself: it sleeps @n times.
const Sleeper = GObject.registerClass ({
  Implements: [Loop.Coroutine],
}, class Sleeper extends GObject.Object {
  constructor (loop, n, exception = null)
  {
    super ();
    Object.assign (this, { loop, n, exception, isClosed: false });
  }

  vfunc_get_name ()
  {
    return 'sleeper';
  }

  vfunc_send ()
  {
    if (this.n-- > 0)
      return [Loop.CoroutineStatus.AWAITING, Loop.sleep (this.loop, 0), null];
    if (this.exception !== null)
      throw this.exception;

    return [Loop.CoroutineStatus.RETURNED, null, 'slept'];
  }

  vfunc_throw_exception (error)
  {
    throw error;
  }

  vfunc_close ()
  {
    this.isClosed = true;
  }
});

for (const [name, context] of Object.entries (contexts))
  {
    test (`what a task can be made of, ${name} context`, () => withLoop (context, loop => {
      function* generator ()
      {
        return [yield Loop.sleep (loop, 0), yield Promise.resolve (2), yield, yield* [Promise.resolve (4)]].length;
      }
      for (const [source, wanted] of [
        [async () => 1, 1], [async function named () { await Loop.sleep (loop, 0); return 2; }, 2], [() => 3, 3],
        [generator, 4], [generator (), 4], [Promise.resolve (5), 5], [new Sleeper (loop, 2), 'slept'],
      ])
        {
          const task = loop.create_task (source);

          assert (task instanceof Loop.Task && task instanceof Loop.Future);
          assert (loop.all_tasks ().includes (task));
          collect ();
          assertEqual (loop.run_until_complete (task), wanted);
        }
      assertEqual (loop.run_until_complete (Loop.Task.new (loop, async () => 6)), 6);
      assertEqual (loop.run_until_complete (new Loop.Task (loop, async () => 7)), 7);
      for (const wrong of [undefined, null, 42, 'text', {}])
        assertThrows (() => loop.create_task (wrong), TypeError);
    }));

    test (`names and the current task, ${name} context`, () => withLoop (context, loop => {
      let current = null;
      const task = loop.create_task (function* work () { current = loop.get_current_task (); yield; });

      assert (task.get_name ().startsWith ('Task-'));
      task.set_name ('mine');
      assertEqual (task.get_name (), 'mine');
      assertEqual (task.get_coroutine ().get_name (), 'work');
      assertEqual (loop.get_current_task (), null);
      loop.run_until_complete (task);
      assertEqual (current, task);
      assertEqual (task.get_coroutine (), null);
    }));

    test (`errors, ${name} context`, () => withLoop (context, loop => {
      const exception = new RangeError ('rr');
      const error = new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');

      for (const source of [async () => { throw exception; }, () => { throw exception; }, function* () { throw exception; },
                            function* () { yield Promise.reject (exception); }, () => Promise.reject (exception)])
        {
          const task = loop.create_task (source);

          assertEqual (assertThrows (() => loop.run_until_complete (task), RangeError), exception);
          assertEqual (task.exception (), exception);
        }
      assertThrows (() => loop.run_until_complete (function* () { throw error; }), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY);
      assertThrows (() => loop.run_until_complete (new Sleeper (loop, 1, error)), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY);
      assertThrows (() => loop.run_until_complete (function* () { yield 42; }), TypeError);
      assertEqual (loop.run_until_complete (function* () {
        try
          {
            yield Promise.reject (exception);
          }
        catch (e)
          {
            return e;
          }
      }), exception);
    }));

    test (`cancellation, ${name} context`, () => withLoop (context, loop => {
      const seen = [];
      const task = loop.create_task (function* () {
        try
          {
            yield Loop.sleep (loop, 60);
          }
        catch (e)
          {
            seen.push (isCancelled (e), e.message, task.cancelling (), task.uncancel ());
          }
        yield Loop.sleep (loop, 0);
        return 'went on';
      });
      loop.call_later (0.001, () => task.cancel_with_message ('why'));
      assertEqual (loop.run_until_complete (task), 'went on');
      assertEqual (seen.join (), 'true,why,1,0');

      // An async function goes on; it may ask.
      let cancellable = null;
      const deaf = loop.create_task (async c => { cancellable = c; await Loop.sleep (loop, 60); });
      loop.call_later (0.001, () => deaf.cancel ());
      assertThrows (() => loop.run_until_complete (deaf), Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
      assert (deaf.cancelled () && cancellable.is_cancelled ());

      const unborn = loop.create_task (async () => assert (false));
      unborn.cancel ();
      assertThrows (() => loop.run_until_complete (unborn), Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
    }));

    test (`timeout, ${name} context`, () => withLoop (context, loop => {
      for (const begin of [() => Loop.timeout (loop, 0.002), () => new Loop.Timeout (loop, 0.002),
                           () => Loop.Timeout.at (loop, loop.time () + 0.002)])
        {
          assertThrows (() => loop.run_until_complete (function* () {
            const timeout = begin ();

            assert (timeout.when () <= loop.time () + 0.002 && !timeout.expired ());
            timeout.reschedule (loop.time () + 0.004);
            try
              {
                yield Loop.sleep (loop, 60);
              }
            catch (e)
              {
                assert (timeout.expired () && isCancelled (e));
                timeout.exit (e);
              }
          }), Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT);
        }

      assertEqual (loop.run_until_complete (function* () {
        const timeout = Loop.timeout (loop, 60);

        yield Loop.sleep (loop, 0);
        timeout.exit ();
        assertThrows (() => timeout.exit (new TypeError ('tt')), TypeError);
        return timeout.expired ();
      }), false);
      assertThrows (() => Loop.timeout (loop, 1), Loop.Error, Loop.Error.INVALID_STATE);
      assertThrows (() => new Loop.TaskGroup (loop), Loop.Error, Loop.Error.INVALID_STATE);
    }));

    // Only a fiber can wait for the end of a group, with exit ().
    test (`group, ${name} context`, () => withLoop (context, loop => {
      const exception = new TypeError ('tt');

      assertEqual (loop.run_until_complete (function* () {
        const group = new Loop.TaskGroup (loop);
        const tasks = [1, 2, 3].map (i => group.create_task (async () => { await Loop.sleep (loop, 0); return i; }));

        const results = yield Loop.gather (loop, tasks);
        assertEqual (group.get_errors ().length, 0);
        assertThrows (() => group.create_task (42), TypeError);
        return results.join ();
      }), '1,2,3');

      loop.run_until_complete (function* () {
        const group = new Loop.TaskGroup (loop);
        const sleeper = group.create_task (function* () { yield Loop.sleep (loop, 60); });

        group.create_task (async () => { throw exception; });
        try
          {
            yield Loop.wait (loop, [sleeper]);
            assert (false);
          }
        catch (e)
          {
            assert (isCancelled (e));
          }
        assertEqual (group.get_errors ().length, 1);
        yield Loop.sleep (loop, 0);
        assert (sleeper.cancelled ());
      });
    }));
  }

test ('task factory', () => withLoop (contexts.default, loop => {
  const made = [];

  loop.set_task_factory ((_, coroutine) => {
    const task = Loop.Task.new (loop, coroutine);
    task.set_name (`made ${made.push (task)}`);
    return task;
  });
  const task = loop.create_task (async () => 1);
  assertEqual (made[0], task);
  assertEqual (task.get_name (), 'made 1');
  assertEqual (loop.run_until_complete (task), 1);
  loop.set_task_factory (null);
  assertEqual (loop.run_until_complete (async () => 2), 2);
  assertEqual (made.length, 1);
}));

// A closed loop ends its tasks.
test ('closed', () => withLoop (contexts.default, (loop, reports) => {
  const sleeper = new Sleeper (loop, 1000000);
  const task = loop.create_task (sleeper);
  let hasEnded = false;
  const other = loop.create_task (function* () { try { yield Loop.sleep (loop, 60); } finally { hasEnded = true; } });

  runFor (loop, 0.001);
  loop.close ();
  assert (sleeper.isClosed && hasEnded && task.cancelled () && other.cancelled ());
  assertEqual (reports.splice (0).length, 2);
  assertThrows (() => loop.create_task (async () => 1), Loop.Error, Loop.Error.CLOSED);
}));

test ('coroutines by hand', () => withLoop (contexts.default, loop => {
  const sleeper = new Sleeper (loop, 1);

  assertEqual (sleeper.get_name (), 'sleeper');
  let [status, awaited] = sleeper.send ();
  assertEqual (status, Loop.CoroutineStatus.AWAITING);
  assert (awaited instanceof Loop.Future);
  const step = sleeper.send ();
  assertEqual (step[0], Loop.CoroutineStatus.RETURNED);
  assertEqual (step.at (-1), 'slept');
  assertThrows (() => sleeper.throw (new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'x')), Gio.IOErrorEnum,
                Gio.IOErrorEnum.BUSY);
  sleeper.close ();
  assert (sleeper.isClosed);
}));

const Generator = GObject.registerClass ({
  Implements: [Loop.AsyncGenerator],
}, class Generator extends GObject.Object {
  vfunc_aclose ()
  {
    this.nClosed = (this.nClosed ?? 0) + 1;

    return this.closing;
  }
});

test ('asynchronous generators are closed', () => withLoop (contexts.default, loop => {
  const generator = new Generator ();

  generator.closing = loop.create_future ();
  loop.track_async_generator (generator);
  loop.call_later (0.002, () => generator.closing.set_result (null));
  loop.run_until_complete (loop.shutdown_asyncgens ());
  assertEqual (generator.nClosed, 1);
  assert (generator.aclose () === generator.closing);
}));

test ('fibers are for C', () => {
  const size = Loop.Fiber.get_stack_size ();

  assertEqual (Loop.Fiber.get_current (), null);
  Loop.Fiber.set_stack_size (2 * size);
  assertEqual (Loop.Fiber.get_stack_size (), 2 * size);
  Loop.Fiber.set_stack_size (size);
});

done ();
