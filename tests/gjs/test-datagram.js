// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Datagram endpoints.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { contexts, withLoop } from './loops.js';
import { assert, assertEqual, covers, done, test } from './tap.js';

covers ('EventLoop.create_datagram_endpoint', 'DatagramTransport.sendto');

const decode = bytes => new TextDecoder ().decode (bytes);

const Echo = GObject.registerClass ({ Implements: [Loop.DatagramProtocol] }, class Echo extends GObject.Object {
  vfunc_connection_made (transport) { this.transport = transport; }
  vfunc_datagram_received (data, addr) { this.transport.sendto (data, addr); }
});

const Client = GObject.registerClass ({ Implements: [Loop.DatagramProtocol] }, class Client extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.answer = loop.create_future ();
    this.error = loop.create_future ();
    this.lost = loop.create_future ();
  }

  vfunc_connection_made (transport) { transport.sendto ('hello', null); }

  vfunc_datagram_received (data, addr)
  {
    this.answer.set_result (`${decode (data)} from ${addr.get_address ().to_string ()}`);
  }

  vfunc_error_received (error) { this.error.set_result (error.message); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

// GJS 1.74 gives the value behind a TRUE.
const portOf = transport => [transport.get_extra_info ('sockname')].flat ().at (-1).get_port ();
const loopback = port => Gio.InetSocketAddress.new_from_string ('127.0.0.1', port);
const options = properties => new Loop.DatagramOptions (properties);

for (const [name, makeLoop] of Object.entries (contexts))
  test (`echo on the ${name} context`, () => withLoop (makeLoop, loop => {
    const server = loop.run_until_complete (
      loop.create_datagram_endpoint (options ({ local_addr: loopback (0) }), () => new Echo ()));
    const port = portOf (server);
    const client = new Client (loop);
    const transport = loop.run_until_complete (
      loop.create_datagram_endpoint (options ({ remote_addr: loopback (port) }), () => client));

    assertEqual (loop.run_until_complete (client.answer), 'hello from 127.0.0.1');
    let code = null;
    try
      {
        transport.sendto ('x', loopback (port - 1));
      }
    catch (e)
      {
        code = e.code;
      }
    assertEqual (code, Gio.IOErrorEnum.INVALID_ARGUMENT);

    transport.sendto (new Uint8Array (65508), null);
    assert (loop.run_until_complete (client.error) !== '');
    transport.close ();
    loop.run_until_complete (client.lost);
    server.abort ();
  }));

test ('a protocol that throws, and a factory that does', () => withLoop (contexts.default, (loop, reports) => {
  const received = loop.create_future ();
  const Broken = GObject.registerClass ({ Implements: [Loop.DatagramProtocol] }, class Broken extends GObject.Object {
    vfunc_datagram_received ()
    {
      received.set_result (true);
      throw new RangeError ('broken');
    }
  });
  const server = loop.run_until_complete (
    loop.create_datagram_endpoint (options ({ local_addr: loopback (0) }), () => new Broken ()));
  const port = portOf (server);

  loop.run_until_complete (
    loop.create_datagram_endpoint (options ({ remote_addr: loopback (port) }), () => new Client (loop)));
  loop.run_until_complete (received);
  assert (reports.shift ().get_exception () instanceof RangeError);
  assert (!server.is_closing ());

  let error = null;
  try
    {
      loop.run_until_complete (loop.create_datagram_endpoint (options ({ local_addr: loopback (0) }), () => {
        throw new RangeError ('no protocol');
      }));
    }
  catch (e)
    {
      error = e;
    }
  assert (error.matches (Loop.Error, Loop.Error.PROTOCOL_FACTORY));
  assert (reports.shift ().get_exception () instanceof RangeError);
}));

test ('unix sockets', () => withLoop (contexts.default, loop => {
  const folder = GLib.Dir.make_tmp ('libloop-XXXXXX');
  const local_addr = Gio.UnixSocketAddress.new (`${folder}/server`);
  const remote_addr = local_addr;
  const received = loop.create_future ();
  const Sink = GObject.registerClass ({ Implements: [Loop.DatagramProtocol] }, class Sink extends GObject.Object {
    vfunc_datagram_received (data, addr)
    {
      this.received = [decode (data), addr];
      received.set_result (true);
    }
  });
  const sink = new Sink ();

  loop.run_until_complete (loop.create_datagram_endpoint (options ({ local_addr }), () => sink));
  loop.run_until_complete (loop.create_datagram_endpoint (options ({ remote_addr }), () => new Client (loop)));
  loop.run_until_complete (received);
  assertEqual (sink.received[0], 'hello');
  assertEqual (sink.received[1], null);
  GLib.unlink (`${folder}/server`);
  GLib.rmdir (folder);
}));

done ();
