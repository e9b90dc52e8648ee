// SPDX-License-Identifier: LGPL-2.1-or-later
//
// TAP for GJS: test ('name', () => { ... }) as often as needed, done () at the end. A test may
// return a promise; they run one after another.

import GLib from 'gi://GLib';
import System from 'system';

const tests = [];

export function test (name, body)
{
  tests.push ({ name, body });
}

export function assert (condition, message = 'assertion failed')
{
  if (!condition)
    throw new Error (message);
}

export function assertEqual (actual, wanted)
{
  assert (Object.is (actual, wanted), `${actual} is not ${wanted}`);
}

async function runAll ()
{
  let failed = 0;

  for (const [i, { name, body }] of tests.entries ())
    {
      try
        {
          await body ();
          print (`ok ${i + 1} - ${name}`);
        }
      catch (e)
        {
          failed++;
          print (`not ok ${i + 1} - ${name}`);
          for (const line of `${e}\n${e.stack ?? ''}`.trimEnd ().split ('\n'))
            print (`# ${line}`);
        }
    }
  print (`1..${tests.length}`);
  return failed;
}

export function done ()
{
  const main = GLib.MainLoop.new (null, false);
  let failed = 1;

  runAll ().then (n => { failed = n; }).finally (() => main.quit ());
  main.run ();
  System.exit (failed === 0 ? 0 : 1);
}
