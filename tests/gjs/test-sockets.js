// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The low-level socket operations.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, covers, done, test } from './tap.js';

covers ('EventLoop.sock_recv', 'EventLoop.sock_sendall', 'EventLoop.sock_recvfrom', 'EventLoop.sock_sendto',
        'EventLoop.sock_connect', 'EventLoop.sock_accept', 'EventLoop.sock_check', 'EventLoop.sock_wait',
        'AcceptResult', 'RecvfromResult');

const decode = bytes => new TextDecoder ().decode (bytes);

function makeSocket (type)
{
  const socket = Gio.Socket.new (Gio.SocketFamily.IPV4, type, Gio.SocketProtocol.DEFAULT);

  socket.set_blocking (false);
  socket.bind (Gio.InetSocketAddress.new_from_string ('127.0.0.1', 0), true);

  return socket;
}

async function connect (loop)
{
  const listener = makeSocket (Gio.SocketType.STREAM);
  const client = makeSocket (Gio.SocketType.STREAM);

  listener.listen ();
  const accepting = loop.sock_accept (listener);
  await loop.sock_connect (client, listener.get_local_address ());
  const [connection, address] = await accepting;

  assertEqual (address.get_port (), client.get_local_address ().get_port ());
  listener.close ();

  return [client, connection];
}

test ('streams', () => {
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    const [client, connection] = await connect (loop);
    const receiving = loop.sock_recv (client, 100);

    assert (!connection.get_blocking ());
    await loop.sock_sendall (connection, 'hello');
    const data = await receiving;

    assert (data instanceof Uint8Array);
    assertEqual (decode (data), 'hello');

    await loop.sock_sendall (connection, new Uint8Array ([1, 2, 3, 4]));
    const buffer = new Uint8Array (8);

    assertEqual (await loop.sock_recv_into (client, buffer.subarray (2, 5)), 3);
    assertEqual (buffer.join (), '0,0,1,2,3,0,0,0');
    assertEqual ((await loop.sock_recv (client, 100)).join (), '4');
    connection.close ();
    assertEqual ((await loop.sock_recv (client, 100)).length, 0);
    client.close ();
  });
  loop.close ();
});

test ('datagrams', () => {
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    const a = makeSocket (Gio.SocketType.DATAGRAM);
    const b = makeSocket (Gio.SocketType.DATAGRAM);

    assertEqual (await loop.sock_sendto (a, 'ping', b.get_local_address ()), 4);
    const [data, address] = await loop.sock_recvfrom (b, 100);

    assertEqual (decode (data), 'ping');
    assertEqual (address.get_port (), a.get_local_address ().get_port ());

    const buffer = new Uint8Array (3);

    await loop.sock_sendto (a, 'pong', b.get_local_address ());
    const [size] = await loop.sock_recvfrom_into (b, buffer);

    assertEqual (size, 3);
    assertEqual (decode (buffer), 'pon');
    a.close ();
    b.close ();
  });
  loop.close ();
});

test ('misuse and cancelling', () => {
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    const [client, connection] = await connect (loop);
    const receiving = loop.sock_recv (client, 100);

    assert (loop.sock_check (client.get_fd ()));
    assert (receiving.cancel ());
    await loop.sock_sendall (connection, 'kept');
    await loop.sock_wait (client.get_fd (), GLib.IOCondition.IN);
    assertEqual (decode (await loop.sock_recv (client, 100)), 'kept');

    loop.set_debug (true);
    client.set_blocking (true);
    try
      {
        await loop.sock_recv (client, 1);
        assert (false);
      }
    catch (e)
      {
        assert (e.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT));
      }
    loop.set_debug (false);
    client.close ();
    connection.close ();
  });
  loop.close ();
});

done ();
