// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams, read with promises.

import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Loop from 'gi://Loop?version=1.0';

import { contexts, withLoop } from './loops.js';
import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';

covers ('StreamReader', 'StreamReaderProtocol', 'StreamWriter', 'StreamResult', 'open_connection', 'start_server',
        'open_unix_connection', 'start_unix_server');

// What a reader gives are the bytes themselves.
function decode (bytes)
{
  assert (bytes instanceof Uint8Array, `${String (bytes)} is not a Uint8Array`);

  return new TextDecoder ().decode (bytes);
}

async function start (loop, callback, limit)
{
  const server = await Loop.start_server (loop, callback, '127.0.0.1', 0, limit);

  return [server, server.get_sockets ()[0].get_local_address ().get_port ()];
}

for (const [name, makeLoop] of Object.entries (contexts))
  {
    test (`echo by lines: ${name}`, () => {
      const body = async loop => {
        const [server, port] = await start (loop, async (reader, writer) => {
          for await (const line of reader)
            {
              writer.write (line);
              await writer.drain ();
            }
          writer.close ();
          await writer.wait_closed ();
        });
        const [reader, writer] = await Loop.open_connection (loop, '127.0.0.1', port);
        const lines = [];

        assertEqual (writer.get_extra_info ('peername').get_port (), port);
        writer.write ('one\n');
        writer.write_bytes (new GLib.Bytes ('two\n'));
        writer.writelines (['three\n', new GLib.Bytes ('four\n')]);
        assert (writer.can_write_eof ());
        writer.write_eof ();
        for await (const line of reader)
          lines.push (decode (line));
        assertEqual (lines.join (''), 'one\ntwo\nthree\nfour\n');
        assert (reader.at_eof ());
        assert (!writer.is_closing ());
        writer.close ();
        await writer.wait_closed ();
        server.close ();
      };

      if (name === 'default')
        return withLoop (makeLoop, body);

      return withLoop (makeLoop, loop => loop.run_until_complete (loop.create_task (() => body (loop))));
    });
  }

test ('a reader by itself', () => withLoop (contexts.default, async loop => {
  const reader = new Loop.StreamReader (loop, 5);

  assertEqual (reader.get_limit (), 5);
  assert (reader.get_loop () === loop);
  reader.set_transport (null);
  reader.feed_data ('one two,three;');
  assertEqual (reader.get_partial (), null);
  assertEqual (decode (await reader.read (4)), 'one ');
  assertEqual (decode (await reader.readexactly (3)), 'two');
  assertEqual (decode (await reader.readuntil (',')), ',');
  assertEqual (decode (await reader.readuntil (new TextEncoder ().encode ('ee'))), 'three');
  const line = reader.readline ();
  assertThrows (() => reader.read (1).result (), Gio.IOErrorEnum, Gio.IOErrorEnum.PENDING);
  reader.feed_data (new TextEncoder ().encode ('\n123456-'));
  assertEqual (decode (await line), ';\n');
  assertThrows (() => reader.readuntil ('-').result (), Loop.Error, Loop.Error.LIMIT_OVERRUN);
  assertEqual (reader.get_consumed (), 6);
  reader.feed_eof ();
  assertThrows (() => reader.readexactly (100).result (), Loop.Error, Loop.Error.INCOMPLETE_READ);
  assertEqual (decode (reader.get_partial ()), '123456-');
  assertEqual (decode (await reader.read ()), '');
  assertEqual (reader.exception (), null);

  const failed = new Loop.StreamReader (loop);
  const mine = new Error ('mine');
  failed.set_exception (mine);
  assert (failed.exception () === mine);
  assert (assertThrows (() => failed.read (1).result (), Error) === mine);
  failed.set_exception (new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT, 'late'));
  assert (failed.exception ().matches (Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT));
}));

test ('a unix socket', () => withLoop (contexts.default, async loop => {
  const path = `@libloop-streams-${GLib.uuid_string_random ()}`;
  const server = await Loop.start_unix_server (loop, async (reader, writer) => {
    writer.write_bytes (await reader.readline ());
    writer.close ();
  }, path);
  const [reader, writer] = await Loop.open_unix_connection (loop, path);

  writer.write ('hello\n');
  assertEqual (decode (await reader.read ()), 'hello\n');
  writer.close ();
  server.close ();
}));

test ('a client that fails is let go', () => withLoop (contexts.default, async (loop, reports) => {
  for (const callback of [async () => { throw new Error ('later'); }, () => { throw new Error ('now'); }])
    {
      const [server, port] = await start (loop, callback);
      const [reader] = await Loop.open_connection (loop, '127.0.0.1', port);

      assertEqual (decode (await reader.read ()), '');
      const context = reports.shift ();
      assert (context.get_transport () instanceof Loop.Transport);
      assert (/later|now/.test (context.get_exception ().message));
      server.close ();
    }
}));

test ('a pipe is read by lines', () => withLoop (contexts.default, async loop => {
  const [, pid, input, output] = GLib.spawn_async_with_pipes (null, ['cat'], null, GLib.SpawnFlags.SEARCH_PATH, null);
  const reader = new Loop.StreamReader (loop);
  const otherReader = new Loop.StreamReader (loop);
  const protocol = new Loop.StreamReaderProtocol (otherReader);
  const lines = [];

  await loop.connect_read_pipe (output, () => new Loop.StreamReaderProtocol (reader));
  const transport = await loop.connect_write_pipe (input, () => protocol);
  const writer = new Loop.StreamWriter (transport, protocol, otherReader);

  assert (writer.get_transport () === transport);
  writer.write ('hello\nworld');
  await writer.drain ();
  writer.close ();
  for await (const line of reader)
    lines.push (decode (line));
  assertEqual (lines.join ('|'), 'hello\n|world');
  GLib.spawn_close_pid (pid);
}));

done ();
