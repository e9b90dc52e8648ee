// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Connections and servers: unix sockets, several addresses, sockets from elsewhere.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';

covers ('EventLoop.create_unix_server', 'EventLoop.create_unix_connection', 'EventLoop.connect_accepted_socket',
        'connection_get_errors', 'listen_fds');

const decode = bytes => new TextDecoder ().decode (bytes);

const Echo = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Echo extends GObject.Object {
  vfunc_connection_made (transport) { this.transport = transport; }
  vfunc_data_received (data) { this.transport.write (data); }
});

const Client = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Client extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.data = '';
    this.lost = loop.create_future ();
  }

  vfunc_data_received (data) { this.data += decode (data); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

function checkTalks (loop, client, transport)
{
  transport.write ('hello');
  transport.write_eof ();
  loop.run_until_complete (client.lost);
  assertEqual (client.data, 'hello');
}

test ('unix sockets', () => {
  const loop = new Loop.EventLoop ();
  const folder = GLib.Dir.make_tmp ('loop-gjs-XXXXXX');

  for (const path of [`${folder}/socket`, `@libloop-gjs-${new Gio.Credentials ().get_unix_pid ()}`])
    {
      const server = loop.run_until_complete (loop.create_unix_server (path, null, () => new Echo ()));
      const client = new Client (loop);
      const transport = loop.run_until_complete (loop.create_unix_connection (path, null, () => client));

      checkTalks (loop, client, transport);
      assertThrows (() => loop.run_until_complete (loop.create_unix_server (path, null, () => null)),
                    Gio.io_error_quark (), Gio.IOErrorEnum.ADDRESS_IN_USE);
      server.close ();
      loop.run_until_complete (server.wait_closed ());
    }

  assertEqual (GLib.rmdir (folder), 0);
  loop.close ();
});

test ('a socket that was accepted', () => {
  const loop = new Loop.EventLoop ();
  const listener = new Gio.SocketListener ();
  const port = listener.add_any_inet_port (null);
  const client = new Client (loop);
  const transport = loop.run_until_complete (loop.create_connection ('127.0.0.1', port, null, () => client));
  const [socket] = listener.accept_socket (null);

  loop.run_until_complete (loop.connect_accepted_socket (socket, null, () => new Echo ()));
  checkTalks (loop, client, transport);
  listener.close ();
  loop.close ();
});

test ('all errors', () => {
  const loop = new Loop.EventLoop ();
  const server = loop.run_until_complete (loop.create_server (['127.0.0.1'], 0, null, () => null));
  const port = server.get_sockets ()[0].get_local_address ().get_port ();
  const options = new Loop.ConnectionOptions ({ all_errors: true, happy_eyeballs_delay: 0.25, interleave: 1 });

  server.close ();
  const future = loop.create_connection ('127.0.0.1', port, options, () => new Echo ());

  assertThrows (() => loop.run_until_complete (future), Gio.io_error_quark (), Gio.IOErrorEnum.CONNECTION_REFUSED);
  const errors = Loop.connection_get_errors (future);

  assertEqual (errors.length, 1);
  assert (errors[0].matches (Gio.io_error_quark (), Gio.IOErrorEnum.CONNECTION_REFUSED));
  loop.close ();
});

test ('socket activation', () => {
  const [sockets, names] = Loop.listen_fds ();

  assertEqual (sockets.length, 0);
  assertEqual (names.length, 0);
});

done ();
