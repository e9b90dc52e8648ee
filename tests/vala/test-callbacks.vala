// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a loop calls, and what it tells of itself.

void call_soon (Loop.EventLoop loop) throws Error {
	string order = "";
	unowned Loop.Handle handle, cancelled;

	// A closure shares the variables of the block that it is in.
	{
		var data = new Check.Data ();
		handle = loop.call_soon (() => { data.use (); order += "a"; });
		cancelled = loop.call_soon_full (() => { data.use (); assert_not_reached (); });
	}
	assert (Check.Data.n == 1);
	handle.set_name ("first");
	assert (handle.get_name () == "first");
	assert (handle.describe ().contains ("first"));
	assert (handle.get_id () != 0);
	cancelled.cancel ();
	assert (cancelled.cancelled ());
	loop.call_soon_full (() => { order += "b"; loop.stop (); });

	assert (loop.run_forever_full ());
	assert (order == "ab");
	assert (Check.Data.n == 0);
}

void timers (Loop.EventLoop loop) throws Error {
	Loop.TimerHandle timer;
	string order = "";
	var start = loop.time ();

	{
		var data = new Check.Data ();
		loop.call_later (0.02, () => { data.use (); order += "c"; loop.stop (); });
		// Whoever wants to keep one has a reference.
		timer = loop.call_at (start + 60, () => data.use ());
	}
	loop.call_later_full (0, () => { order += "b"; });
	loop.call_at_full (start - 1, () => { order += "a"; });
	timer.set_name ("late");
	assert (timer.get_name () == "late");
	assert (timer.describe ().contains ("late"));
	assert (timer.get_id () != 0);
	assert ((timer.when () - start - 60).abs () <= 2e-9);
	timer.cancel ();
	assert (timer.cancelled ());

	assert (loop.run_forever ());
	assert (order == "abc");
	assert (loop.time () - start >= 0.02);
	assert (Check.Data.n == 0);
	Check.throws (new IOError.INVALID_ARGUMENT (""), () => loop.call_later_full (double.NAN, () => {}));
}

void threadsafe (Loop.EventLoop loop) throws Error {
	int called = 0;
	Loop.Handle handle;

	assert (loop.call_soon_threadsafe (() => assert_not_reached (), out handle));
	handle.cancel ();
	var thread = new Thread<void> ("caller", () => {
		for (var i = 0; i < 100; i++) {
			try {
				var data = new Check.Data ();
				loop.call_soon_threadsafe (() => {
					data.use ();
					if (++called == 100)
						loop.stop ();
				});
			} catch (Error e) {
				error ("%s", e.message);
			}
		}
	});
	assert (loop.run_forever ());
	thread.join ();
	assert (called == 100);
	assert (Check.Data.n == 0);
}

void closed (Loop.EventLoop loop) throws Error {
	{
		var data = new Check.Data ();
		loop.call_later (60, () => data.use ());
	}
	assert (Check.Data.n == 1);
	assert (loop.close_full ());
	assert (loop.is_closed ());
	assert (Check.Data.n == 0);
	Check.throws (new Loop.Error.CLOSED (""), () => loop.call_soon_full (() => {}));
	Check.throws (new Loop.Error.CLOSED (""), () => loop.call_soon_threadsafe (() => {}));
	Check.throws (new Loop.Error.CLOSED (""), () => loop.run_forever_full ());
}

void descriptors (Loop.EventLoop loop) throws Error {
	int ends[2];
	uint8 buffer[8];
	ssize_t received = 0;

	assert (Posix.pipe (ends) == 0);
	int input = ends[0], output = ends[1];
	{
		var data = new Check.Data ();
		loop.add_reader (input, () => {
			data.use ();
			received = Posix.read (input, buffer, buffer.length);
			assert (loop.remove_reader (input));
			loop.stop ();
		});
	}
	loop.add_writer_full (output, () => {
		assert (Posix.write (output, "hello", 5) == 5);
		assert (loop.remove_writer (output));
	});
	assert (loop.run_forever ());
	assert (received == 5);
	assert (Check.Data.n == 0);

	assert (loop.add_reader_full (input, () => {}));
	assert (loop.add_writer (output, () => {}));
	assert (loop.remove_reader (input) && !loop.remove_reader (input));
	assert (loop.remove_writer (output) && !loop.remove_writer (output));
	Posix.close (input);
	Posix.close (output);
	Check.throws (new IOError.INVALID_ARGUMENT (""), () => loop.add_reader_full (-1, () => {}));
}

void signals (Loop.EventLoop loop) throws Error {
	int called = 0;

	{
		var data = new Check.Data ();
		assert (loop.add_signal_handler (Posix.Signal.USR1, () => {
			data.use ();
			called++;
			loop.stop ();
		}));
	}
	Posix.kill (Posix.getpid (), Posix.Signal.USR1);
	assert (loop.run_forever ());
	assert (called == 1);
	assert (Check.Data.n == 1);
	assert (loop.remove_signal_handler (Posix.Signal.USR1));
	assert (!loop.remove_signal_handler (Posix.Signal.USR1));
	assert (Check.Data.n == 0);
	Check.throws (new IOError.INVALID_ARGUMENT (""), () => loop.add_signal_handler (Posix.Signal.KILL, () => {}));
}

string logged;

LogWriterOutput write_log (LogLevelFlags level, LogField[] fields) {
	if (level != LogLevelFlags.LEVEL_WARNING)
		return Log.writer_default (level, fields);

	foreach (unowned LogField field in fields)
		if (field.key == "MESSAGE")
			logged = (string) field.value;
	return LogWriterOutput.HANDLED;
}

void exception_handler (Loop.EventLoop loop) throws Error {
	var future = loop.create_future ();
	string seen = "";

	unowned Loop.ExceptionHandler? before = loop.get_exception_handler ();
	assert (before != null);
	{
		var data = new Check.Data ();
		loop.set_exception_handler ((context_loop, context) => {
			data.use ();
			assert (context_loop == loop);
			assert (context.get_exception () is IOError.BUSY);
			assert (context.get_future () == future);
			assert (context.get_source_traceback () == "here");
			assert (context.get_async_generator () == null && context.get_handle () == null);
			assert (context.get_protocol () == null && context.get_transport () == null && context.get_socket () == null);
			seen += context.get_message ();
		});
	}
	var context = new Loop.ExceptionContext ("test", new IOError.BUSY ("busy"));
	context.set_future (future);
	context.set_source_traceback ("here");
	context.set_async_generator (null);
	context.set_handle (null);
	context.set_protocol (null);
	context.set_socket (null);
	context.set_transport (null);
	loop.call_exception_handler (context);
	loop.get_exception_handler () (loop, context);
	assert (seen == "testtest");

	assert (Check.Data.n == 1);
	loop.set_exception_handler (null);
	assert (Check.Data.n == 0);
	assert (loop.get_exception_handler () == null);

	Log.set_writer_func (write_log);
	loop.default_exception_handler (new Loop.ExceptionContext ("last words"));
	assert (logged.contains ("last words"));
}

void settings (Loop.EventLoop loop) throws Error {
	assert (loop.get_id () != 0 && loop.id == loop.get_id ());
	assert (loop.get_context () != null && loop.context == loop.get_context ());
	assert (Loop.EventLoop.get_running () == null);
	assert (!loop.is_running ());
	loop.call_soon (() => {
		assert (loop.is_running ());
		assert (Loop.EventLoop.get_running () == loop);
	});
	loop.set_collect_metrics (true);
	Check.run_for (loop, 0.01);

	assert (loop.get_collect_metrics () && loop.collect_metrics);
	loop.set_defer_finalization (true);
	assert (loop.get_defer_finalization () && loop.defer_finalization);
	loop.defer_finalization = false;
	Loop.Metrics metrics = loop.get_metrics ().copy ();
	assert (metrics.get_callbacks () >= 2);
	assert (metrics.get_iterations () >= 2);
	assert (metrics.get_poll_time () > 0);
	assert (metrics.get_busy_time () > 0);
	assert (metrics.get_duration (0.5) > 0);
	assert (metrics.get_lag (1) >= 0);

	loop.set_debug (true);
	assert (loop.get_debug () && loop.debug);
	loop.debug = false;
	loop.set_slow_callback_duration (0.5);
	assert (loop.get_slow_callback_duration () == 0.5);
	loop.slow_callback_duration = 0.25;
	assert (loop.get_slow_callback_duration () == 0.25);
}

void someone_elses_context (Loop.EventLoop _) throws Error {
	var context = new MainContext ();
	var loop = new Loop.EventLoop.for_context (context);
	int called = 0;

	loop.call_soon (() => { called++; });
	while (called == 0)
		context.iteration (true);
	assert (loop.close ());
}

void foreign_exceptions (Loop.EventLoop loop) throws Error {
	var exception = new Loop.ForeignException ("any object");
	int code = exception.get_code ();

	assert ((string) exception.get_value () == "any object");
	assert (Loop.ForeignException.lookup (code) == exception);
	exception = null;
	assert (Loop.ForeignException.lookup (code) == null);
	assert (Loop.ForeignException.get_domain () != Loop.Error.quark ());
}

void version (Loop.EventLoop loop) throws Error {
	assert (Loop.check_version (Loop.MAJOR_VERSION, Loop.MINOR_VERSION, Loop.MICRO_VERSION) == null);
	assert (Loop.check_version (Loop.MAJOR_VERSION + 1, 0, 0) != null);
	assert ("%u.%u.%u".printf (Loop.get_major_version (), Loop.get_minor_version (), Loop.get_micro_version ())
		== Loop.VERSION_S);
}

void inspector (Loop.EventLoop loop) throws Error {
	Environment.set_variable ("XDG_RUNTIME_DIR", Environment.get_tmp_dir (), true);
	var inspector = Loop.Inspector.start (Loop.InspectorAccess.READ);

	assert (inspector.get_access () == Loop.InspectorAccess.READ);
	assert (FileUtils.test (inspector.get_path (), FileTest.EXISTS));
	assert (inspector.dup_state (loop).is_container ());
	inspector.stop ();
	assert (inspector.get_path () == null);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("call-soon", call_soon);
	Check.add ("timers", timers);
	Check.add ("threadsafe", threadsafe);
	Check.add ("closed", closed);
	Check.add ("descriptors", descriptors);
	Check.add ("signals", signals);
	Check.add ("exception-handler", exception_handler);
	Check.add ("settings", settings);
	Check.add ("someone-elses-context", someone_elses_context);
	Check.add ("foreign-exceptions", foreign_exceptions);
	Check.add ("version", version);
	Check.add ("inspector", inspector);
	return Test.run ();
}
