// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Transports as streams of GIO's.

class Echo : Object, Loop.Protocol {
	Loop.Transport transport;

	public void connection_made (Loop.Transport transport) {
		this.transport = transport;
	}

	public void data_received (uint8[] data) {
		transport.write (data);
	}
}

class Idle : Object, Loop.Protocol {
}

async void talk (Loop.EventLoop loop) throws Error {
	var server = (Loop.Server) (yield loop.create_server ({ "127.0.0.1" }, 0, null, () => new Echo ()).wait_async ());
	var port = (uint16) ((InetSocketAddress) server.get_sockets ()[0].get_local_address ()).port;
	var transport = (Loop.Transport) (yield loop.create_connection ("127.0.0.1", port, null,
		() => new Idle ()).wait_async ());
	var stream = new Loop.IOStream (transport);
	var lines = new DataInputStream (stream.input_stream);

	assert (stream.dup_transport () == transport && stream.transport == transport);
	stream.feed (new Bytes ("before\n".data));
	assert ((yield lines.read_line_async ()) == "before");
	yield stream.output_stream.write_all_async ("hello\nworld\n".data, Priority.DEFAULT, null, null);
	assert ((yield lines.read_line_async ()) == "hello");
	assert ((yield lines.read_line_async ()) == "world");
	yield stream.output_stream.close_async ();
	assert ((yield lines.read_line_async ()) == null);
	yield stream.close_async ();
	assert (stream.dup_transport () == null);

	server.close ();
	yield server.wait_closed ().wait_async ();
}

void echo (Loop.EventLoop loop) throws Error {
	var run = new Check.Run (loop);
	talk.begin (loop, (_, result) => run.ended (result));
	talk.end (run.result ());
}

class Reader : Object, Loop.Protocol {
	public StringBuilder received = new StringBuilder ();
	public bool is_lost;

	public void data_received (uint8[] data) {
		received.append_len ((string) data, data.length);
	}

	public void connection_lost (Error? exception) {
		assert (exception == null);
		is_lost = true;
	}
}

void connect_stream (Loop.EventLoop loop) throws Error {
	var output = new MemoryOutputStream.resizable ();
	var stream = new SimpleIOStream (new MemoryInputStream.from_data ("all of it".data), output);
	var reader = new Reader ();
	var transport = (Loop.Transport) loop.run_until_complete (loop.connect_io_stream (stream, () => reader));

	transport.write ("kept".data);
	while (!reader.is_lost)
		Check.run_for (loop, 0.001);
	assert (reader.received.str == "all of it");
	assert (stream.is_closed ());
	output.close ();
	assert ((string) output.steal_as_bytes ().get_data ()[0:4] == "kept");
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("echo", echo);
	Check.add ("connect", connect_stream);
	return Test.run ();
}
