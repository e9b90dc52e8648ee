// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Futures made of futures.

Loop.Future later (Loop.EventLoop loop, double delay, Value value) {
	var future = loop.create_future ();

	loop.call_later (delay, () => {
		try {
			if (!future.done ())
				future.set_result (value);
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	return future;
}

Loop.Future failed (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	future.set_exception (new FileError.NOSPC ("full"));
	return future;
}

void check_gather (Loop.EventLoop loop) throws Error {
	Loop.Future[] futures = { later (loop, 0.01, 1), later (loop, 0, "two") };
	Value result = loop.run_until_complete (Loop.gather (loop, futures));
	unowned ValueArray values = (ValueArray) result.get_boxed ();

	assert (values.n_values == 2);
	assert ((int) values.values[0] == 1);
	assert ((string) values.values[1] == "two");
	loop.run_until_complete (Loop.gather (loop, {}));

	Check.throws (new FileError.NOSPC (""), () =>
		loop.run_until_complete (Loop.gather (loop, { later (loop, 0, 1), failed (loop) })));

	result = loop.run_until_complete (Loop.gather (loop, { later (loop, 0, 1), failed (loop) }, true));
	values = (ValueArray) result.get_boxed ();
	assert ((int) values.values[0] == 1);
	assert (((Error) values.values[1].get_boxed ()) is FileError.NOSPC);

	var endless = loop.create_future ();
	var all = Loop.gather (loop, { endless });
	all.cancel ();
	assert (endless.cancelled ());
	Check.throws (new IOError.CANCELLED (""), () => loop.run_until_complete (all));
}

void check_wait (Loop.EventLoop loop) throws Error {
	var endless = loop.create_future ();
	var soon = later (loop, 0.001, 1);
	Value value = loop.run_until_complete (Loop.wait (loop, { endless, soon }, -1, FIRST_COMPLETED));
	unowned Loop.WaitResult result = (Loop.WaitResult) value.get_boxed ();

	assert (result.get_done ().length == 1 && result.get_done ()[0] == soon);
	assert (result.get_pending ().length == 1 && result.get_pending ()[0] == endless);

	value = loop.run_until_complete (Loop.wait (loop, { soon }));
	assert (((Loop.WaitResult) value.get_boxed ()).get_pending ().length == 0);
	value = loop.run_until_complete (Loop.wait (loop, { endless, failed (loop) }, 60, FIRST_EXCEPTION));
	assert (((Loop.WaitResult) value.get_boxed ()).get_done ().length == 1);
	value = loop.run_until_complete (Loop.wait (loop, { endless }, 0.001));
	assert (((Loop.WaitResult) value.get_boxed ()).get_done ().length == 0);
	Check.throws (new IOError.INVALID_ARGUMENT (""), () => loop.run_until_complete (Loop.wait (loop, {})));
}

void check_wait_for (Loop.EventLoop loop) throws Error {
	var endless = loop.create_future ();

	assert ((int) loop.run_until_complete (Loop.wait_for (later (loop, 0, 3), 60)) == 3);
	Check.throws (new IOError.TIMED_OUT (""), () => loop.run_until_complete (Loop.wait_for (endless, 0.001)));
	assert (endless.cancelled ());
}

void check_shield (Loop.EventLoop loop) throws Error {
	var inner = later (loop, 0.001, 4);
	var outer = Loop.shield (inner);

	outer.cancel ();
	assert ((int) loop.run_until_complete (inner) == 4);
	assert (outer.cancelled ());
}

void check_sleep (Loop.EventLoop loop) throws Error {
	var start = loop.time ();

	loop.run_until_complete (Loop.sleep (loop, 0.02));
	assert (loop.time () - start >= 0.02);
	Check.throws (new IOError.INVALID_ARGUMENT (""), () =>
		loop.run_until_complete (Loop.sleep (loop, double.NAN)));
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("gather", check_gather);
	Check.add ("wait", check_wait);
	Check.add ("wait-for", check_wait_for);
	Check.add ("shield", check_shield);
	Check.add ("sleep", check_sleep);
	return Test.run ();
}
