// SPDX-License-Identifier: LGPL-2.1-or-later
//
// TAP for GJS: test ('name', () => { ... }) as often as needed, done () at the end. A test may
// return a promise; they run one after another, each from the main loop and not from a promise,
// where no other promise would go on.

import GIRepository from 'gi://GIRepository';
import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';
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
  assert (Object.is (actual, wanted), `${String (actual)} is not ${String (wanted)}`);
}

// Returns what @body throws, which has to be a @wanted: a class, or a domain and its code.
export function assertThrows (body, wanted, code)
{
  try
    {
      body ();
    }
  catch (e)
    {
      const isWanted = code === undefined ? e instanceof wanted : e instanceof GLib.Error && e.matches (wanted, code);
      assert (isWanted, `${e} was thrown`);
      return e;
    }
  throw new Error ('nothing was thrown');
}

function* allFunctions ()
{
  const repository = GIRepository.Repository.get_default ();

  for (let i = 0; i < repository.get_n_infos ('Loop'); i++)
    {
      const info = repository.get_info ('Loop', i);
      const name = info.get_name ();
      const methods = [];

      switch (info.get_type ())
        {
        case GIRepository.InfoType.FUNCTION:
          yield name;
          continue;
        case GIRepository.InfoType.OBJECT:
          for (let j = 0; j < GIRepository.object_info_get_n_methods (info); j++)
            methods.push (GIRepository.object_info_get_method (info, j));
          break;
        case GIRepository.InfoType.INTERFACE:
          for (let j = 0; j < GIRepository.interface_info_get_n_methods (info); j++)
            methods.push (GIRepository.interface_info_get_method (info, j));
          break;
        case GIRepository.InfoType.STRUCT:
          for (let j = 0; j < GIRepository.struct_info_get_n_methods (info); j++)
            methods.push (GIRepository.struct_info_get_method (info, j));
        }
      for (const method of methods)
        yield `${name}.${method.get_name () || 'new'}`;
    }
}

// All that the namespace has to call, as "function" or "Class.method", but for what GJS does itself.
export function publicFunctions ()
{
  return [...allFunctions ()].filter (name => !/\.(ref|unref|copy|free)$/.test (name));
}

function count (name, called)
{
  const [owner, method] = name.includes ('.') ? name.split ('.') : [null, name];
  const holder = [Loop[owner]?.prototype, Loop[owner], Loop].find (object => typeof object?.[method] === 'function');
  const original = holder[method];

  holder[method] = function (...args) {
    called.add (name);
    return original.apply (this, args);
  };
}

// Every method of these classes, and each of these functions, has to be called by the tests.
export function covers (...names)
{
  const called = new Set ();
  const wanted = publicFunctions ().filter (name => names.includes (name) || names.includes (name.split ('.')[0]));

  for (const name of wanted)
    count (name, called);
  test (`all is called of ${names.join (' ')}`, () => {
    assert (wanted.length >= names.length);
    assertEqual (wanted.filter (name => !called.has (name)).join (), '');
  });
  // It is the last test then.
  covers.last = tests.pop ();
}

// What is not referenced any more is freed, and what was to be done then is done.
export function collect ()
{
  for (let i = 0; i < 4; i++)
    {
      System.gc ();
      while (GLib.MainContext.default ().iteration (false))
        ;
    }
}

function runTest (body)
{
  return new Promise ((resolve, reject) => {
    GLib.idle_add (GLib.PRIORITY_DEFAULT, () => {
      try
        {
          resolve (body ());
        }
      catch (e)
        {
          reject (e);
        }
      return GLib.SOURCE_REMOVE;
    });
  });
}

async function runAll ()
{
  let failed = 0;

  for (const [i, { name, body }] of tests.entries ())
    {
      try
        {
          await runTest (body);
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

  if (covers.last)
    tests.push (covers.last);
  runAll ().then (n => { failed = n; }).finally (() => main.quit ());
  main.run ();
  System.exit (failed === 0 ? 0 : 1);
}
