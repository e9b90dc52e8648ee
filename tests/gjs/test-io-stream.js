// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Transports as streams of Gio's.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, covers, done, test } from './tap.js';
import { contexts, withLoop } from './loops.js';

covers ('IOStream.new', 'IOStream.dup_transport', 'IOStream.feed', 'EventLoop.connect_io_stream');

Gio._promisify (Gio.InputStream.prototype, 'read_bytes_async');
Gio._promisify (Gio.OutputStream.prototype, 'write_bytes_async');
Gio._promisify (Gio.OutputStream.prototype, 'flush_async');
Gio._promisify (Gio.OutputStream.prototype, 'close_async');
Gio._promisify (Gio.OutputStream.prototype, 'splice_async');
Gio._promisify (Gio.DataInputStream.prototype, 'read_line_async', 'read_line_finish_utf8');
Gio._promisify (Gio.IOStream.prototype, 'close_async');

const Echo = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Echo extends GObject.Object {
  vfunc_connection_made (transport) { this.transport = transport; }
  vfunc_data_received (data) { this.transport.write (data); }
});
const Idle = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Idle extends GObject.Object {});

async function withStream (loop, body)
{
  const server = await loop.create_server (['127.0.0.1'], 0, null, () => new Echo ());
  const { port } = server.get_sockets ()[0].get_local_address ();
  const transport = await loop.create_connection ('127.0.0.1', port, null, () => new Idle ());
  const stream = Loop.IOStream.new (transport);

  assertEqual (stream.dup_transport (), transport);
  await body (stream);
  await stream.close_async (0, null);
  assertEqual (stream.dup_transport (), null);
  server.close ();
  await server.wait_closed ();
}

test ('lines', () => withLoop (contexts.default, loop => loop.run_until_complete (withStream (loop, async stream => {
  const lines = Gio.DataInputStream.new (stream.get_input_stream ());
  const output = stream.get_output_stream ();

  for (const line of ['one', 'two', 'three'])
    {
      await output.write_bytes_async (new TextEncoder ().encode (`${line}\n`), 0, null);
      await output.flush_async (0, null);
      assertEqual ((await lines.read_line_async (0, null))[0], line);
    }
  await output.close_async (0, null);
  assertEqual ((await lines.read_line_async (0, null))[0], null);
}))));

test ('splice', () => withLoop (contexts.default, loop => loop.run_until_complete (withStream (loop, async stream => {
  const data = new Uint8Array (1024 * 1024).map ((_, i) => i * i % 251);
  const sent = stream.get_output_stream ().splice_async (
    Gio.MemoryInputStream.new_from_bytes (new GLib.Bytes (data)),
    Gio.OutputStreamSpliceFlags.CLOSE_SOURCE | Gio.OutputStreamSpliceFlags.CLOSE_TARGET, 0, null);
  const received = Gio.MemoryOutputStream.new_resizable ();

  await received.splice_async (stream.get_input_stream (), Gio.OutputStreamSpliceFlags.CLOSE_TARGET, 0, null);
  assertEqual (await sent, data.length);
  assert (received.steal_as_bytes ().equal (new GLib.Bytes (data)));
}))));

test ('take over', () => withLoop (contexts.default, loop => loop.run_until_complete (withStream (loop, async stream => {
  stream.feed (new GLib.Bytes (new TextEncoder ().encode ('left')));
  assertEqual (new TextDecoder ().decode ((await stream.get_input_stream ().read_bytes_async (100, 0, null)).toArray ()),
               'left');
}))));

test ('cancel', () => withLoop (contexts.default, loop => loop.run_until_complete (withStream (loop, async stream => {
  const cancellable = new Gio.Cancellable ();

  loop.call_later (0.01, () => cancellable.cancel ());
  try
    {
      await stream.get_input_stream ().read_bytes_async (100, 0, cancellable);
      assert (false);
    }
  catch (e)
    {
      assert (e.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    }
}))));

const Reader = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Reader extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.data = '';
    this.lost = loop.create_future ();
  }

  vfunc_data_received (data) { this.data += new TextDecoder ().decode (data); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

test ('connect', () => withLoop (contexts.default, loop => loop.run_until_complete ((async () => {
  const output = Gio.MemoryOutputStream.new_resizable ();
  const stream = Gio.SimpleIOStream.new (
    Gio.MemoryInputStream.new_from_bytes (new GLib.Bytes (new TextEncoder ().encode ('all of it'))), output);
  const reader = new Reader (loop);
  const transport = await loop.connect_io_stream (stream, () => reader);

  transport.write ('kept');
  await reader.lost;
  assertEqual (reader.data, 'all of it');
  assert (stream.is_closed ());
  assertEqual (new TextDecoder ().decode (output.steal_as_bytes ().toArray ()), 'kept');
}) ())));

done ();
