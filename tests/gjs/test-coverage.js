// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Everything of layers 0 to 2 is called by some test: each function is named by a covers () of the
// others, which then fail if they do not call it.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import { assert, assertEqual, done, publicFunctions, test } from './tap.js';

// Of other layers, tested elsewhere; and what JavaScript cannot use: GJS has threads when a process pool would have to
// fork, and holds exceptions in its own way.
const elsewhere = new RegExp ('^((Buffered)?Protocol|ConnectionOptions|Datagram\\w*|ForeignException|Inspector|ProcessPoolExecutor|' +
                              'Server|ServerOptions|Subprocess\\w*|Transport)\\.|^foreign_exception_|^Fiber\\.get_stack_used$');
const network = ['EventLoop.create_connection', 'EventLoop.create_server'];

test ('every function has a test', () => {
  const folder = Gio.File.new_for_path (`${GLib.getenv ('LOOP_SRCDIR')}/tests/gjs`);
  const covered = [...network];

  for (const info of folder.enumerate_children ('standard::name', 0, null))
    {
      const [, bytes] = folder.get_child (info.get_name ()).load_contents (null);
      const [, names = ''] = new TextDecoder ().decode (bytes).match (/^covers \(([^;]*)\);/m) ?? [];

      covered.push (...[...names.matchAll (/'([^']*)'/g)].map (match => match[1]));
    }

  const functions = publicFunctions ();
  const missing = functions.filter (name => !elsewhere.test (name) && !covered.includes (name) &&
                                            !covered.includes (name.split ('.')[0]));

  assert (functions.length > 150);
  assertEqual (missing.join (), '');
});

done ();
