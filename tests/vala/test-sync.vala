// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What tasks wait for each other with.

void check_lock (Loop.EventLoop loop) throws Error {
	var @lock = new Loop.Lock (loop);
	string order = "";
	Loop.Future[] tasks = {};

	for (var i = 0; i < 2; i++) {
		tasks += loop.spawn ((out result) => {
			result = {};
			Loop.await (@lock.acquire ());
			order += "(";
			Loop.await (Loop.sleep (loop, 0.001));
			order += ")";
			@lock.release ();
			return true;
		});
	}
	loop.run_until_complete (Loop.gather (loop, tasks));
	assert (order == "()()");
	assert (!@lock.locked ());
	Check.throws (new Loop.Error.INVALID_STATE (""), () => @lock.release ());
}

void event (Loop.EventLoop loop) throws Error {
	var event = new Loop.Event (loop);
	var waiting = event.wait ();

	assert (!event.is_set ());
	loop.call_soon (event.set);
	assert ((bool) loop.run_until_complete (waiting));
	assert (event.is_set ());
	event.clear ();
	assert (!event.is_set ());
}

void condition (Loop.EventLoop loop) throws Error {
	var @lock = new Loop.Lock (loop);
	var condition = new Loop.Condition (loop, @lock);
	int items = 0;

	var consumer = loop.spawn ((out result) => {
		Loop.await (condition.acquire ());
		{
			var data = new Check.Data ();
			Loop.await (condition.wait_for (() => {
				data.use ();
				return items == 3;
			}));
		}
		assert (Check.Data.n == 0);
		assert (condition.locked () && @lock.locked ());
		Loop.await (condition.wait ());
		condition.release ();
		result = items;
		return true;
	});
	var producer = loop.spawn ((out result) => {
		result = {};
		for (var i = 0; i < 4; i++) {
			Loop.await (condition.acquire ());
			items++;
			if (i % 2 == 0)
				condition.notify ();
			else
				condition.notify_all ();
			condition.release ();
			Loop.await (Loop.sleep (loop, 0.001));
		}
		return true;
	});
	assert ((int) loop.run_until_complete (consumer) == 4);
	loop.run_until_complete (producer);
	Check.throws (new Loop.Error.INVALID_STATE (""), () => new Loop.Condition (loop).notify ());
}

void semaphore (Loop.EventLoop loop) throws Error {
	var semaphore = new Loop.Semaphore (loop, 2);

	loop.run_until_complete (semaphore.acquire ());
	assert (semaphore.get_value () == 1 && !semaphore.locked ());
	loop.run_until_complete (semaphore.acquire ());
	assert (semaphore.locked ());
	semaphore.release ();
	assert (semaphore.get_value () == 1);
	var bounded = new Loop.Semaphore.bounded (loop);
	Check.throws (new Loop.Error.INVALID_STATE (""), () => bounded.release ());
}

void barrier (Loop.EventLoop loop) throws Error {
	var barrier = new Loop.Barrier (loop, 2);
	var first = barrier.wait ();

	assert (barrier.get_n_waiting () == 1 && barrier.get_parties () == 2);
	assert ((int) loop.run_until_complete (barrier.wait ()) == 1);
	assert ((int) loop.run_until_complete (first) == 0);
	barrier.abort ();
	assert (barrier.is_broken ());
	Check.throws (new Loop.Error.BROKEN_BARRIER (""), () => loop.run_until_complete (barrier.wait ()));
	barrier.reset ();
	assert (!barrier.is_broken ());
}

void queue (Loop.EventLoop loop) throws Error {
	var queue = new Loop.Queue (loop, 2);
	assert (queue.get_kind () == FIFO && queue.get_maxsize () == 2 && queue.is_empty ());

	var consumer = loop.spawn ((out result) => {
		int sum = 0;
		try {
			while (true) {
				sum += (int) Loop.await_result (queue.get ());
				queue.task_done ();
			}
		} catch (Loop.Error.QUEUE_SHUT_DOWN e) {
			result = sum;
		}
		return true;
	});
	for (var i = 1; i <= 4; i++)
		loop.run_until_complete (queue.put (i));
	loop.run_until_complete (queue.join ());
	queue.shutdown ();
	assert ((int) loop.run_until_complete (consumer) == 10);

	queue = new Loop.Queue (loop, 1);
	queue.put_nowait ("item");
	assert (queue.is_full () && queue.get_size () == 1);
	Check.throws (new Loop.Error.QUEUE_FULL (""), () => queue.put_nowait ("more"));
	assert ((string) queue.get_nowait () == "item");
	Check.throws (new Loop.Error.QUEUE_EMPTY (""), () => queue.get_nowait ());
}

void queue_order (Loop.EventLoop loop) throws Error {
	var lifo = new Loop.Queue.lifo (loop);
	Loop.Queue priority;

	lifo.put_nowait (1);
	lifo.put_nowait (2);
	assert ((int) lifo.get_nowait () == 2);
	{
		var data = new Check.Data ();
		priority = new Loop.Queue.priority (loop, 0, (a, b) => {
			data.use ();
			return (int) a - (int) b;
		});
	}
	foreach (var i in new int[] { 3, 1, 2 })
		priority.put_nowait (i);
	for (var i = 1; i <= 3; i++)
		assert ((int) priority.get_nowait () == i);
	priority = null;
	assert (Check.Data.n == 0);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("lock", check_lock);
	Check.add ("event", event);
	Check.add ("condition", condition);
	Check.add ("semaphore", semaphore);
	Check.add ("barrier", barrier);
	Check.add ("queue", queue);
	Check.add ("queue/order", queue_order);
	return Test.run ();
}
