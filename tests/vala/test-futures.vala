// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Futures, and waiting for them in asynchronous methods.

async int add (Loop.Future a, Loop.Future b) throws Error {
	Value first = yield a.wait_async ();
	Value second = yield b.wait_async ();
	return (int) first + (int) second;
}

async void wait_for_results (Loop.EventLoop loop) throws Error {
	var a = loop.create_future ();
	var b = loop.create_future ();

	loop.call_later (0.01, () => {
		try {
			a.set_result (40);
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	b.set_result (2);
	assert ((yield add (a, b)) == 42);

	var text = loop.create_future ();
	text.set_result ("text");
	assert ((string) (yield text.wait_async ()) == "text");
	assert ((string) text.result () == "text");

	Value nothing = yield Loop.sleep (loop, 0).wait_async ();
	assert (!nothing.holds (typeof (string)));
}

async void wait_for_failures (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	loop.call_soon (() => {
		try {
			future.set_exception (new FileError.NOSPC ("full"));
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	try {
		yield future.wait_async ();
		assert_not_reached ();
	} catch (FileError.NOSPC e) {
		assert (e.message == "full");
	}
	assert (future.exception ().matches (FileError.quark (), FileError.NOSPC));

	var broken = loop.create_future ();
	broken.set_exception (new Loop.Error.BROKEN_BARRIER ("broken"));
	try {
		yield broken.wait_async ();
		assert_not_reached ();
	} catch (Loop.Error e) {
		assert (e is Loop.Error.BROKEN_BARRIER);
	}
}

async void cancel_future (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	loop.call_soon (() => assert (future.cancel_with_message ("no more")));
	try {
		yield future.wait_async ();
		assert_not_reached ();
	} catch (IOError.CANCELLED e) {
		assert (e.message.contains ("no more"));
	}
	assert (future.cancelled ());
	assert (future.get_cancel_message () == "no more");
	assert (!future.cancel ());
}

async void cancel_wait (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	var cancellable = new Cancellable ();
	loop.call_soon (cancellable.cancel);
	try {
		yield future.wait_async (cancellable);
		assert_not_reached ();
	} catch (IOError.CANCELLED e) {
		assert (!future.done ());
	}

	// What is waited for goes on.
	future.set_result (1);
	assert ((int) (yield future.wait_async (new Cancellable ())) == 1);
}

async int wait_elsewhere (Loop.Future future) throws Error {
	return (int) (yield future.wait_async ());
}

// A loop in another thread, and an asynchronous method in this one.
void wait_in_thread (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	var thread = new Thread<int> ("waiter", () => {
		var context = new MainContext ();
		var main = new MainLoop (context);
		int result = 0;

		context.push_thread_default ();
		wait_elsewhere.begin (future, (_, ended) => {
			try {
				result = wait_elsewhere.end (ended);
			} catch (Error e) {
				error ("%s", e.message);
			}
			main.quit ();
		});
		main.run ();
		context.pop_thread_default ();

		try {
			loop.call_soon_threadsafe (loop.stop);
		} catch (Error e) {
			error ("%s", e.message);
		}
		return result;
	});

	loop.call_later (0.05, () => {
		try {
			future.set_result (7);
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	assert (loop.run_forever ());
	assert (thread.join () == 7);
}

void states (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	assert (future.get_loop () == loop);
	assert (future.get_id () != 0);
	assert (!future.done ());
	Check.throws (new Loop.Error.INVALID_STATE (""), () => future.result ());
	Check.throws (new Loop.Error.INVALID_STATE (""), () => future.exception ());

	assert (future.set_result ());
	assert (future.done () && !future.cancelled ());
	assert (future.exception () == null);
	Check.throws (new Loop.Error.INVALID_STATE (""), () => future.set_result (1));
	Check.throws (new Loop.Error.INVALID_STATE (""), () => future.set_exception (new IOError.FAILED ("")));
}

void done_callbacks (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	int called = 0;
	uint64 id;

	{
		var data = new Check.Data ();
		future.add_done_callback ((done) => {
			data.use ();
			assert (done == future);
			called++;
			loop.stop ();
		});
	}
	{
		var data = new Check.Data ();
		id = future.add_done_callback (() => {
			data.use ();
			assert_not_reached ();
		});
	}
	assert (Check.Data.n == 2);
	assert (future.remove_done_callback (id));
	assert (Check.Data.n == 1);
	assert (!future.remove_done_callback (id));

	future.set_result ();
	assert (called == 0);
	assert (loop.run_forever ());
	assert (called == 1);
	assert (Check.Data.n == 0);
}

void run_until_complete (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	loop.call_soon (() => {
		try {
			future.set_result ("done");
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	assert ((string) loop.run_until_complete (future) == "done");
	loop.run_until_complete (Loop.sleep (loop, 0.001));

	var stopped = loop.create_future ();
	loop.call_soon (loop.stop);
	Check.throws (new Loop.Error.STOPPED (""), () => loop.run_until_complete (stopped));
}

// Objects that are a result are freed with it.
void values (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	var data = new Check.Data ();
	Value value = Value (typeof (Check.Data));
	value.set_instance (data);
	future.set_result (value);
	value.unset ();
	data = null;
	assert (Check.Data.n == 1);
	value = future.result ();
	assert (value.holds (typeof (Check.Data)));
	value.unset ();
	assert (Check.Data.n == 1);
	future = null;
	assert (Check.Data.n == 0);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("wait-async/result", (loop) => {
		var run = new Check.Run (loop);
		wait_for_results.begin (loop, (_, result) => run.ended (result));
		wait_for_results.end (run.result ());
	});
	Check.add ("wait-async/failure", (loop) => {
		var run = new Check.Run (loop);
		wait_for_failures.begin (loop, (_, result) => run.ended (result));
		wait_for_failures.end (run.result ());
	});
	Check.add ("wait-async/future-cancelled", (loop) => {
		var run = new Check.Run (loop);
		cancel_future.begin (loop, (_, result) => run.ended (result));
		cancel_future.end (run.result ());
	});
	Check.add ("wait-async/cancellable", (loop) => {
		var run = new Check.Run (loop);
		cancel_wait.begin (loop, (_, result) => run.ended (result));
		cancel_wait.end (run.result ());
	});
	Check.add ("wait-async/thread", wait_in_thread);
	Check.add ("states", states);
	Check.add ("done-callbacks", done_callbacks);
	Check.add ("run-until-complete", run_until_complete);
	Check.add ("values", values);
	return Test.run ();
}
