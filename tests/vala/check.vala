// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tests that have a loop: each may leave nothing behind and nothing unreported.

namespace Check {
	public delegate void Body (Loop.EventLoop loop) throws Error;

	class Case {
		Body body;

		public Case (owned Body body) {
			this.body = (owned) body;
		}

		public void run () {
			var loop = new Loop.EventLoop ();

			// Fatal, as any warning is.
			loop.set_exception_handler ((_, context) => loop_failed (context));
			try {
				body (loop);
			} catch (Error e) {
				error ("%s %d: %s", e.domain.to_string (), e.code, e.message);
			}
			loop.close ();
			assert (loop.ref_count == 1);
		}

		static void loop_failed (Loop.ExceptionContext context) {
			unowned Error? exception = context.get_exception ();

			error ("%s: %s", context.get_message (), exception != null ? exception.message : "no error");
		}
	}

	Case[] cases;

	public void add (string name, owned Body body) {
		cases += new Case ((owned) body);
		unowned Case case = cases[cases.length - 1];
		Test.add_data_func ("/" + name, case.run);
	}

	public delegate void Throwing () throws Error;

	// What @body throws has to be of the domain and code of @wanted.
	public void throws (Error wanted, Throwing body) {
		try {
			body ();
		} catch (Error e) {
			if (!e.matches (wanted.domain, wanted.code))
				error ("%s %d: %s", e.domain.to_string (), e.code, e.message);
			return;
		}
		error ("nothing was thrown");
	}

	// Runs one asynchronous method, which is begun and ended meanwhile, on the loop.
	public class Run {
		Loop.EventLoop loop;
		AsyncResult? ended_with;

		public Run (Loop.EventLoop loop) {
			this.loop = loop;
			loop.context.push_thread_default ();
		}

		public void ended (AsyncResult result) {
			ended_with = result;
			loop.stop ();
		}

		public AsyncResult result () {
			loop.context.pop_thread_default ();
			assert (loop.run_forever ());
			return (owned) ended_with;
		}
	}

	public void run_for (Loop.EventLoop loop, double seconds) {
		loop.call_later (seconds, loop.stop);
		assert (loop.run_forever ());
	}

	// Counts those of them that exist.
	public class Data {
		public static int n;

		public Data () {
			AtomicInt.inc (ref n);
		}

		~Data () {
			AtomicInt.add (ref n, -1);
		}

		public void use () {
		}
	}
}
