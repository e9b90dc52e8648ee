// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams, in fibers and from async functions.

string text_of (Value value) {
	var bytes = (Bytes) value;
	var text = new StringBuilder ();
	text.append_len ((string) bytes.get_data (), (ssize_t) bytes.length);
	return text.str;
}

uint16 port_of (Loop.Server server) throws Error {
	return (uint16) ((InetSocketAddress) server.get_sockets ()[0].get_local_address ()).port;
}

async void talk (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) (yield Loop.start_server (loop, (reader, writer) => {
		echo_later.begin (reader, writer);
	}, { "127.0.0.1" }, 0).wait_async ());
	var opened = (Loop.StreamResult) (yield Loop.open_connection (loop, "127.0.0.1", port_of (server)).wait_async ());
	var reader = opened.get_reader ();
	var writer = opened.get_writer ();
	Value peer;

	assert (writer.get_extra_info ("peername", out peer));
	assert (writer.get_transport ().get_loop () == loop);
	writer.write ("one ".data);
	writer.write_bytes (new Bytes ("two ".data));
	writer.writelines ({ new Bytes ("three ".data), new Bytes ("four\n".data) });
	yield writer.drain ().wait_async ();
	assert (writer.can_write_eof ());
	writer.write_eof ();
	assert (text_of (yield reader.readline ().wait_async ()) == "one two three four\n");
	assert (text_of (yield reader.read ().wait_async ()) == "");
	assert (reader.at_eof ());
	assert (!writer.is_closing ());
	writer.close ();
	assert (writer.is_closing ());
	yield writer.wait_closed ().wait_async ();
	server.close ();
	yield server.wait_closed ().wait_async ();
}

async void echo_later (Loop.StreamReader reader, Loop.StreamWriter writer) {
	try {
		writer.write_bytes ((Bytes) (yield reader.readline ().wait_async ()));
	} catch (Error e) {
		error ("%s", e.message);
	}
}

void async_functions (Loop.EventLoop loop) throws Error {
	var run = new Check.Run (loop);
	talk.begin (loop, (_, result) => run.ended (result));
	talk.end (run.result ());
}

bool serve (Loop.StreamReader reader, Loop.StreamWriter writer) throws Error {
	for (;;) {
		var line = Loop.await_result (reader.readline ());
		if (((Bytes) line).length == 0)
			return true;
		writer.write_bytes ((Bytes) line);
		Loop.await (writer.drain ());
	}
}

void fibers (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) loop.run_until_complete (Loop.start_fiber_server (loop, serve, { "127.0.0.1" }, 0));
	var opened = (Loop.StreamResult) loop.run_until_complete (
		Loop.open_connection (loop, "127.0.0.1", port_of (server), 10));
	var reader = opened.get_reader ();
	var writer = opened.get_writer ();

	assert (reader.get_limit () == 10);
	for (var i = 0; i < 3; i++) {
		writer.write ("hello\n".data);
		assert (text_of (loop.run_until_complete (reader.readexactly (6))) == "hello\n");
	}
	writer.write ("01234567890\n".data);
	Check.throws (new Loop.Error.LIMIT_OVERRUN (""), () => loop.run_until_complete (reader.readuntil (".".data)));
	assert (reader.get_consumed () > 10);
	writer.close ();
	loop.run_until_complete (writer.wait_closed ());
	server.close ();
	loop.run_until_complete (server.wait_closed ());
}

void unix_sockets (Loop.EventLoop loop) throws Error {
	var path = "@libloop-streams-%d".printf ((int) Posix.getpid ());
	var server = (Loop.Server) loop.run_until_complete (Loop.start_unix_fiber_server (loop, serve, path));
	var opened = (Loop.StreamResult) loop.run_until_complete (Loop.open_unix_connection (loop, path));

	opened.get_writer ().write ("hello\n".data);
	assert (text_of (loop.run_until_complete (opened.get_reader ().readline ())) == "hello\n");
	opened.get_writer ().close ();
	server.close ();
	loop.run_until_complete (server.wait_closed ());

	server = (Loop.Server) loop.run_until_complete (Loop.start_unix_server (loop, (reader, writer) => {
		writer.write ("bye".data);
	}, path));
	opened = (Loop.StreamResult) loop.run_until_complete (Loop.open_unix_connection (loop, path, 10));
	assert (text_of (loop.run_until_complete (opened.get_reader ().read ())) == "bye");
	opened.get_writer ().close ();
	server.close ();
	loop.run_until_complete (server.wait_closed ());
}

void by_hand (Loop.EventLoop loop) throws Error {
	var reader = new Loop.StreamReader (loop);
	var protocol = new Loop.StreamReaderProtocol (reader);
	var server = (Loop.Server) loop.run_until_complete (loop.create_server ({ "127.0.0.1" }, 0, null,
		() => new Loop.StreamReaderProtocol (new Loop.StreamReader (loop))));
	var transport = (Loop.Transport) loop.run_until_complete (loop.create_connection ("127.0.0.1", port_of (server),
		null, () => protocol));
	var writer = new Loop.StreamWriter (transport, protocol, reader);

	assert (reader.get_loop () == loop);
	assert (writer.get_transport () == transport);
	reader.set_transport (transport);
	reader.feed_data ("abc".data);
	assert (text_of (loop.run_until_complete (reader.readuntil ("b".data))) == "ab");
	Check.run_for (loop, 0.01);
	server.abort_clients ();
	server.close ();
	writer.close ();
	loop.run_until_complete (writer.wait_closed ());
	assert (reader.exception () == null);

	var other = new Loop.StreamReader (loop, 100);
	other.feed_data ("abc".data);
	other.feed_eof ();
	Check.throws (new Loop.Error.INCOMPLETE_READ (""), () => loop.run_until_complete (other.readexactly (5)));
	assert (other.get_partial ().length == 3);
	other.set_exception (new IOError.BUSY ("busy"));
	Check.throws (new IOError.BUSY (""), () => loop.run_until_complete (other.read (1)));
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("async-functions", async_functions);
	Check.add ("fibers", fibers);
	Check.add ("unix", unix_sockets);
	Check.add ("by-hand", by_hand);
	return Test.run ();
}
