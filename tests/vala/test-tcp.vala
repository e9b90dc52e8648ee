// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Servers, connections, and protocols that are classes.

class Echo : Object, Loop.Protocol {
	Loop.Transport transport;

	public void connection_made (Loop.Transport transport) {
		this.transport = transport;
	}

	public void data_received (uint8[] data) {
		transport.write (data);
	}
}

// What a class does not implement does what asyncio.Protocol does.
class Sink : Object, Loop.Protocol {
}

class Client : Object, Loop.Protocol {
	public Loop.Transport? transport;
	public StringBuilder received = new StringBuilder ();
	public Loop.Future lost;
	public bool got_eof;
	public int paused;
	public int resumed;

	public Client (Loop.EventLoop loop) {
		lost = loop.create_future ();
	}

	public void connection_made (Loop.Transport transport) {
		this.transport = transport;
	}

	public void data_received (uint8[] data) {
		received.append_len ((string) data, data.length);
	}

	public bool eof_received () {
		got_eof = true;
		return false;
	}

	public void pause_writing () {
		paused++;
	}

	public void resume_writing () {
		resumed++;
	}

	public void connection_lost (Error? exception) {
		try {
			if (exception != null)
				lost.set_exception (exception);
			else
				lost.set_result ();
		} catch (Error e) {
			error ("%s", e.message);
		}
		transport = null;
	}
}

// Has memory of its own for what comes.
class Buffered : Object, Loop.Protocol, Loop.BufferedProtocol {
	public uint8 memory[4];
	public StringBuilder received = new StringBuilder ();
	public Loop.Future lost;

	public Buffered (Loop.EventLoop loop) {
		lost = loop.create_future ();
	}

	public size_t get_buffer (ssize_t sizehint, out void* buffer) throws Error {
		buffer = memory;
		if (received.len == 12)
			throw new IOError.NO_SPACE ("enough");
		return memory.length;
	}

	public void buffer_updated (size_t n_bytes) {
		received.append_len ((string) memory, (ssize_t) n_bytes);
	}

	public void connection_lost (Error? exception) {
		try {
			lost.set_exception (exception);
		} catch (Error e) {
			error ("%s", e.message);
		}
	}
}

uint16 port_of (Loop.Server server) throws Error {
	return (uint16) ((InetSocketAddress) server.get_sockets ()[0].get_local_address ()).port;
}

async void talk (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) (yield loop.create_server ({ "127.0.0.1" }, 0, null, () => new Echo ()).wait_async ());
	var client = new Client (loop);
	var transport = (Loop.Transport) (yield loop.create_connection ("127.0.0.1", port_of (server), null,
		() => client).wait_async ());

	assert (client.transport == transport);
	transport.write ("one ".data);
	transport.write_bytes (new Bytes ("two ".data));
	transport.writelines ({ new Bytes ("three ".data), new Bytes ("four".data) });
	assert (transport.can_write_eof ());
	transport.write_eof ();
	yield client.lost.wait_async ();
	assert (client.received.str == "one two three four");
	assert (client.got_eof);

	server.close ();
	yield server.wait_closed ().wait_async ();
}

void echo (Loop.EventLoop loop) throws Error {
	var run = new Check.Run (loop);
	talk.begin (loop, (_, result) => run.ended (result));
	talk.end (run.result ());
}

void refused (Loop.EventLoop loop) throws Error {
	Check.throws (new IOError.CONNECTION_REFUSED (""), () => {
		var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null, () => null));
		var port = port_of (server);
		server.close ();
		loop.run_until_complete (loop.create_connection ("127.0.0.1", port, null, () => new Echo ()));
	});
}

void all_refused (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null, () => null));
	var port = port_of (server);
	server.close ();

	var options = new Loop.ConnectionOptions () { all_errors = true };
	var future = loop.create_connection ("127.0.0.1", port, options, () => new Echo ());
	Check.throws (new IOError.CONNECTION_REFUSED (""), () => loop.run_until_complete (future));
	var errors = Loop.connection_get_errors (future);
	assert (errors.length == 1 && errors[0] is IOError.CONNECTION_REFUSED);
}

void unix_socket (Loop.EventLoop loop) throws Error {
	var folder = DirUtils.make_tmp ("loop-vala-XXXXXX");
	var path = Path.build_filename (folder, "socket");
	var server = (Loop.Server) loop.run_until_complete (loop.create_unix_server (path, null, () => new Echo ()));
	var client = new Client (loop);
	var transport = (Loop.Transport) loop.run_until_complete (loop.create_unix_connection (path, null, () => client));
	Value info;

	assert (transport.get_extra_info ("peername", out info));
	string peer;
	info.get_object ().get ("path", out peer);
	assert (peer == path);
	transport.write ("hello".data);
	transport.write_eof ();
	loop.run_until_complete (client.lost);
	assert (client.received.str == "hello");
	server.close ();
	loop.run_until_complete (server.wait_closed ());
	assert (DirUtils.remove (folder) == 0);
}

void accepted (Loop.EventLoop loop) throws Error {
	var listener = new SocketListener ();
	var port = listener.add_any_inet_port (null);
	var other = new Client (loop);
	var connecting = loop.create_connection ("127.0.0.1", port, null, () => other);
	loop.run_until_complete (connecting);
	var socket = listener.accept_socket ();
	loop.run_until_complete (loop.connect_accepted_socket (socket, null, () => new Echo ()));
	other.transport.write ("hello".data);
	other.transport.write_eof ();
	loop.run_until_complete (other.lost);
	assert (other.received.str == "hello");
	listener.close ();
}

void activation (Loop.EventLoop loop) throws Error {
	string[] names;

	assert (Loop.listen_fds (out names).length == 0);
	assert (names.length == 0);
}

void server (Loop.EventLoop loop) throws Error {
	var options = new Loop.ServerOptions () { start_serving = false, backlog = 7, family = SocketFamily.IPV4 };
	Loop.Server server;

	{
		var data = new Check.Data ();
		server = (Loop.Server) loop.run_until_complete (loop.create_server (null, 0, options, () => {
			data.use ();
			return new Echo ();
		}));
	}
	assert (server.get_loop () == loop);
	assert (server.get_id () != 0 && server.id == server.get_id ());
	assert (server.sockets.length == 1);
	assert (!server.is_serving ());
	loop.run_until_complete (server.start_serving ());
	assert (server.is_serving ());

	var lost = new Loop.Future[2];
	for (var i = 0; i < 2; i++) {
		var client = new Client (loop);
		lost[i] = client.lost;
		loop.run_until_complete (loop.create_connection ("127.0.0.1", port_of (server), null, () => client));
		// The server accepts in an iteration of its own.
		Check.run_for (loop, 0.05);
		if (i == 0)
			server.close_clients ();
		else
			server.abort_clients ();
		try {
			loop.run_until_complete (lost[i]);
		} catch (IOError.CONNECTION_CLOSED e) {
			assert (i == 1);
		}
	}

	var forever = server.serve_forever ();
	loop.call_soon (() => forever.cancel ());
	Check.throws (new IOError.CANCELLED (""), () => loop.run_until_complete (forever));
	assert (server.get_sockets () == null && server.sockets == null);
	assert (Check.Data.n == 0);
}

void transport (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null,
		() => new Sink ()));
	var client = new Client (loop);
	var transport = (Loop.Transport) loop.run_until_complete (loop.create_connection ("127.0.0.1", port_of (server),
		null, () => client));
	Value info;
	size_t low, high;

	assert (transport.get_loop () == loop);
	assert (transport.get_id () != 0 && transport.id == transport.get_id ());
	assert (transport.get_fd () >= 0);
	assert (transport.steal_fd () == -1);
	assert (transport.get_extra_info ("peername", out info));
	assert (((InetSocketAddress) info.get_object ()).port == port_of (server));
	assert (!transport.get_extra_info ("nothing", out info));

	transport.pause_reading ();
	assert (!transport.is_reading ());
	transport.resume_reading ();
	assert (transport.is_reading ());

	assert (transport.set_write_buffer_limits (1000, 100));
	transport.get_write_buffer_limits (out low, out high);
	assert (low == 100 && high == 1000);
	transport.write (new uint8[16 * 1024 * 1024]);
	assert (transport.get_write_buffer_size () > 0);
	assert (client.paused == 1);
	while (transport.get_write_buffer_size () > 0)
		Check.run_for (loop, 0.001);
	assert (client.resumed == 1);

	var other = new Client (loop);
	assert (transport.get_protocol () == client && transport.protocol == client);
	transport.set_protocol (other);
	((Loop.Protocol) other).connection_made (transport);
	assert (other.transport == transport);
	other.transport = null;
	assert (transport.protocol == other);
	transport.protocol = client;
	assert (!transport.is_closing ());
	transport.abort ();
	assert (transport.is_closing ());
	transport.close ();
	loop.run_until_complete (client.lost);
	server.abort_clients ();
	server.close ();
	loop.run_until_complete (server.wait_closed ());
}

void buffered (Loop.EventLoop loop) throws Error {
	var protocol = new Buffered (loop);
	Loop.BufferedProtocol as_buffered = protocol;
	void* memory;

	assert (as_buffered.get_buffer (-1, out memory) == 4 && memory == (void*) protocol.memory);
	as_buffered.buffer_updated (0);

	var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null,
		() => protocol));
	var client = new Client (loop);
	var transport = (Loop.Transport) loop.run_until_complete (loop.create_connection ("127.0.0.1", port_of (server),
		null, () => client));
	var n_reports = 0;

	loop.set_exception_handler ((_, context) => {
		n_reports++;
		assert (context.get_exception () is IOError.NO_SPACE);
	});
	transport.write ("hello, world, and nothing else".data);
	Check.throws (new IOError.NO_SPACE (""), () => loop.run_until_complete (protocol.lost));
	assert (protocol.received.str == "hello, world");
	assert (n_reports == 1);
	loop.set_exception_handler (null);
	// It went with something unread.
	Check.throws (new IOError.CONNECTION_CLOSED (""), () => loop.run_until_complete (client.lost));
	assert (transport.is_closing ());
	server.close ();
	loop.run_until_complete (server.wait_closed ());
}

// Not sendfile(): that would be the kernel's, for the library as well.
void send_file (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null,
		() => new Echo ()));
	var client = new Client (loop);
	var transport = (Loop.Transport) loop.run_until_complete (loop.create_connection ("127.0.0.1", port_of (server),
		null, () => client));
	var memory = new MemoryInputStream.from_data ("0123456789".data);
	FileIOStream stream;
	var file = File.new_tmp (null, out stream);
	stream.output_stream.write_all ("abcdefghij".data, null);
	var input = file.read ();
	file.delete ();

	assert ((int64) loop.run_until_complete (loop.sendfile (transport, input, 3, 4, false)) == 4);
	assert (input.tell () == 7);
	assert ((int64) loop.run_until_complete (loop.sendfile (transport, memory, 8, -1, true)) == 2);
	Check.throws (new Loop.Error.SENDFILE_NOT_AVAILABLE (""), () =>
		loop.run_until_complete (loop.sendfile (transport, memory, 0, -1, false)));
	transport.write_eof ();
	loop.run_until_complete (client.lost);
	assert (client.received.str == "defg89");
	server.close ();
	loop.run_until_complete (server.wait_closed ());
}

void options (Loop.EventLoop loop) throws Error {
	var address = new InetSocketAddress.from_string ("127.0.0.1", 0);
	var socket = new Socket (IPV4, STREAM, TCP);
	var connection = new Loop.ConnectionOptions ();
	assert (connection.local_addr == null && connection.sock == null);
	connection.set_local_addr (address);
	connection.set_sock (socket);
	connection.set_family (SocketFamily.IPV4);
	connection.set_proto (SocketProtocol.TCP);
	connection.set_flags (0);
	assert (connection.get_local_addr () == address && connection.get_sock () == socket);
	assert (connection.get_family () == SocketFamily.IPV4 && connection.family == SocketFamily.IPV4);
	assert (connection.get_proto () == SocketProtocol.TCP && connection.proto == SocketProtocol.TCP);
	assert (connection.get_flags () == 0 && connection.flags == 0);
	connection.local_addr = null;
	connection.sock = null;
	connection.set_happy_eyeballs_delay (0.25);
	connection.set_interleave (2);
	connection.set_all_errors (true);
	assert (connection.get_happy_eyeballs_delay () == 0.25 && connection.happy_eyeballs_delay == 0.25);
	assert (connection.get_interleave () == 2 && connection.interleave == 2);
	assert (connection.get_all_errors () && connection.all_errors);

	var server = new Loop.ServerOptions ();
	assert (server.sock == null && server.get_start_serving ());
	server.set_backlog (5);
	server.set_family (SocketFamily.IPV6);
	server.set_flags (0);
	server.set_reuse_address (false);
	server.set_reuse_port (true);
	server.set_sock (socket);
	server.set_start_serving (false);
	assert (server.get_backlog () == 5 && server.get_family () == SocketFamily.IPV6 && server.get_flags () == 0);
	assert (!server.get_reuse_address () && server.get_reuse_port () && server.get_sock () == socket);
	server.set_keep_alive (true);
	server.set_cleanup_socket (false);
	assert (server.get_keep_alive () && server.keep_alive);
	assert (!server.get_cleanup_socket () && !server.cleanup_socket);
	assert (!server.start_serving && server.backlog == 5 && !server.reuse_address && server.reuse_port);
	server.sock = null;
}

void defaults (Loop.EventLoop loop) throws Error {
	Loop.Protocol sink = new Sink ();

	assert (!sink.eof_received ());
	sink.pause_writing ();
	sink.resume_writing ();
	sink.connection_lost (null);

	var client = new Client (loop);
	((Loop.Protocol) client).data_received ("abc".data);
	assert (client.received.str == "abc");
	((Loop.Protocol) client).connection_lost (new IOError.BUSY ("busy"));
	Check.throws (new IOError.BUSY (""), () => client.lost.result ());
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("echo", echo);
	Check.add ("refused", refused);
	Check.add ("all-refused", all_refused);
	Check.add ("unix", unix_socket);
	Check.add ("accepted", accepted);
	Check.add ("activation", activation);
	Check.add ("server", server);
	Check.add ("transport", transport);
	Check.add ("buffered", buffered);
	Check.add ("sendfile", send_file);
	Check.add ("options", options);
	Check.add ("defaults", defaults);
	return Test.run ();
}
