// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Protocols with memory of their own.

import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { contexts, withLoop } from './loops.js';
import { assert, assertEqual, done, test } from './tap.js';

const decode = bytes => new TextDecoder ().decode (bytes);

const Buffered = GObject.registerClass ({
  Implements: [Loop.Protocol, Loop.BufferedProtocol],
}, class Buffered extends GObject.Object {
  constructor (loop, makeBuffer = () => new Uint8Array (4))
  {
    super ();
    this.makeBuffer = makeBuffer;
    this.events = [];
    this.text = '';
    this.lost = loop.create_future ();
  }

  vfunc_connection_made (transport) { this.transport = transport; }

  vfunc_get_buffer (sizehint)
  {
    this.events.push (sizehint);
    this.buffer = this.makeBuffer ();
    return this.buffer;
  }

  vfunc_buffer_updated (n)
  {
    this.events.push (n);
    this.text += decode (this.buffer.subarray (0, n));
    this.updated?.();
  }

  vfunc_connection_lost (error) { this.lost.set_result (error?.message ?? 'closed'); }
});

const Plain = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Plain extends GObject.Object {
  constructor (buffered)
  {
    super ();
    this.buffered = buffered;
  }

  vfunc_data_received (data)
  {
    this.buffered.text += decode (data);
    this.buffered.transport.set_protocol (this.buffered);
  }
});

// What @protocol has got when "hello, world" was sent to it.
function receive (loop, protocol)
{
  const [, pid, input, output] = GLib.spawn_async_with_pipes (null, ['cat'], null, GLib.SpawnFlags.SEARCH_PATH, null);

  loop.run_until_complete (loop.connect_read_pipe (output, () => protocol));
  const writer = loop.run_until_complete (loop.connect_write_pipe (input, () => new Plain (null)));
  writer.write ('hello, world');
  if (protocol.more)
    loop.call_later (0.05, () => writer.write (protocol.more));
  loop.call_later (protocol.more ? 0.2 : 0.05, () => writer.close ());
  const end = loop.run_until_complete (protocol.lost);
  GLib.spawn_close_pid (pid);
  return end;
}

for (const [name, makeLoop] of Object.entries (contexts))
  {
    test (`buffers are filled: ${name}`, () => withLoop (makeLoop, loop => {
      const protocol = new Buffered (loop);

      assert (protocol instanceof Loop.BufferedProtocol);
      assertEqual (receive (loop, protocol), 'closed');
      assertEqual (protocol.text, 'hello, world');
      assertEqual (protocol.events.slice (0, 6).join (), '-1,4,-1,4,-1,4');
    }));
  }

test ('a protocol with a buffer and one without take turns', () => withLoop (contexts.default, loop => {
  const protocol = new Buffered (loop);
  const plain = new Plain (protocol);

  protocol.more = ' and all others';
  protocol.updated = () => protocol.transport.set_protocol (plain);
  assertEqual (receive (loop, protocol), 'closed');
  assertEqual (protocol.text, 'hello, world and all others');
  assertEqual (protocol.events.slice (0, 4).join (), '-1,4,-1,4');
}));

test ('no buffer ends the connection', () => withLoop (contexts.default, (loop, reports) => {
  for (const [makeBuffer, text] of [
    [() => new Uint8Array (0), 'empty buffer'],
    [() => null, 'Uint8Array'],
    [() => { throw new Error ('all is full'); }, 'all is full'],
  ])
    {
      const protocol = new Buffered (loop, makeBuffer);

      assert (receive (loop, protocol).includes (text));
      assertEqual (protocol.events.join (), '-1');
      const context = reports.shift ();
      assert (String (context.get_exception ()).includes (text));
      assert (context.get_protocol () === protocol);
    }
}));

test ('an exception in buffer_updated ends the connection', () => withLoop (contexts.default, (loop, reports) => {
  const protocol = new Buffered (loop);

  protocol.updated = () => { throw new Error ('cannot take it'); };
  receive (loop, protocol);
  assert (String (reports.shift ().get_exception ()).includes ('cannot take it'));
}));

done ();
