// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libloop from JavaScript: callbacks, futures, a server and a client.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, done, test } from './tap.js';

const encoder = new TextEncoder ();
const decoder = new TextDecoder ();

// Writes down what happens, and echoes if it is asked to.
const Recorder = GObject.registerClass ({
  Implements: [Loop.Protocol],
}, class Recorder extends GObject.Object {
  constructor ({ echo = false, made = null, data = null, lost = null } = {})
  {
    super ();
    Object.assign (this, { echo, made, data, lost, events: [], received: '', transport: null, error: null });
  }

  vfunc_connection_made (transport)
  {
    this.events.push ('made');
    this.transport = transport;
    this.made?.(this);
  }

  vfunc_data_received (data)
  {
    assert (data instanceof Uint8Array, 'data is no Uint8Array');
    this.events.push ('data');
    this.received += decoder.decode (data);
    if (this.echo)
      this.transport.write (data);
    this.data?.(this);
  }

  vfunc_eof_received ()
  {
    this.events.push ('eof');
    return false;
  }

  vfunc_connection_lost (error)
  {
    this.events.push ('lost');
    this.error = error;
    this.lost?.(this);
  }
});

function withLoop (body)
{
  const loop = new Loop.EventLoop ();
  const reports = [];

  // GJS lends the context to its handler for the time of the call.
  loop.set_exception_handler ((_, context) => reports.push (context.get_exception ()));
  try
    {
      body (loop, reports);
      assertEqual (reports.length, 0);
    }
  finally
    {
      loop.close ();
    }
}

function runFor (loop, seconds)
{
  loop.call_later (seconds, () => loop.stop ());
  assert (loop.run_forever ());
}

function runUntil (loop, condition)
{
  const deadline = GLib.get_monotonic_time () + 15e6;

  while (!condition ())
    {
      assert (GLib.get_monotonic_time () < deadline, `waited in vain for ${condition}`);
      runFor (loop, 0.002);
    }
}

// A method that returns TRUE, and its result through a pointer, gives both.
function take (result)
{
  return Array.isArray (result) ? result.at (-1) : result;
}

function waitFor (loop, future)
{
  return take (loop.run_until_complete (future));
}

// The error with which @future ends.
function failure (loop, future)
{
  runUntil (loop, () => future.done ());
  return future.exception ();
}

function serve (loop, factory)
{
  const server = waitFor (loop, loop.create_server (['127.0.0.1'], 0, null, factory));

  return [server, server.get_sockets ()[0].get_local_address ().get_port ()];
}

function connect (loop, port, protocol)
{
  const transport = waitFor (loop, loop.create_connection ('127.0.0.1', port, null, () => protocol));

  assertEqual (transport.get_protocol (), protocol);
  return transport;
}

test ('call_soon runs in order', () => withLoop (loop => {
  const seen = [];

  for (let i = 0; i < 5; i++)
    loop.call_soon (() => seen.push (i));
  loop.call_soon (() => loop.stop ());
  assert (loop.run_forever ());
  assertEqual (seen.join (), '0,1,2,3,4');
}));

test ('timers', () => withLoop (loop => {
  const seen = [];
  const start = loop.time ();

  loop.call_later (0.02, () => seen.push ('later'));
  loop.call_at (start + 0.01, () => seen.push ('at'));
  const handle = loop.call_later (0.015, () => seen.push ('cancelled'));
  assert (!handle.cancelled () && handle.when () >= start + 0.015);
  handle.cancel ();
  runUntil (loop, () => seen.length === 2);
  assertEqual (seen.join (), 'at,later');
  assert (handle.cancelled ());
}));

// SIGUSR1 and SIGUSR2; JavaScript has neither their names nor kill().
test ('signals', () => withLoop (loop => {
  const seen = [];
  const send = name => GLib.spawn_command_line_sync (`kill -${name} ${new Gio.Credentials ().get_unix_pid ()}`);

  loop.add_signal_handler (10, () => seen.push ('usr1'));
  loop.add_signal_handler (12, () => seen.push ('usr2'));
  send ('USR1');
  runUntil (loop, () => seen.length === 1);
  send ('USR2');
  runUntil (loop, () => seen.length === 2);
  assertEqual (seen.join (), 'usr1,usr2');
  assert (loop.remove_signal_handler (10));
  assert (!loop.remove_signal_handler (10));
}));

test ('errors are thrown', () => {
  const loop = new Loop.EventLoop ();
  let error = null;

  loop.close ();
  try
    {
      loop.call_soon (() => {});
    }
  catch (e)
    {
      error = e;
    }
  assert (error?.matches (Loop.Error, Loop.Error.CLOSED), `${error}`);
});

test ('futures', () => withLoop (loop => {
  const seen = [];

  for (const result of [42, 'text', null, loop])
    {
      const future = loop.create_future ();

      future.add_done_callback (f => seen.push (f === future));
      loop.call_soon (() => future.set_result (result));
      assertEqual (waitFor (loop, future), result);
    }
  runFor (loop, 0);
  assertEqual (seen.join (), 'true,true,true,true');

  const failed = loop.create_future ();
  loop.call_soon (() => failed.set_exception (new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy')));
  assert (failure (loop, failed).matches (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));

  const cancelled = loop.create_future ();
  assert (cancelled.cancel () && cancelled.cancelled ());
}));

test ('server and client', () => withLoop (loop => {
  const accepted = [];
  const [server, port] = serve (loop, () => {
    accepted.push (new Recorder ({ echo: true }));
    return accepted.at (-1);
  });
  const client = new Recorder ({ data: self => self.received === 'hello from JavaScript' && self.transport.close () });
  const transport = connect (loop, port, client);

  assertEqual (take (transport.get_extra_info ('peername')).get_port (), port);
  transport.write ('hello ');
  transport.write_bytes (new GLib.Bytes (encoder.encode ('from ')));
  transport.writelines ([new GLib.Bytes (encoder.encode ('Java')), new GLib.Bytes (encoder.encode ('Script'))]);
  runUntil (loop, () => accepted[0]?.events.includes ('lost') && client.events.includes ('lost'));

  assertEqual (client.received, 'hello from JavaScript');
  assertEqual (accepted[0].received, 'hello from JavaScript');
  assertEqual (client.error, null);
  assertEqual (client.events.filter (event => event !== 'data').join (), 'made,lost');
  assertEqual (accepted[0].events.filter (event => event !== 'data').join (), 'made,eof,lost');

  assert (server.is_serving ());
  server.close ();
  waitFor (loop, server.wait_closed ());
  assert (!server.is_serving ());
}));

test ('many clients', () => withLoop (loop => {
  const [server, port] = serve (loop, () => new Recorder ({ echo: true }));
  const clients = [];

  for (let i = 0; i < 30; i++)
    {
      clients.push (new Recorder ());
      connect (loop, port, clients[i]).write (`<${i}>`);
    }
  runUntil (loop, () => clients.every (client => client.received !== ''));
  clients.forEach ((client, i) => assertEqual (client.received, `<${i}>`));
  server.close ();
  server.abort_clients ();
  waitFor (loop, server.wait_closed ());
}));

test ('bulk', () => withLoop (loop => {
  const text = 'All work and no play makes Jack a dull boy. '.repeat (30000);
  const [server, port] = serve (loop, () => new Recorder ({ echo: true }));
  const client = new Recorder ();

  connect (loop, port, client).write (text);
  runUntil (loop, () => client.received.length === text.length);
  assertEqual (client.received, text);
  server.close ();
}));

// A protocol factory that fails: that connection is refused and reported, the next one is served.
for (const [name, factory] of [['null', () => null], ['something else', () => new Gio.Cancellable ()]])
  {
    test (`factory returns ${name}`, () => withLoop ((loop, reports) => {
      let n = 0;
      const [server, port] = serve (loop, () => n++ === 0 ? factory () : new Recorder ({ echo: true }));
      const refused = new Recorder ();
      const served = new Recorder ();

      connect (loop, port, refused);
      runUntil (loop, () => reports.length === 1 && refused.events.includes ('lost'));
      assert (reports.pop ().matches (Loop.Error, Loop.Error.PROTOCOL_FACTORY));

      connect (loop, port, served).write ('x');
      runUntil (loop, () => served.received === 'x');
      assert (failure (loop, loop.create_connection ('127.0.0.1', port, null, factory))
        .matches (Loop.Error, Loop.Error.PROTOCOL_FACTORY));
      server.close ();
    }));
  }

test ('bad hosts', () => withLoop (loop => {
  for (const host of ['nonexistent.invalid', 'a'.repeat (300), ''])
    assert (failure (loop, loop.create_connection (host, 1, null, () => null)) instanceof GLib.Error);
}));

test ('port in use', () => withLoop (loop => {
  const [server, port] = serve (loop, () => null);
  const error = failure (loop, loop.create_server (['127.0.0.1'], port, null, () => null));

  assert (error.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.ADDRESS_IN_USE));
  assert (error.message.includes (`127.0.0.1:${port}`));
  server.close ();
}));

// The loop that GJS itself runs: promises and libloop side by side.
test ('promises', async () => {
  const loop = Loop.EventLoop.new_for_context (null);
  const seen = [];

  seen.push (await new Promise (resolve => loop.call_soon (() => resolve ('soon'))));
  seen.push (await new Promise (resolve => loop.call_later (0.01, () => resolve ('later'))));

  const server = await new Promise (resolve => {
    loop.create_server (['127.0.0.1'], 0, null, () => new Recorder ({ echo: true }))
      .add_done_callback (future => resolve (take (future.result ())));
  });
  seen.push (await new Promise (resolve => {
    const client = new Recorder ({
      made: self => self.transport.write ('echo'),
      data: self => self.transport.close (),
      lost: self => resolve (self.received),
    });

    loop.create_connection ('127.0.0.1', server.get_sockets ()[0].get_local_address ().get_port (), null,
                            () => client);
  }));
  assertEqual (seen.join (), 'soon,later,echo');
  loop.close ();
});

done ();
