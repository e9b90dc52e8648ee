// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Files that are sent.

import Gio from 'gi://Gio';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, covers, done, test } from './tap.js';

covers ('EventLoop.sendfile', 'EventLoop.sock_sendfile');

const Peer = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Peer extends GObject.Object {
  constructor (loop)
  {
    super ();
    this.data = '';
    this.lost = loop.create_future ();
  }

  vfunc_data_received (data) { this.data += new TextDecoder ().decode (data); }
  vfunc_connection_lost () { this.lost.set_result (true); }
});

test ('files and streams', () => {
  const loop = new Loop.EventLoop ();
  const peer = new Peer (loop);
  const server = loop.run_until_complete (loop.create_server (['127.0.0.1'], 0, null, () => peer));
  const { port } = server.get_sockets ()[0].get_local_address ();
  const transport = loop.run_until_complete (loop.create_connection ('127.0.0.1', port, null, () => new Peer (loop)));
  const send = (...args) => loop.run_until_complete (loop.sendfile (transport, ...args));

  const [file, stream] = Gio.File.new_tmp (null);
  stream.get_output_stream ().write_all ('0123456789', null);
  const input = file.read (null);
  file.delete (null);
  const memory = Gio.MemoryInputStream.new_from_bytes (new TextEncoder ().encode ('abcdef'));

  assertEqual (send (input), 10);
  assertEqual (send (input, 2, 3, false), 3);
  assertEqual (input.tell (), 5);
  assertEqual (send (memory, 4, null), 2);

  let error = null;
  try
    {
      send (memory, 0, -1, false);
    }
  catch (e)
    {
      error = e;
    }
  assert (error?.matches (Loop.Error, Loop.Error.SENDFILE_NOT_AVAILABLE));

  const listener = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT);
  const socket = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, Gio.SocketProtocol.DEFAULT);

  listener.bind (Gio.InetSocketAddress.new_from_string ('127.0.0.1', 0), true);
  listener.listen ();
  socket.connect (listener.get_local_address (), null);
  socket.set_blocking (false);
  const other = listener.accept (null);

  assertEqual (loop.run_until_complete (loop.sock_sendfile (socket, input, 7, null)), 3);
  assertEqual (loop.run_until_complete (loop.sock_sendfile (socket, memory)), 6);
  socket.close ();
  const received = Gio.DataInputStream.new (other.connection_factory_create_connection ().get_input_stream ());
  assertEqual (received.read_line_utf8 (null)[0], '789abcdef');
  other.close ();
  listener.close ();

  transport.close ();
  loop.run_until_complete (peer.lost);
  assertEqual (peer.data, '0123456789234ef');
  server.close ();
  loop.close ();
});

done ();
