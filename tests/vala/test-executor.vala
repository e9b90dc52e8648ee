// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Functions that run elsewhere.

void default_executor (Loop.EventLoop loop) throws Error {
	unowned Thread<void> here = Thread.self<void> ();
	Loop.Future future;

	{
		var data = new Check.Data ();
		future = loop.run_in_executor (null, (out result) => {
			data.use ();
			assert (Thread.self<void> () != here);
			result = 42;
			return true;
		});
	}
	assert ((int) loop.run_until_complete (future) == 42);
	assert (Check.Data.n == 0);

	var failing = loop.run_in_executor (null, () => { throw new FileError.NOSPC ("full"); });
	Check.throws (new FileError.NOSPC (""), () => loop.run_until_complete (failing));

	loop.run_until_complete (loop.shutdown_default_executor ());
	Check.throws (new Loop.Error.CLOSED (""), () =>
		loop.run_until_complete (loop.run_in_executor (null, (out result) => { result = {}; return true; })));
}

void thread_pool (Loop.EventLoop loop) throws Error {
	var pool = new Loop.ThreadPoolExecutor (1, "worker");

	assert (pool.get_max_workers () == 1 && pool.max_workers == 1);
	assert (pool.get_thread_name_prefix () == "worker" && pool.thread_name_prefix == "worker");
	var future = pool.submit (loop, (out result) => { result = "from a thread"; return true; });
	assert ((string) loop.run_until_complete (future) == "from a thread");
	assert (pool.get_n_workers () == 1 && pool.n_workers == 1);
	assert (pool.get_n_idle () == 1 && pool.n_idle == 1);
	assert (pool.get_queue_depth () == 0 && pool.queue_depth == 0);

	loop.set_default_executor (pool);
	future = loop.run_in_executor (null, (out result) => { result = 1; return true; });
	loop.run_until_complete (future);
	pool.shutdown ();
	assert (pool.n_workers == 0);
}

// One that runs everything at once.
class Inline : Object, Loop.Executor {
	public bool is_shut_down;

	public Loop.Future submit (Loop.EventLoop loop, owned Loop.ExecutorFunc func) {
		var future = loop.create_future ();
		try {
			try {
				Value result;
				func (out result);
				future.set_result (result);
			} catch (FileError e) {
				future.set_exception (e);
			}
		} catch (Error e) {
			error ("%s", e.message);
		}
		return future;
	}

	public void shutdown (bool wait, bool cancel_futures) {
		is_shut_down = true;
	}
}

void own_executor (Loop.EventLoop loop) throws Error {
	var executor = new Inline ();
	Loop.Future future;

	{
		var data = new Check.Data ();
		future = loop.run_in_executor (executor, (out result) => {
			data.use ();
			result = 6;
			return true;
		});
	}
	assert (Check.Data.n == 0);
	assert ((int) loop.run_until_complete (future) == 6);
	future = ((Loop.Executor) executor).submit (loop, () => { throw new FileError.NOSPC ("full"); });
	Check.throws (new FileError.NOSPC (""), () => loop.run_until_complete (future));
	((Loop.Executor) executor).shutdown ();
	assert (executor.is_shut_down);
}

void process_pool (Loop.EventLoop loop) throws Error {
	var pool = new Loop.ProcessPoolExecutor (1);
	assert (pool.get_max_workers () == 1 && pool.max_workers == 1);

	Value result = loop.run_until_complete (pool.submit (loop, "add", new Variant ("(ii)", 40, 2)));
	assert (result.dup_variant ().get_int32 () == 42);
	assert (pool.get_n_workers () == 1 && pool.n_workers == 1);
	assert (pool.get_n_idle () == 1 && pool.n_idle == 1);
	assert (pool.get_queue_depth () == 0 && pool.queue_depth == 0);
	Check.throws (new IOError.NOT_FOUND (""), () => loop.run_until_complete (pool.submit (loop, "nothing")));
	Check.throws (new FileError.NOSPC (""), () => loop.run_until_complete (pool.submit (loop, "fail")));
	Check.throws (new Loop.Error.BROKEN_PROCESS_POOL (""), () =>
		loop.run_until_complete (pool.submit (loop, "exit")));
	((Loop.Executor) pool).shutdown ();
}

int main (string[] args) {
	Test.init (ref args);

	// Before there is any thread.
	try {
		var offset = 0;
		Loop.ProcessPoolExecutor.register ("add", new VariantType ("(ii)"), (parameters) => {
			int a, b;
			parameters.get ("(ii)", out a, out b);
			return new Variant.int32 (a + b + offset);
		});
		Loop.ProcessPoolExecutor.register ("fail", null, () => { throw new FileError.NOSPC ("full"); });
		Loop.ProcessPoolExecutor.register ("exit", null, () => {
			Process.exit (3);
		});
		Loop.ProcessPoolExecutor.start_zygote ();
	} catch (Error e) {
		error ("%s", e.message);
	}

	Check.add ("default", default_executor);
	Check.add ("thread-pool", thread_pool);
	Check.add ("own", own_executor);
	Check.add ("process-pool", process_pool);
	return Test.run ();
}
