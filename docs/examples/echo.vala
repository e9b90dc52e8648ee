// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An echo server in Vala, until SIGTERM:
//
//   valac --pkg libloop-1 --pkg posix echo.vala
//   ./echo [PORT]

class Echo : Object, Loop.Protocol {
	Loop.Transport transport;

	public void connection_made (Loop.Transport transport) {
		this.transport = transport;
	}

	public void data_received (uint8[] data) {
		transport.write (data);
	}
}

async void serve (Loop.EventLoop loop, uint16 port) throws Error {
	var future = loop.create_server ({ "127.0.0.1" }, port, null, () => new Echo ());
	var server = (Loop.Server) (yield future.wait_async ());
	var address = (InetSocketAddress) server.get_sockets ()[0].get_local_address ();

	print ("listening on port %u\n", address.port);
	loop.add_signal_handler (Posix.Signal.TERM, () => {
		server.close ();
		server.close_clients ();
	});
	yield server.wait_closed ().wait_async ();
	print ("closed\n");
}

int main (string[] args) {
	var loop = new Loop.EventLoop ();
	var port = args.length > 1 ? (uint16) int.parse (args[1]) : 8888;
	int status = 0;

	// What an asynchronous method waits for comes back to the context in which the method was called: the loop's.
	loop.call_soon (() => serve.begin (loop, port, (_, result) => {
		try {
			serve.end (result);
		} catch (Error e) {
			printerr ("%s\n", e.message);
			status = 1;
		}
		loop.stop ();
	}));
	loop.run_forever ();
	loop.close ();
	return status;
}
