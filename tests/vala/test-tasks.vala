// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Coroutines, which a class may be, and fibers, which run a closure.

// Sleeps, and returns how often it did. It goes on in spite of the first error.
class Sleeper : Object, Loop.Coroutine {
	public Loop.EventLoop loop;
	public int times;
	public int slept;
	public int failed;
	public bool is_closed;
	Loop.Future? nap;

	public Sleeper (Loop.EventLoop loop, int times) {
		this.loop = loop;
		this.times = times;
	}

	public Loop.CoroutineStatus send (out Loop.Future? awaited, out Value result) throws Error {
		try {
			if (nap != null)
				nap.result ();
		} catch (Error e) {
			return this.throw (e, out awaited, out result);
		}
		return sleep (out awaited, out result);
	}

	public Loop.CoroutineStatus @throw (Error exception, out Loop.Future? awaited, out Value result) throws Error {
		if (++failed > 1)
			throw exception;
		return sleep (out awaited, out result);
	}

	Loop.CoroutineStatus sleep (out Loop.Future? awaited, out Value result) {
		result = {};
		awaited = null;
		if (slept == times) {
			result = slept;
			return RETURNED;
		}
		slept++;
		awaited = nap = Loop.sleep (loop, 0.001);
		return AWAITING;
	}

	public void close () {
		is_closed = true;
	}

	public unowned string get_name () {
		return "sleeper";
	}
}

void coroutine (Loop.EventLoop loop) throws Error {
	var sleeper = new Sleeper (loop, 3);
	Loop.Task task = loop.create_task (sleeper);

	assert (task.get_coroutine () == sleeper);
	assert (task.get_name ().has_prefix ("Task-"));
	task.set_name ("mine");
	assert (task.get_name () == "mine");
	var all = loop.all_tasks ();
	assert (all.length == 1 && all[0] == task);
	assert ((int) loop.run_until_complete (task) == 3);
	assert (sleeper.slept == 3);
	assert (task.get_coroutine () == null);
	assert (loop.all_tasks ().length == 0);
}

void coroutine_cancelled (Loop.EventLoop loop) throws Error {
	var sleeper = new Sleeper (loop, 1000);
	Loop.Task task = loop.create_task (sleeper);

	while (sleeper.slept < 2)
		Check.run_for (loop, 0.001);
	task.cancel ();
	assert (task.cancelling () == 1);
	while (sleeper.failed == 0)
		Check.run_for (loop, 0.001);
	assert (!task.done ());
	assert (task.uncancel () == 0);

	task.cancel ();
	Check.throws (new IOError.CANCELLED (""), () => loop.run_until_complete (task));
	assert (sleeper.failed == 2 && task.cancelled ());
}

void coroutine_by_hand (Loop.EventLoop loop) throws Error {
	Loop.Coroutine sleeper = new Sleeper (loop, 1);
	Loop.Future? awaited;
	Value result;

	assert (sleeper.get_name () == "sleeper");
	assert (sleeper.send (out awaited, out result) == AWAITING);
	assert (awaited != null && !result.holds (typeof (int)));
	assert (sleeper.throw (new IOError.FAILED (""), out awaited, out result) == RETURNED);
	assert (awaited == null && (int) result == 1);
	Check.throws (new IOError.BUSY (""), () =>
		sleeper.throw (new IOError.BUSY (""), out awaited, out result));
	sleeper.close ();
	assert (((Sleeper) sleeper).is_closed);
}

void task_factory (Loop.EventLoop loop) throws Error {
	int made = 0;

	assert (loop.get_task_factory () == null);
	{
		var data = new Check.Data ();
		loop.set_task_factory ((task_loop, coroutine) => {
			data.use ();
			made++;
			var task = new Loop.Task (task_loop, coroutine);
			task.set_name ("made");
			return task;
		});
	}
	assert (loop.create_task (new Sleeper (loop, 0)).get_name () == "made");
	var again = loop.get_task_factory () (loop, new Sleeper (loop, 0));
	assert (made == 2);
	loop.run_until_complete (again);
	loop.set_task_factory (null);
	assert (Check.Data.n == 0);
}

void spawn (Loop.EventLoop loop) throws Error {
	var ready = loop.create_future ();
	Loop.Task? task = null;

	{
		var data = new Check.Data ();
		task = loop.spawn ((out result) => {
			data.use ();
			assert (Loop.Fiber.get_current () != null);
			assert (loop.get_current_task () == task);
			Loop.await (Loop.sleep (loop, 0.001));
			result = "got " + (string) Loop.await_result (ready);
			return true;
		});
	}
	assert (Check.Data.n == 1);
	loop.call_later (0.01, () => {
		try {
			ready.set_result ("it");
		} catch (Error e) {
			error ("%s", e.message);
		}
	});
	assert ((string) loop.run_until_complete (task) == "got it");
	assert (Check.Data.n == 0);
	assert (loop.get_current_task () == null);
	Check.throws (new Loop.Error.INVALID_STATE (""), () => Loop.await (loop.create_future ()));
}

void spawn_failure (Loop.EventLoop loop) throws Error {
	var task = loop.spawn ((out result) => {
		result = "to be freed";
		throw new FileError.NOSPC ("full");
	});
	Check.throws (new FileError.NOSPC (""), () => loop.run_until_complete (task));

	var caught = loop.spawn ((out result) => {
		var failed = loop.create_future ();
		failed.set_exception (new Loop.Error.QUEUE_FULL ("full"));
		try {
			Loop.await (failed);
		} catch (Loop.Error.QUEUE_FULL e) {
			result = e.message;
			return true;
		}
		assert_not_reached ();
	});
	assert ((string) loop.run_until_complete (caught) == "full");
}

void spawn_cancelled (Loop.EventLoop loop) throws Error {
	bool cleaned_up = false;
	Loop.Task? task = null;

	{
		var data = new Check.Data ();
		task = loop.spawn ((out result) => {
			data.use ();
			result = {};
			try {
				Loop.await (Loop.sleep (loop, 60));
			} finally {
				cleaned_up = true;
			}
			return true;
		});
	}
	loop.call_later (0.01, () => task.cancel ());
	Check.throws (new IOError.CANCELLED (""), () => loop.run_until_complete (task));
	assert (cleaned_up && task.cancelled ());
	assert (Check.Data.n == 0);
}

void fiber (Loop.EventLoop loop) throws Error {
	var fiber = new Loop.Fiber ((out result) => {
		Loop.await (Loop.sleep (loop, 0));
		result = 5;
		return true;
	});
	var size = Loop.Fiber.get_stack_size ();
	Loop.Fiber.set_stack_size (2 * size);
	assert (Loop.Fiber.get_stack_size () == 2 * size);
	Loop.Fiber.set_stack_size (size);

	var task = loop.create_task (fiber);
	assert ((int) loop.run_until_complete (task) == 5);
	assert (fiber.get_stack_used () == 0);
}

void task_group (Loop.EventLoop loop) throws Error {
	var task = loop.spawn ((out result) => {
		var group = new Loop.TaskGroup (loop);
		Error? error = null;
		int sum = 0;

		for (var i = 1; i <= 3; i++) {
			var number = i;
			group.spawn ((out nothing) => {
				nothing = {};
				Loop.await (Loop.sleep (loop, 0.001));
				sum += number;
				return true;
			});
		}
		group.create_task (new Sleeper (loop, 2));
		assert (group.exit (ref error));
		assert (error == null && group.get_errors ().length == 0);
		result = sum;
		return true;
	});
	assert ((int) loop.run_until_complete (task) == 6);

	var failing = loop.spawn ((out result) => {
		var group = new Loop.TaskGroup (loop);
		Error? error = null;

		group.spawn (() => { throw new IOError.BUSY ("busy"); });
		// The group cancels this task.
		try {
			Loop.await (Loop.sleep (loop, 60));
		} catch (Error e) {
			error = e;
		}
		assert (!group.exit (ref error));
		assert (group.get_errors ().length == 1 && group.get_errors ()[0] is IOError.BUSY);
		result = {};
		throw error;
	});
	Check.throws (new IOError.BUSY (""), () => loop.run_until_complete (failing));
}

void timeout (Loop.EventLoop loop) throws Error {
	var task = loop.spawn ((out result) => {
		var timeout = Loop.timeout (loop, 0.01);
		Error? error = null;

		try {
			Loop.await (Loop.sleep (loop, 60));
		} catch (Error e) {
			error = e;
		}
		assert (!timeout.exit (ref error));
		assert (timeout.expired ());
		assert (error is IOError.TIMED_OUT);
		result = "late";
		return true;
	});
	assert ((string) loop.run_until_complete (task) == "late");

	var in_time = loop.spawn ((out result) => {
		var timeout = new Loop.Timeout.at (loop, loop.time () + 0.01);
		Error? error = null;

		timeout.reschedule (loop.time () + 60);
		assert (timeout.when () > loop.time () + 50);
		Loop.await (Loop.sleep (loop, 0.02));
		assert (timeout.exit (ref error));
		assert (!timeout.expired () && error == null);
		result = "in time";
		return true;
	});
	assert ((string) loop.run_until_complete (in_time) == "in time");
}

class Generator : Object, Loop.AsyncGenerator {
	public Loop.EventLoop loop;
	public bool is_closed;

	public Loop.Future? aclose () {
		is_closed = true;
		return Loop.sleep (loop, 0);
	}
}

void async_generator (Loop.EventLoop loop) throws Error {
	var generator = new Generator () { loop = loop };

	loop.track_async_generator (generator);
	loop.run_until_complete (loop.shutdown_asyncgens ());
	assert (generator.is_closed);
	assert (((Loop.AsyncGenerator) generator).aclose () != null);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("coroutine", coroutine);
	Check.add ("coroutine/cancelled", coroutine_cancelled);
	Check.add ("coroutine/by-hand", coroutine_by_hand);
	Check.add ("task-factory", task_factory);
	Check.add ("spawn", spawn);
	Check.add ("spawn/failure", spawn_failure);
	Check.add ("spawn/cancelled", spawn_cancelled);
	Check.add ("fiber", fiber);
	Check.add ("task-group", task_group);
	Check.add ("timeout", timeout);
	Check.add ("async-generator", async_generator);
	return Test.run ();
}
