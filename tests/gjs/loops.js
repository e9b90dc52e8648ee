// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Loops for tests: none may report anything, but what the test takes out of @reports.

import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual } from './tap.js';

export const contexts = {
  default: () => new Loop.EventLoop (),
  own: () => Loop.EventLoop.new_for_context (GLib.MainContext.new ()),
};

function finish (loop, reports)
{
  if (!loop.is_closed ())
    loop.close ();
  assertEqual (reports.map (context => `${context.get_message ()}: ${context.get_exception ()}`).join ('\n'), '');
}

// Calls @body (loop, reports). It may be async with a loop on the default context.
export function withLoop (makeLoop, body)
{
  const loop = makeLoop ();
  const reports = [];
  let result;

  loop.set_exception_handler ((_, context) => reports.push (context));
  try
    {
      result = body (loop, reports);
    }
  catch (e)
    {
      loop.close ();
      throw e;
    }
  if (typeof result?.then === 'function')
    return result.finally (() => finish (loop, reports));

  return finish (loop, reports);
}

export function runFor (loop, seconds)
{
  loop.call_later (seconds, () => loop.stop ());
  assert (loop.run_forever ());
}
