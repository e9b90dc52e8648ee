// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Pipes and processes.

import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, covers, done, test } from './tap.js';

covers ('EventLoop.connect_read_pipe', 'EventLoop.connect_write_pipe', 'EventLoop.subprocess_exec',
        'EventLoop.subprocess_shell', 'EventLoop.subprocess_communicate', 'SubprocessTransport.get_returncode',
        'SubprocessTransport.get_pid', 'SubprocessTransport.get_pipe_transport', 'SubprocessTransport.terminate');

const decode = bytes => new TextDecoder ().decode (bytes);

const Process = GObject.registerClass ({ Implements: [Loop.SubprocessProtocol] }, class Process extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.output = '';
    this.lost = loop.create_future ();
  }

  vfunc_pipe_data_received (fd, data) { this.output += decode (data); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

const Reader = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Reader extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.data = '';
    this.lost = loop.create_future ();
  }

  vfunc_data_received (data) { this.data += decode (data); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

test ('pipes', () => {
  const loop = new Loop.EventLoop ();
  const [, , input, output] = GLib.spawn_async_with_pipes (null, ['cat'], null, GLib.SpawnFlags.SEARCH_PATH, null);
  const reader = new Reader (loop);

  loop.run_until_complete (loop.connect_read_pipe (output, () => reader));
  const writer = loop.run_until_complete (loop.connect_write_pipe (input, () => new Reader (loop)));
  writer.write ('hello');
  writer.close ();
  loop.run_until_complete (reader.lost);
  assertEqual (reader.data, 'hello');
  loop.close ();
});

test ('exec and shell', () => {
  const loop = new Loop.EventLoop ();
  let process = new Process (loop);
  let transport = loop.run_until_complete (loop.subprocess_exec (['cat'], null, () => process));

  assertEqual (transport.get_returncode (), null);
  transport.get_pipe_transport (0).write ('text');
  transport.get_pipe_transport (0).close ();
  loop.run_until_complete (process.lost);
  assertEqual (process.output, 'text');
  assertEqual (transport.get_returncode (), 0);

  process = new Process (loop);
  transport = loop.run_until_complete (loop.subprocess_shell ('exec sleep 1000', null, () => process));
  assert (transport.get_pid () > 0);
  transport.terminate ();
  loop.run_until_complete (process.lost);
  assertEqual (transport.get_returncode (), -15);
  loop.close ();
});

test ('communicate', () => {
  const loop = new Loop.EventLoop ();
  const result = loop.run_until_complete (loop.subprocess_communicate (['cat'], null, new GLib.Bytes ('in')));

  assertEqual (result.get_returncode (), 0);
  assertEqual (decode (result.get_stdout ().toArray ()), 'in');
  loop.close ();
});

done ();
