// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The examples of asyncio's documentation, as one writes them in JavaScript. Each prints what the
// documentation says that it prints; the clock is faster here. Those of datagrams and of streams are with their tests.

import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Gio from 'gi://Gio';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, done, test } from './tap.js';

const SIGINT = 2;
const SIGTERM = 15;
const SECOND = 0.01;

const decode = bytes => new TextDecoder ().decode (bytes);
const now = () => GLib.DateTime.new_now_local ().format ('%F %T');
const DATES = /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n){1,5}$/;

let output = '';
const print = text => { output += `${text}\n`; };

// What @example prints.
function printed (example, ...args)
{
  output = '';
  example (...args);

  return output;
}

// A pair of connected sockets, as socketpair() has it.
function socketPair ()
{
  const make = () => Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP);
  const listener = make ();
  const first = make ();

  listener.bind (Gio.InetSocketAddress.new_from_string ('127.0.0.1', 0), true);
  listener.listen ();
  first.connect (listener.get_local_address (), null);
  const second = listener.accept (null);
  listener.close ();

  return [first, second];
}

// --- Callbacks ---------------------------------------------------------------------------------

function helloWorldCallback ()
{
  const loop = new Loop.EventLoop ();

  // Schedule a call that prints and then stops the loop.
  loop.call_soon (() => {
    print ('Hello World');
    loop.stop ();
  });
  loop.run_forever ();
  loop.close ();
}

function displayDateCallback ()
{
  const loop = new Loop.EventLoop ();
  const endTime = loop.time () + 5 * SECOND;

  function displayDate ()
  {
    print (now ());
    if (loop.time () + SECOND < endTime)
      loop.call_later (SECOND, displayDate);
    else
      loop.stop ();
  }

  loop.call_soon (displayDate);
  loop.run_forever ();
  loop.close ();
}

function watchReadEvent ()
{
  const [reader, writer] = socketPair ();
  const input = reader.connection_factory_create_connection ().get_input_stream ();
  const loop = new Loop.EventLoop ();

  loop.add_reader (reader.get_fd (), () => {
    print (`Received: ${decode (input.read_bytes (100, null).toArray ())}`);
    // We are done: unregister the file descriptor, and stop the loop.
    loop.remove_reader (reader.get_fd ());
    loop.stop ();
  });
  // Simulate the reception of data from the network.
  loop.call_soon (() => writer.send ('abc', null));
  loop.run_forever ();

  reader.close ();
  writer.close ();
  loop.close ();
}

function signalHandlers (signum)
{
  const loop = new Loop.EventLoop ();

  for (const [name, number] of Object.entries ({ SIGINT, SIGTERM }))
    loop.add_signal_handler (number, () => {
      print (`got signal ${name}: exit`);
      loop.stop ();
    });

  // Whoever runs the example does this with a key, or by hand.
  GLib.spawn_command_line_async (`kill -${signum} ${new Gio.Credentials ().get_unix_pid ()}`);
  loop.run_forever ();
  loop.close ();
}

// --- Coroutines --------------------------------------------------------------------------------

function helloWorldCoroutine ()
{
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => print ('Hello World!'));
  loop.close ();
}

function displayDateCoroutine ()
{
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    const endTime = loop.time () + 5 * SECOND;

    for (;;)
      {
        print (now ());
        if (loop.time () + SECOND >= endTime)
          break;
        await Loop.sleep (loop, SECOND);
      }
  });
  loop.close ();
}

// --- Transports and protocols ------------------------------------------------------------------

const EchoServerProtocol = GObject.registerClass ({
  Implements: [Loop.Protocol],
}, class EchoServerProtocol extends GObject.Object {
  vfunc_connection_made (transport)
  {
    print (`Connection from ${transport.get_extra_info ('peername')[1].get_address ().to_string ()}`);
    this.transport = transport;
  }

  vfunc_data_received (data)
  {
    print (`Server received: ${decode (data)}`);
    this.transport.write (data);
    print ('Close the client socket');
    this.transport.close ();
  }
});

const EchoClientProtocol = GObject.registerClass ({
  Implements: [Loop.Protocol],
}, class EchoClientProtocol extends GObject.Object {
  constructor (message, connectionLost)
  {
    super ();
    this.message = message;
    this.connectionLost = connectionLost;
  }

  vfunc_connection_made (transport)
  {
    transport.write (this.message);
    print (`Data sent: ${this.message}`);
  }

  vfunc_data_received (data)
  {
    print (`Client received: ${decode (data)}`);
  }

  vfunc_connection_lost (error)
  {
    print ('The server closed the connection');
    this.connectionLost.set_result (true);
  }
});

async function talkToServer (loop)
{
  const server = await loop.create_server (['127.0.0.1'], 0, null, () => new EchoServerProtocol ());
  const port = server.get_sockets ()[0].get_local_address ().get_port ();
  const connectionLost = loop.create_future ();
  const transport = await loop.create_connection ('127.0.0.1', port, null,
                                                  () => new EchoClientProtocol ('Hello World!', connectionLost));

  // Wait until the protocol signals that the connection is lost, and close the transport.
  await connectionLost;
  transport.close ();
  server.close ();
  await server.wait_closed ();
}

function tcpEcho ()
{
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (() => talkToServer (loop));
  loop.close ();
}

const ReadOnce = GObject.registerClass ({ Implements: [Loop.Protocol] }, class ReadOnce extends GObject.Object {
  vfunc_connection_made (transport)
  {
    this.transport = transport;
  }

  vfunc_data_received (data)
  {
    print (`Received: ${decode (data)}`);
    // We are done: close the transport; connection_lost will be called.
    this.transport.close ();
  }

  vfunc_connection_lost (error)
  {
    this.loop.stop ();
  }
});

function connectExistingSockets ()
{
  const [reader, writer] = socketPair ();
  const loop = new Loop.EventLoop ();
  const options = new Loop.ConnectionOptions ({ sock: reader });
  const protocol = Object.assign (new ReadOnce (), { loop });

  // Register the socket to wait for data.
  loop.run_until_complete (loop.create_connection (null, 0, options, () => protocol));
  // Simulate the reception of data from the network.
  loop.call_soon (() => writer.send ('abc', null));
  loop.run_forever ();
  writer.close ();
  loop.close ();
}

// --- Processes ---------------------------------------------------------------------------------

const DateProtocol = GObject.registerClass ({
  Implements: [Loop.SubprocessProtocol],
}, class DateProtocol extends GObject.Object {
  constructor (exited)
  {
    super ();
    this.output = '';
    this.exited = exited;
  }

  vfunc_pipe_data_received (fd, data)
  {
    this.output += decode (data);
  }

  // After the process has exited and all of its pipes are at their ends.
  vfunc_connection_lost (error)
  {
    this.exited.set_result (true);
  }
});

function getDateOfSubprocess ()
{
  const loop = new Loop.EventLoop ();

  print (loop.run_until_complete (async () => {
    const exited = loop.create_future ();
    const protocol = new DateProtocol (exited);
    const transport = await loop.subprocess_exec (['date', '+%F %T'], null, () => protocol);

    await exited;
    assertEqual (transport.get_returncode (), 0);

    return `Current date: ${protocol.output.trimEnd ()}`;
  }));
  loop.close ();
}

// --- What they print ---------------------------------------------------------------------------

test ('hello world', () => {
  assertEqual (printed (helloWorldCallback), 'Hello World\n');
  assertEqual (printed (helloWorldCoroutine), 'Hello World!\n');
});

// Five of them, unless the machine has other things to do.
test ('display date', () => {
  assert (DATES.test (printed (displayDateCallback)));
  assert (DATES.test (printed (displayDateCoroutine)));
});

test ('watch a file descriptor', () => assertEqual (printed (watchReadEvent), 'Received: abc\n'));

test ('signal handlers', () => {
  assertEqual (printed (signalHandlers, SIGINT), 'got signal SIGINT: exit\n');
  assertEqual (printed (signalHandlers, SIGTERM), 'got signal SIGTERM: exit\n');
});

// Server and client are one process here: each says its own in order.
test ('TCP echo', () => {
  const lines = printed (tcpEcho).trimEnd ().split ('\n');
  const own = pattern => lines.filter (line => pattern.test (line)).join ();

  assertEqual (own (/from|Server|socket/),
               'Connection from 127.0.0.1,Server received: Hello World!,Close the client socket');
  assertEqual (own (/sent|Client|server/),
               'Data sent: Hello World!,Client received: Hello World!,The server closed the connection');
  assertEqual (lines.length, 6);
});

test ('existing sockets', () => assertEqual (printed (connectExistingSockets), 'Received: abc\n'));

test ('subprocess', () => assert (/^Current date: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n$/.test (printed (getDateOfSubprocess))));

done ();
