// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names and addresses.

import Gio from 'gi://Gio';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';

covers ('EventLoop.getaddrinfo', 'EventLoop.getaddrinfo_service', 'EventLoop.getnameinfo', 'AddressInfo',
        'AddressInfoResult', 'NameInfoResult');

const STREAM = { type: Gio.SocketType.STREAM };

test ('getaddrinfo', () => {
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    const [info] = await loop.getaddrinfo ('127.0.0.1', 80, STREAM);

    assertEqual (info.family, Gio.SocketFamily.IPV4);
    assertEqual (info.type, 1);
    assertEqual (info.proto, 6);
    assertEqual (info.canonname, null);
    assertEqual (info.address.to_string (), '127.0.0.1:80');

    const [other] = await loop.getaddrinfo ('::1', '443', STREAM);

    assertEqual (other.address.to_string (), '[::1]:443');
    assertEqual ((await loop.getaddrinfo ('127.0.0.1', null)).length, 3);
    assert ((await loop.getaddrinfo ('localhost', 80, STREAM)).length > 0);
  });
  loop.close ();
});

test ('errors', () => {
  const loop = new Loop.EventLoop ();

  loop.run_until_complete (async () => {
    assertThrows (() => loop.getaddrinfo ('127.0.0.1\0.example.org', 80), TypeError);
    assertThrows (() => loop.getaddrinfo ('127.0.0.1', '80\0x'), TypeError);
    for (const length of [256, 64 * 1024])
      {
        try
          {
            await loop.getaddrinfo ('a'.repeat (length), 80);
            assert (false);
          }
        catch (e)
          {
            assert (e.matches (Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT));
            assert (e.message.includes ('longer than 254'));
          }
      }
  });
  loop.close ();
});

test ('getnameinfo', () => {
  const loop = new Loop.EventLoop ();
  const NUMERIC = 3;

  loop.run_until_complete (async () => {
    const address = Gio.InetSocketAddress.new_from_string ('127.0.0.1', 80);

    assertEqual ((await loop.getnameinfo (address, NUMERIC)).join (), '127.0.0.1,80');
    assertEqual ((await loop.getnameinfo (address, 1))[0], '127.0.0.1');
  });
  loop.close ();
});

done ();
