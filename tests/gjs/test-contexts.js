// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Main contexts: a loop beside the sources of GLib and the asynchronous calls of Gio, inside main
// loops of others, and with one inside it.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

Gio._promisify (Gio.File.prototype, 'load_contents_async');

const status = Gio.File.new_for_path ('/proc/self/status');

function addTimeout (context, milliseconds, callback)
{
  const source = GLib.timeout_source_new (milliseconds);

  source.set_callback (callback);
  source.attach (context);
}

function addIdle (context, callback)
{
  const source = GLib.idle_source_new ();

  source.set_callback (callback);
  source.attach (context);
}

// Runs @body (done) from @context, in a main loop that ends with done ().
function runMain (context, body)
{
  const main = GLib.MainLoop.new (context, false);

  addIdle (context, () => {
    body (() => main.quit ());
    return GLib.SOURCE_REMOVE;
  });
  main.run ();
}

for (const [name, makeLoop] of Object.entries (contexts))
  {
    test (`sources of GLib, ${name} context`, () => withLoop (makeLoop, loop => {
      const seen = new Map ();
      const count = key => seen.set (key, (seen.get (key) ?? 0) + 1);
      const repeat = () => {
        count ('callback');
        loop.call_soon (repeat);
      };

      addTimeout (loop.get_context (), 1, () => { count ('timeout'); return GLib.SOURCE_CONTINUE; });
      addIdle (loop.get_context (), () => { count ('idle'); return GLib.SOURCE_CONTINUE; });
      loop.call_soon (repeat);
      runFor (loop, 0.2);
      // None starves, though the loop is never idle.
      assert (seen.get ('timeout') > 10 && seen.get ('idle') > 2 && seen.get ('callback') > 100,
              JSON.stringify ([...seen]));
    }));

    test (`a main loop of somebody else, ${name} context`, () => withLoop (makeLoop, loop => {
      const seen = [];

      runMain (loop.get_context (), quit => {
        loop.call_soon (() => seen.push ('soon'));
        loop.call_later (0.002, () => seen.push (Loop.EventLoop.get_running () === loop));
        loop.create_task (function* () {
          yield Loop.sleep (loop, 0.004);
          seen.push ('task');
          quit ();
        });
      });
      assertEqual (seen.join (), 'soon,true,task');
      assertEqual (Loop.EventLoop.get_running (), null);
    }));

    test (`by hand, ${name} context`, () => withLoop (makeLoop, loop => {
      const context = loop.get_context ();
      const future = loop.create_future ();

      loop.call_later (0.002, () => future.set_result ('by hand'));
      while (!future.done ())
        context.iteration (true);
      assertEqual (future.result (), 'by hand');
    }));

    test (`a main loop in a callback, ${name} context`, () => withLoop (makeLoop, loop => {
      const seen = [];

      loop.call_later (0.002, () => seen.push ('timer'));
      loop.call_soon (() => {
        const main = GLib.MainLoop.new (loop.get_context (), false);

        loop.call_later (0.01, () => {
          seen.push ('inner');
          main.quit ();
        });
        loop.call_soon (() => seen.push ('soon'));
        // The loop runs already.
        assertThrows (() => loop.run_forever (), Loop.Error, Loop.Error.RUNNING);
        main.run ();
        seen.push ('returned');
        loop.stop ();
      });
      assert (loop.run_forever ());
      assertEqual (seen.join (), 'soon,timer,inner,returned');
    }));

    test (`the loop in a callback of a main loop, ${name} context`, () => withLoop (makeLoop, loop => {
      let result;

      runMain (GLib.MainContext.default (), quit => {
        result = loop.run_until_complete (function* () { yield Loop.sleep (loop, 0.002); return 'within'; });
        quit ();
      });
      assertEqual (result, 'within');
    }));

    test (`asynchronous calls of Gio, ${name} context`, () => withLoop (makeLoop, loop => {
      const context = loop.get_context ();
      const future = loop.create_future ();

      // They come back on the context that is the thread's default one when they begin.
      context.push_thread_default ();
      status.load_contents_async (null, (file, result) => future.set_result (file.load_contents_finish (result)[1]));
      context.pop_thread_default ();
      const bytes = loop.run_until_complete (future);
      assert (new TextDecoder ().decode (bytes).includes ('Threads:'));
    }));
  }

test ('promises of Gio and futures, default context', () => withLoop (contexts.default, loop => {
  const cancellable = new Gio.Cancellable ();

  async function read ()
  {
    const [bytes] = await status.load_contents_async (null);

    await Loop.sleep (loop, 0.001);
    return bytes.length;
  }

  const lengths = loop.run_until_complete (Loop.gather (loop, [read, read (), async () => {
    const [length] = await Promise.all ([read (), Loop.sleep (loop, 0.002)]);
    return length;
  }]));
  assertEqual (lengths.length, 3);
  assert (lengths.every (length => length > 100));

  cancellable.cancel ();
  assertThrows (() => loop.run_until_complete (async () => { await status.load_contents_async (cancellable); }),
                Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
}));

test ('promises in a main loop in a callback', () => withLoop (contexts.default, loop => {
  const seen = [];

  loop.call_soon (() => {
    const main = GLib.MainLoop.new (null, false);

    (async () => {
      await Loop.sleep (loop, 0.002);
      seen.push ('future');
      await status.load_contents_async (null);
      seen.push ('promise');
      main.quit ();
    }) ();
    main.run ();
    seen.push ('returned');
    loop.stop ();
  });
  assert (loop.run_forever ());
  assertEqual (seen.join (), 'future,promise,returned');
}));

test ('two loops on one context, and one each on others', () => {
  const loops = [contexts.default (), contexts.default (), contexts.own (), contexts.own ()];
  const seen = loops.map (() => []);

  loops.forEach ((loop, i) => loop.call_soon (() => seen[i].push (Loop.EventLoop.get_running () === loop)));
  runFor (loops[0], 0.002);
  // Of others' contexts nobody takes care.
  assertEqual (JSON.stringify (seen), '[[true],[true],[],[]]');
  runFor (loops[2], 0);
  loops[3].get_context ().iteration (false);
  assertEqual (JSON.stringify (seen), '[[true],[true],[true],[true]]');
  for (const loop of loops)
    loop.close ();

  // A closed loop leaves its context as it was.
  let ran = false;
  runMain (GLib.MainContext.default (), quit => { ran = true; quit (); });
  assert (ran);
});

done ();
