// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What has run, was awaited or was thrown is freed, and so is what a callback refers to.

import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assert, collect, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

const ROUNDS = 6;
const PER_ROUND = 300;
const SIZE = 3000; // numbers: 24 kB

// In bytes.
function getResidentSize ()
{
  const [, bytes] = GLib.file_get_contents ('/proc/self/statm');

  return Number (new TextDecoder ().decode (bytes).split (' ')[1]) * 4096;
}

const uses = {
  'callbacks': (loop, object) => {
    loop.call_soon (() => object);
    loop.call_later (0, () => object);
    loop.call_soon_threadsafe (() => object);
    loop.call_later (60, () => object).cancel ();
  },
  'results': (loop, object) => {
    const future = loop.create_future ();
    future.set_result (object);
    future.result ();
  },
  'exceptions': (loop, object) => {
    const future = loop.create_future ();
    future.set_exception (object);
    future.exception ();
  },
  'awaited futures': (loop, object) => {
    const future = loop.create_future ();
    future.then (() => object);
    loop.call_soon (() => future.set_result (object));
  },
  'async functions': (loop, object) => loop.create_task (async () => { await Loop.sleep (loop, 0); return object; }),
  'generators': (loop, object) => loop.create_task (function* () { yield Loop.sleep (loop, 0); return object; }),
  'queue items': (loop, object) => new Loop.Queue (loop, 0).put_nowait (object),
  'done callbacks': (loop, object) => {
    const future = loop.create_future ();
    future.add_done_callback (() => object);
    future.set_result (null);
  },
};

for (const [name, context] of Object.entries (contexts))
  {
    for (const [use, body] of Object.entries (uses))
      {
        test (`${use}, ${name} context`, () => withLoop (context, loop => {
          let before = 0;

          for (let round = 0; round < ROUNDS; round++)
            {
              for (let i = 0; i < PER_ROUND; i++)
                body (loop, new Array (SIZE).fill (i + 0.5));
              runFor (loop, 0.02);
              runFor (loop, 0.02);
              collect ();
              if (round === 1)
                before = getResidentSize ();
            }

          const grown = getResidentSize () - before;
          const all = (ROUNDS - 2) * PER_ROUND * SIZE * 8;
          assert (grown < all / 3, `${grown} bytes more, of ${all}`);
        }));
      }
  }

done ();
