// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The low-level socket operations.

Socket make_socket (SocketType type) throws Error {
	var socket = new Socket (SocketFamily.IPV4, type, SocketProtocol.DEFAULT) { blocking = false };
	socket.bind (new InetSocketAddress.from_string ("127.0.0.1", 0), true);
	return socket;
}

string text_of (Value value) {
	var bytes = (Bytes) value.get_boxed ();
	return ((string) bytes.get_data ()).substring (0, (long) bytes.length);
}

void streams (Loop.EventLoop loop) throws Error {
	var listener = make_socket (SocketType.STREAM);
	var client = make_socket (SocketType.STREAM);
	uint8[] buffer = new uint8[3];

	listener.listen ();
	var accepting = loop.sock_accept (listener);
	loop.run_until_complete (loop.sock_connect (client, listener.get_local_address ()));
	var result = loop.run_until_complete (accepting);
	unowned var accepted = (Loop.AcceptResult) result.get_boxed ();
	var connection = accepted.get_socket ();
	assert (((InetSocketAddress) accepted.get_address ()).port == ((InetSocketAddress) client.get_local_address ()).port);

	loop.run_until_complete (loop.sock_sendall (connection, new Bytes ("hello".data)));
	assert (text_of (loop.run_until_complete (loop.sock_recv (client, 2))) == "he");
	assert (loop.run_until_complete (loop.sock_recv_into (client, buffer)).get_int64 () == 3);
	assert (buffer[0] == 'l' && buffer[2] == 'o');

	var memory = new MemoryInputStream.from_data ("0123456789".data);
	assert (loop.run_until_complete (loop.sock_sendfile (connection, memory, 7, -1, true)).get_int64 () == 3);
	assert (text_of (loop.run_until_complete (loop.sock_recv (client, 10))) == "789");

	assert (loop.sock_check (client.fd));
	loop.run_until_complete (loop.sock_wait (client.fd, IOCondition.OUT));
}

void datagrams (Loop.EventLoop loop) throws Error {
	var a = make_socket (SocketType.DATAGRAM);
	var b = make_socket (SocketType.DATAGRAM);
	var ping = new Bytes ("ping".data);
	uint8[] buffer = new uint8[2];

	assert (loop.run_until_complete (loop.sock_sendto (a, ping, b.get_local_address ())).get_int64 () == 4);
	var result = loop.run_until_complete (loop.sock_recvfrom (b, 100));
	unowned var received = (Loop.RecvfromResult) result.get_boxed ();
	assert (received.get_size () == 4);
	assert (received.get_data ().compare (ping) == 0);
	assert (((InetSocketAddress) received.get_address ()).port == ((InetSocketAddress) a.get_local_address ()).port);

	loop.run_until_complete (loop.sock_sendto (a, ping, b.get_local_address ()));
	result = loop.run_until_complete (loop.sock_recvfrom_into (b, buffer));
	received = (Loop.RecvfromResult) result.get_boxed ();
	assert (received.get_size () == 2 && received.get_data () == null && buffer[1] == 'i');
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("streams", streams);
	Check.add ("datagrams", datagrams);
	return Test.run ();
}
