// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names and addresses.

void addresses (Loop.EventLoop loop) throws Error {
	var result = loop.run_until_complete (loop.getaddrinfo ("127.0.0.1", 80, 0, 1, 0, 2));
	unowned var found = ((Loop.AddressInfoResult) result.get_boxed ()).get_addresses ();
	assert (found.length == 1);
	unowned var info = found[0];
	assert (info.get_family () == SocketFamily.IPV4);
	assert (info.get_socktype () == SocketType.STREAM);
	assert (info.get_proto () == SocketProtocol.TCP);
	assert (info.get_canonname () == "127.0.0.1");
	assert (info.get_address ().to_string () == "127.0.0.1:80");

	result = loop.run_until_complete (loop.getaddrinfo_service ("::1", "443", 0, 1, 0, 0));
	found = ((Loop.AddressInfoResult) result.get_boxed ()).get_addresses ();
	assert (found[0].get_address ().to_string () == "[::1]:443");

	Check.throws (new IOError.INVALID_ARGUMENT (""), () => {
		loop.run_until_complete (loop.getaddrinfo (string.nfill (256, 'a'), 80, 0, 0, 0, 0));
	});
}

void names (Loop.EventLoop loop) throws Error {
	var address = new InetSocketAddress.from_string ("127.0.0.1", 80);
	var result = loop.run_until_complete (loop.getnameinfo (address, 3));
	unowned var found = (Loop.NameInfoResult) result.get_boxed ();
	assert (found.get_host () == "127.0.0.1" && found.get_service () == "80");
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("addresses", addresses);
	Check.add ("names", names);
	return Test.run ();
}
