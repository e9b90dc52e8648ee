// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Datagram endpoints.

class Echo : Object, Loop.DatagramProtocol {
	Loop.DatagramTransport transport;

	public void connection_made (Loop.DatagramTransport transport) {
		this.transport = transport;
	}

	public void datagram_received (uint8[] data, SocketAddress? addr) {
		try {
			transport.sendto (data, addr);
		} catch (Error e) {
			error ("%s", e.message);
		}
	}
}

// What a class does not implement does what asyncio.DatagramProtocol does.
class Sink : Object, Loop.DatagramProtocol {
}

class Client : Object, Loop.DatagramProtocol {
	public Loop.DatagramTransport? transport;
	public Loop.Future answer;
	public Loop.Future failure;
	public Loop.Future lost;
	public int paused;

	public Client (Loop.EventLoop loop) {
		answer = loop.create_future ();
		failure = loop.create_future ();
		lost = loop.create_future ();
	}

	public void connection_made (Loop.DatagramTransport transport) {
		this.transport = transport;
	}

	public void datagram_received (uint8[] data, SocketAddress? addr) {
		try {
			answer.set_result ("%.*s from port %u".printf (data.length, (string) data, ((InetSocketAddress) addr).port));
		} catch (Error e) {
			error ("%s", e.message);
		}
	}

	public void error_received (Error exception) {
		try {
			failure.set_exception (exception);
		} catch (Error e) {
			error ("%s", e.message);
		}
	}

	public void pause_writing () {
		paused++;
	}

	public void connection_lost (Error? exception) {
		assert (exception == null);
		try {
			lost.set_result ();
		} catch (Error e) {
			error ("%s", e.message);
		}
		transport = null;
	}
}

void echo (Loop.EventLoop loop) throws Error {
	var server_options = new Loop.DatagramOptions () { local_addr = new InetSocketAddress.from_string ("127.0.0.1", 0) };
	var server = (Loop.DatagramTransport) loop.run_until_complete (loop.create_datagram_endpoint (server_options,
		() => new Echo ()));
	Value name;
	assert (server.get_extra_info ("sockname", out name));

	var address = (InetSocketAddress) name.get_object ();
	var client_options = new Loop.DatagramOptions () { remote_addr = address };
	var client = new Client (loop);
	var transport = (Loop.DatagramTransport) loop.run_until_complete (loop.create_datagram_endpoint (client_options,
		() => client));
	assert (client.transport == transport);
	transport.sendto ("hello".data, null);
	var answer = loop.run_until_complete (client.answer);
	assert (answer.get_string () == "hello from port %u".printf (address.port));

	Check.throws (new IOError.INVALID_ARGUMENT (""), () => {
		transport.sendto ("x".data, new InetSocketAddress.from_string ("127.0.0.1", address.port - 1));
	});
	transport.sendto (new uint8[65508], null);
	Check.throws (new IOError.MESSAGE_TOO_LARGE (""), () => loop.run_until_complete (client.failure));
	transport.close ();
	loop.run_until_complete (client.lost);
	server.abort ();
}

void options (Loop.EventLoop loop) throws Error {
	var address = new InetSocketAddress.from_string ("127.0.0.1", 0);
	var socket = new Socket (IPV4, DATAGRAM, UDP);
	var options = new Loop.DatagramOptions ();
	assert (options.local_addr == null && options.remote_addr == null && options.sock == null);
	options.set_local_addr (address);
	options.set_remote_addr (address);
	options.set_sock (socket);
	options.set_family (SocketFamily.IPV4);
	options.set_proto (SocketProtocol.UDP);
	options.set_flags (0);
	options.set_reuse_port (true);
	options.set_allow_broadcast (true);
	assert (options.get_local_addr () == address && options.get_remote_addr () == address);
	assert (options.get_sock () == socket && options.get_flags () == 0);
	assert (options.get_family () == SocketFamily.IPV4 && options.get_proto () == SocketProtocol.UDP);
	assert (options.get_reuse_port () && options.get_allow_broadcast ());
	Check.throws (new IOError.INVALID_ARGUMENT (""), () => {
		loop.run_until_complete (loop.create_datagram_endpoint (options, () => new Sink ()));
	});
	options.local_addr = null;
	options.remote_addr = null;
	options.sock = null;
}

void defaults (Loop.EventLoop loop) throws Error {
	var options = new Loop.DatagramOptions () { local_addr = new InetSocketAddress.from_string ("127.0.0.1", 0) };
	var transport = (Loop.DatagramTransport) loop.run_until_complete (loop.create_datagram_endpoint (options,
		() => new Sink ()));
	Loop.DatagramProtocol sink = new Sink ();

	sink.connection_made (transport);
	sink.datagram_received ("x".data, null);
	sink.error_received (new IOError.BUSY ("busy"));
	sink.pause_writing ();
	sink.resume_writing ();
	sink.connection_lost (null);
	transport.abort ();

	var client = new Client (loop);
	((Loop.DatagramProtocol) client).pause_writing ();
	assert (client.paused == 1);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("echo", echo);
	Check.add ("options", options);
	Check.add ("defaults", defaults);
	return Test.run ();
}
