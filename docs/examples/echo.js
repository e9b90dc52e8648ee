// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An echo server in JavaScript, until SIGTERM:
//
//   gjs -m echo.js [PORT]

import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';
import System from 'system';

const SIGTERM = 15;

const Echo = GObject.registerClass ({ Implements: [Loop.Protocol] }, class Echo extends GObject.Object {
  vfunc_connection_made (transport)
  {
    this.transport = transport;
  }

  vfunc_data_received (data)
  {
    this.transport.write (data);
  }
});

const loop = new Loop.EventLoop ();

async function main ()
{
  const port = Number (System.programArgs[0] ?? 8888);
  const server = await loop.create_server (['127.0.0.1'], port, null, () => new Echo ());

  print (`listening on port ${server.get_sockets ()[0].get_local_address ().get_port ()}`);
  loop.add_signal_handler (SIGTERM, () => {
    server.close ();
    server.close_clients ();
  });
  await server.wait_closed ();
  return 'closed';
}

print (loop.run_until_complete (main));
loop.close ();
