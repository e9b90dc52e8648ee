// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Futures, promises, and what combines futures, on a loop of either kind.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, collect, covers, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

covers ('Future', 'WaitResult', 'sleep', 'gather', 'wait', 'wait_for', 'shield', 'EventLoop.create_future',
        'EventLoop.run_until_complete');

const busy = () => new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');

// What JavaScript gets back as it was.
const values = [
  42, -1, 4.5, NaN, -0, 2 ** 40, 10n, 2n ** 80n, true, false, 'text', '', 'a\0b', 'ä€𝄞', null, undefined, {}, { a: 1 },
  [1, [2]], [], () => 1, new Error ('x'), new Date (), Symbol ('s'), new Map (), new Uint8Array (3), new Loop.EventLoop (),
  GObject.Object, Loop.Future,
];

for (const [name, context] of Object.entries (contexts))
  {
    test (`any value, ${name} context`, () => withLoop (context, loop => {
      for (const value of values)
        {
          const future = loop.create_future ();
          let awaited = 'nothing';

          loop.call_soon (() => future.set_result (value));
          future.then (v => { awaited = v; });
          collect ();
          assertEqual (loop.run_until_complete (future), value);
          assertEqual (future.result (), value);
          runFor (loop, 0);
          assertEqual (awaited, value);
          assertEqual (loop.run_until_complete (async () => { await null; return value; }), value);
        }
    }));

    test (`boxed values, ${name} context`, () => withLoop (context, loop => {
      const finish = value => {
        const future = loop.create_future ();
        future.set_result (value);
        return loop.run_until_complete (future);
      };

      assertEqual (finish (new GLib.Variant ('(si)', ['x', 1])).deep_unpack ().join (), 'x,1');
      assertEqual (finish (new GLib.Bytes ([1, 2])).get_size (), 2);
      assert (finish (busy ()).matches (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));

      const value = new GObject.Value ();
      value.init (GObject.TYPE_UINT64);
      value.set_uint64 (7);
      assertEqual (finish (value), 7);
    }));

    test (`states, ${name} context`, () => withLoop (context, loop => {
      const future = loop.create_future ();

      assert (!future.done () && !future.cancelled () && future.get_id () > 0);
      assertEqual (future.get_loop (), loop);
      assertThrows (() => future.result (), Loop.Error, Loop.Error.INVALID_STATE);
      assertThrows (() => future.exception (), Loop.Error, Loop.Error.INVALID_STATE);
      assert (future.set_result (1) && future.done ());
      assertEqual (future.exception (), null);
      assertThrows (() => future.set_result (2), Loop.Error, Loop.Error.INVALID_STATE);
      assertThrows (() => future.set_exception (busy ()), Loop.Error, Loop.Error.INVALID_STATE);
      assert (!future.cancel ());

      const cancelled = loop.create_future ();
      assert (cancelled.cancel_with_message ('enough') && cancelled.cancelled () && !cancelled.cancel ());
      assertEqual (cancelled.get_cancel_message (), 'enough');
      for (const ask of ['result', 'exception'])
        assertEqual (assertThrows (() => cancelled[ask] (), Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED).message, 'enough');
      assertThrows (() => new Loop.Future (), TypeError);
    }));

    test (`failures, ${name} context`, () => withLoop (context, loop => {
      for (const exception of [new TypeError ('tt'), new Error (''), 'a string', undefined, null, { odd: true }])
        {
          const future = loop.create_future ();
          const seen = [];

          future.set_exception (exception);
          collect ();
          future.catch (e => seen.push (e));
          future.then (null, e => seen.push (e));
          future.finally (() => seen.push ('finally')).catch (() => {});
          runFor (loop, 0);
          runFor (loop, 0);
          assertEqual (seen.length, 3);
          assert (seen.includes (exception));
          try
            {
              future.result ();
              assert (false);
            }
          catch (e)
            {
              assertEqual (e, exception);
            }
          if (exception !== null)
            assertEqual (future.exception (), exception);
        }

      const failed = loop.create_future ();
      failed.set_exception (busy ());
      assert (failed.exception ().matches (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));
      assertThrows (() => loop.run_until_complete (failed), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY);
      assertThrows (() => failed.result (), Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY);
    }));

    test (`done callbacks, ${name} context`, () => withLoop (context, loop => {
      const seen = [];
      const future = loop.create_future ();

      future.add_done_callback ((f, ...args) => seen.push (f === future, ...args), 'a', 'b');
      const id = future.add_done_callback (() => seen.push ('removed'));
      assert (future.remove_done_callback (id) && !future.remove_done_callback (id));
      future.set_result (1);
      future.add_done_callback (() => seen.push ('late'));
      assertEqual (seen.length, 0);
      runFor (loop, 0);
      assertEqual (seen.join (), 'true,a,b,late');
      assertThrows (() => future.add_done_callback (), TypeError);
    }));

    test (`await, ${name} context`, () => withLoop (context, loop => {
      const seen = [];

      async function inner (delay)
      {
        assertEqual (await Loop.sleep (loop, delay), null);
        return delay;
      }
      async function main ()
      {
        seen.push (await inner (0.002), await inner (0));
        seen.push ((await Promise.all ([inner (0.003), Loop.sleep (loop, 0.001), 7])).length);
        try
          {
            const cancelled = loop.create_future ();
            loop.call_later (0.001, () => cancelled.cancel ());
            await cancelled;
          }
        catch (e)
          {
            seen.push (e.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
          }
        for (let i = 0; i < 100; i++)
          await Loop.sleep (loop, 0);
        return 'end';
      }
      assertEqual (loop.run_until_complete (main ()), 'end');
      assertEqual (seen.join (), '0.002,0,3,true');

      // Nobody has the future but what awaits it.
      let isDone = false;
      (async () => { await Loop.sleep (loop, 0.01); isDone = true; }) ();
      collect ();
      runFor (loop, 0.03);
      runFor (loop, 0);
      assert (isDone);
    }));

    test (`promises before the loop runs and after callbacks, ${name} context`, () => withLoop (context, loop => {
      const seen = [];

      Promise.resolve ().then (() => seen.push ('before'));
      loop.call_soon (() => Promise.resolve ().then (() => seen.push ('callback')));
      loop.call_later (0.005, () => Promise.resolve ().then (() => { seen.push ('timer'); }));
      runFor (loop, 0.02);
      runFor (loop, 0);
      assertEqual (seen.join (), 'before,callback,timer');
    }));

    test (`run_until_complete, ${name} context`, () => withLoop (context, loop => {
      const never = loop.create_future ();
      const other = new Loop.EventLoop ();
      const foreign = other.create_future ();

      loop.call_soon (() => loop.stop ());
      assertThrows (() => loop.run_until_complete (never), Loop.Error, Loop.Error.STOPPED);
      assertThrows (() => loop.run_until_complete (foreign), Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT);
      for (const wrong of [42, 'text', {}, null])
        assertThrows (() => loop.run_until_complete (wrong), TypeError);
      other.close ();
      assertThrows (() => other.run_until_complete (foreign), Loop.Error, Loop.Error.CLOSED);
      assertThrows (() => other.run_until_complete (async () => 1), Loop.Error, Loop.Error.CLOSED);

      // What came too late for the run that waited does not stop the next one.
      const late = loop.create_future ();
      loop.call_soon (() => { late.set_result (1); loop.stop (); });
      assertEqual (loop.run_until_complete (late), 1);
      const start = loop.time ();
      runFor (loop, 0.01);
      assert (loop.time () - start >= 0.01);
    }));

    test (`gather, ${name} context`, () => withLoop (context, loop => {
      const results = loop.run_until_complete (Loop.gather (loop, [
        Loop.sleep (loop, 0), async () => ({ a: 1 }), Promise.resolve ('p'), function* () { return yield Promise.resolve (3); },
      ]));
      assertEqual (JSON.stringify (results), '[null,{"a":1},"p",3]');
      assertEqual (loop.run_until_complete (Loop.gather (loop, [])).length, 0);

      const exception = new TypeError ('tt');
      const failing = async () => { throw exception; };
      const task = loop.create_task (failing);
      const both = loop.run_until_complete (Loop.gather (loop, [task, async () => 2], true));
      assertEqual (both[0], exception);
      assertEqual (both[1], 2);

      const failed = loop.create_task (failing);
      assertEqual (assertThrows (() => loop.run_until_complete (Loop.gather (loop, [failed])), TypeError), exception);
    }));

    test (`wait, ${name} context`, () => withLoop (context, loop => {
      const quick = Loop.sleep (loop, 0);
      const slow = Loop.sleep (loop, 60);

      let result = loop.run_until_complete (Loop.wait (loop, [quick, slow], 0.01));
      assertEqual (result.get_done ()[0], quick);
      assertEqual (result.get_pending ()[0], slow);
      result = loop.run_until_complete (Loop.wait (loop, [slow, async () => 1], -1, Loop.ReturnWhen.FIRST_COMPLETED));
      assertEqual (result.get_done ()[0].result (), 1);
      assertThrows (() => loop.run_until_complete (Loop.wait (loop, [])), GLib.Error);

      assertThrows (() => loop.run_until_complete (Loop.wait_for (slow, 0.001)), Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT);
      assert (slow.cancelled ());
      assertEqual (loop.run_until_complete (Loop.wait_for (Loop.sleep (loop, 0), 10)), null);

      const inner = loop.create_future ();
      const outer = Loop.shield (inner);
      assert (outer.cancel () && !inner.done ());
      inner.set_result ('kept');
      assertEqual (loop.run_until_complete (Loop.shield (inner)), 'kept');
    }));
  }

test ('await in the main loop of GJS', () => withLoop (contexts.default, async loop => {
  const seen = [];

  loop.call_later (0.002, () => seen.push ('timer'));
  await Loop.sleep (loop, 0.005);
  seen.push (Loop.EventLoop.get_running ());
  const [ok] = await new Promise (resolve => {
    Gio.File.new_for_path ('/proc/self/status').load_contents_async (null, (f, r) => resolve (f.load_contents_finish (r)));
  });
  assert (ok);
  assertEqual (seen.length, 2);
  assertEqual (seen[1], null);
}));

test ('waiting as GIO does', () => withLoop (contexts.default, loop => {
  const future = loop.create_future ();
  let seen = null;

  loop.call_soon (() => future.wait_async (null, (source, result) => {
    assertEqual (source, future);
    source.wait_finish (result);
    seen = source.result ();
    loop.stop ();
  }));
  loop.call_later (0.002, () => future.set_result ('here'));
  assert (loop.run_forever ());
  assertEqual (seen, 'here');
}));

// Within a promise no other goes on: that would be for ever.
test ('run_until_complete in a promise', () => withLoop (contexts.default, async loop => {
  await null;
  assertEqual (loop.run_until_complete (Loop.sleep (loop, 0)), null);
  assertEqual (loop.run_until_complete (function* () { yield Loop.sleep (loop, 0); return 1; }), 1);
  assertThrows (() => loop.run_until_complete (async () => {}), Loop.Error, Loop.Error.RUNNING);
  assertThrows (() => loop.run_until_complete (Promise.resolve ()), Loop.Error, Loop.Error.RUNNING);
}));

done ();
