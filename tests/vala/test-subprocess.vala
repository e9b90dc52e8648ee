// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Processes, and pipes to them.

class Child : Object, Loop.SubprocessProtocol {
	public Loop.SubprocessTransport? transport;
	public StringBuilder output = new StringBuilder ();
	public StringBuilder errors = new StringBuilder ();
	public string events = "";
	public Loop.Future exited;
	public Loop.Future lost;
	public int paused;
	public int resumed;

	public Child (Loop.EventLoop loop) {
		exited = loop.create_future ();
		lost = loop.create_future ();
	}

	public void connection_made (Loop.SubprocessTransport transport) {
		this.transport = transport;
		events += "made ";
	}

	public void pipe_data_received (int fd, uint8[] data) {
		(fd == 1 ? output : errors).append_len ((string) data, data.length);
	}

	public void pipe_connection_lost (int fd, Error? exception) {
		assert (exception == null);
		events += "%d ".printf (fd);
	}

	public void pause_writing () {
		paused++;
	}

	public void resume_writing () {
		resumed++;
	}

	public void process_exited () {
		events += "exited ";
		fulfil (exited);
	}

	public void connection_lost (Error? exception) {
		assert (exception == null);
		events += "lost";
		transport = null;
		fulfil (lost);
	}
}

// What a class does not implement does what asyncio.SubprocessProtocol does.
class Silent : Object, Loop.SubprocessProtocol {
}

class Reader : Object, Loop.Protocol {
	public StringBuilder received = new StringBuilder ();
	public Loop.Future lost;

	public Reader (Loop.EventLoop loop) {
		lost = loop.create_future ();
	}

	public void data_received (uint8[] data) {
		received.append_len ((string) data, data.length);
	}

	public void connection_lost (Error? exception) {
		assert (exception == null);
		fulfil (lost);
	}
}

void fulfil (Loop.Future future) {
	try {
		future.set_result ();
	} catch (Error e) {
		error ("%s", e.message);
	}
}

Loop.SubprocessTransport shell (Loop.EventLoop loop, string command, Loop.SubprocessOptions? options, Child child) throws Error {
	return (Loop.SubprocessTransport) loop.run_until_complete (loop.subprocess_shell (command, options, () => child));
}

// What @command writes with these @options.
string output (Loop.EventLoop loop, Loop.SubprocessOptions? options, string command) throws Error {
	var child = new Child (loop);

	shell (loop, command, options, child);
	loop.run_until_complete (child.lost);
	return child.output.str;
}

void exec (Loop.EventLoop loop) throws Error {
	var child = new Child (loop);
	Loop.SubprocessTransport transport;
	int code;

	{
		var data = new Check.Data ();
		transport = (Loop.SubprocessTransport) loop.run_until_complete (loop.subprocess_exec ({ "cat" }, null, () => {
			data.use ();
			return child;
		}));
	}
	assert (Check.Data.n == 0);
	assert (child.transport == transport && transport.get_protocol () == child);
	assert (transport.get_loop () == loop && transport.get_id () != 0);
	assert (Posix.kill (transport.get_pid (), 0) == 0);
	assert (!transport.get_returncode (out code) && !transport.is_closing ());
	assert (transport.get_pipe_transport (3) == null);

	unowned Loop.Transport input = transport.get_pipe_transport (0);
	var text = string.nfill (1000000, 'x');
	input.write (text.data);
	assert (child.paused == 1 && child.resumed == 0);
	input.write_eof ();
	loop.run_until_complete (child.lost);
	assert (child.output.str == text && child.resumed == 1);
	assert (child.events.has_prefix ("made ") && child.events.has_suffix ("exited lost"));
	assert (child.events.length == "made 0 1 2 exited lost".length);
	assert (transport.get_returncode (out code) && code == 0);
	assert (transport.is_closing () && transport.get_protocol () == null);

	Check.throws (new IOError.NOT_FOUND (""), () => {
		loop.run_until_complete (loop.subprocess_exec ({ "/nowhere/program" }, null, () => new Silent ()));
	});
}

void shells (Loop.EventLoop loop) throws Error {
	var child = new Child (loop);
	var transport = shell (loop, "read line; echo $line; echo err >&2; exit 3", null, child);
	var other = new Child (loop);
	int code;

	other.connection_made (transport);
	transport.set_protocol (other);
	transport.get_pipe_transport (0).write ("hello\n".data);
	loop.run_until_complete (other.lost);
	assert (child.events == "made ");
	assert (other.output.str == "hello\n" && other.errors.str == "err\n");
	assert (transport.get_returncode (out code) && code == 3);
}

// Returns: the signal that has ended the process
int ended_by (Loop.EventLoop loop, owned Check.Throwing end, Child child) throws Error {
	var transport = child.transport;
	int code;

	end ();
	loop.run_until_complete (child.lost);
	assert (transport.get_returncode (out code));
	return -code;
}

void signals (Loop.EventLoop loop) throws Error {
	var child = new Child (loop);
	var transport = shell (loop, "exec sleep 100", null, child);
	assert (ended_by (loop, () => transport.send_signal (Posix.Signal.HUP), child) == Posix.Signal.HUP);
	Check.throws (new IOError.NOT_FOUND (""), () => transport.terminate ());

	child = new Child (loop);
	transport = shell (loop, "exec sleep 100", null, child);
	assert (ended_by (loop, () => transport.terminate (), child) == Posix.Signal.TERM);

	child = new Child (loop);
	transport = shell (loop, "exec sleep 100", null, child);
	assert (ended_by (loop, () => transport.kill (), child) == Posix.Signal.KILL);
	assert (child.exited.done ());

	child = new Child (loop);
	transport = shell (loop, "exec sleep 100", null, child);
	transport.close ();
	assert (transport.is_closing ());
	assert (ended_by (loop, () => {}, child) == Posix.Signal.KILL);
}

void communicate (Loop.EventLoop loop) throws Error {
	var value = loop.run_until_complete (loop.subprocess_communicate ({ "sh", "-c", "cat; echo err >&2; exit 5" }, null,
		new Bytes ("in".data)));
	var result = (Loop.SubprocessResult) value.get_object ();

	assert (result.get_returncode () == 5);
	assert (result.get_stdout ().compare (new Bytes ("in".data)) == 0);
	assert (result.get_stderr ().compare (new Bytes ("err\n".data)) == 0);

	var options = new Loop.SubprocessOptions () { stdin = Loop.SUBPROCESS_DEVNULL, stderr = Loop.SUBPROCESS_STDOUT };
	value = loop.run_until_complete (loop.subprocess_communicate ({ "sh", "-c", "cat; echo err >&2" }, options));
	result = (Loop.SubprocessResult) value.get_object ();
	assert (result.get_returncode () == 0 && result.get_stderr () == null);
	assert (result.get_stdout ().compare (new Bytes ("err\n".data)) == 0);
}

void default_options (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();

	assert (options.get_stdin () == Loop.SUBPROCESS_PIPE && options.get_stdout () == Loop.SUBPROCESS_PIPE);
	assert (options.get_stderr () == Loop.SUBPROCESS_PIPE);
	assert (options.get_executable () == null && options.get_cwd () == null && options.get_env () == null);
	assert (options.get_close_fds () && options.get_restore_signals () && !options.get_start_new_session ());
	assert (options.get_process_group () == -1 && options.get_umask () == -1);
	assert (options.get_uid () == -1 && options.get_gid () == -1);
	assert (options.get_extra_groups () == null && options.get_pass_fds ().length == 0);
}

void streams (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();

	options.set_stdin (Loop.SUBPROCESS_DEVNULL);
	options.set_stderr (Loop.SUBPROCESS_STDOUT);
	assert (options.get_stdin () == Loop.SUBPROCESS_DEVNULL && options.get_stderr () == Loop.SUBPROCESS_STDOUT);
	assert (output (loop, options, "cat; echo err >&2") == "err\n");
	options.set_stdout (Loop.SUBPROCESS_DEVNULL);
	assert (options.get_stdout () == Loop.SUBPROCESS_DEVNULL);
	assert (output (loop, options, "echo out") == "");
}

void surroundings (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();

	options.set_cwd ("/");
	options.set_env ({ "PATH=/bin:/usr/bin", "NAME=value" });
	options.set_umask (23);
	assert (options.get_cwd () == "/" && options.get_umask () == 23);
	assert (options.get_env ()[1] == "NAME=value" && options.get_env ()[2] == null);
	assert (output (loop, options, "pwd; echo $NAME$HOME; umask") == "/\nvalue\n0027\n");
	options.env = null;
	options.set_executable ("echo");
	assert (options.get_executable () == "echo");
	assert (output (loop, options, "text") == "-c text\n");
}

void rights (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();

	options.set_uid (Posix.getuid ());
	options.set_gid (Posix.getgid ());
	assert (options.get_uid () == Posix.getuid () && options.get_gid () == Posix.getgid ());
	assert (output (loop, options, "id -u; id -g") == "%u\n%u\n".printf ((uint) Posix.getuid (), (uint) Posix.getgid ()));

	// Who may not change them is told so.
	options.set_extra_groups ({ 4321, 8765 });
	assert (options.get_extra_groups ().length == 2 && options.get_extra_groups ()[1] == 8765);
	if (Posix.getuid () == 0)
		assert (" 4321 8765" in output (loop, options, "id -G"));
	else
		Check.throws (new IOError.PERMISSION_DENIED (""), () => output (loop, options, "id -G"));
	options.set_extra_groups ({});
	assert (options.get_extra_groups () != null && options.get_extra_groups ().length == 0);
}

void sessions (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();
	var leads = "cut -d ' ' -f %d /proc/$$/stat | grep -qx $$ && echo yes || echo no";

	assert (output (loop, options, leads.printf (5)) == "no\n");
	options.set_process_group (0);
	assert (options.get_process_group () == 0);
	assert (output (loop, options, leads.printf (5)) == "yes\n");
	assert (output (loop, options, leads.printf (6)) == "no\n");
	options.set_process_group (-1);
	options.set_start_new_session (true);
	assert (options.get_start_new_session ());
	assert (output (loop, options, leads.printf (6)) == "yes\n");
}

void inheritance (Loop.EventLoop loop) throws Error {
	var options = new Loop.SubprocessOptions ();
	int fd = Posix.open ("/dev/null", Posix.O_RDONLY);
	var has_fd = "[ -e /proc/self/fd/%d ] && echo yes || echo no".printf (fd);
	var ignores_pipe = "trap - PIPE; kill -PIPE $$; echo yes";

	assert (output (loop, options, has_fd) == "no\n");
	options.set_pass_fds ({ fd });
	assert (options.get_pass_fds ().length == 1 && options.get_pass_fds ()[0] == fd);
	assert (output (loop, options, has_fd) == "yes\n");
	options.set_pass_fds (null);
	options.set_close_fds (false);
	assert (!options.get_close_fds ());
	assert (output (loop, options, has_fd) == "yes\n");
	Posix.close (fd);

	var handler = Posix.signal (Posix.Signal.PIPE, Posix.SIG_IGN);
	assert (output (loop, options, ignores_pipe) == "");
	options.set_restore_signals (false);
	assert (!options.get_restore_signals ());
	assert (output (loop, options, ignores_pipe) == "yes\n");
	Posix.signal (Posix.Signal.PIPE, handler);
}

void pipes (Loop.EventLoop loop) throws Error {
	var reader = new Reader (loop);
	var writer = new Reader (loop);
	int ends[2];

	assert (Posix.pipe (ends) == 0);
	loop.run_until_complete (loop.connect_read_pipe (ends[0], () => reader));
	var transport = (Loop.Transport) loop.run_until_complete (loop.connect_write_pipe (ends[1], () => writer));
	transport.write ("hello".data);
	transport.write_eof ();
	loop.run_until_complete (writer.lost);
	loop.run_until_complete (reader.lost);
	assert (reader.received.str == "hello");

	Check.throws (new IOError.INVALID_ARGUMENT (""), () => {
		loop.run_until_complete (loop.connect_read_pipe (ends[0], () => new Reader (loop)));
	});
}

void defaults (Loop.EventLoop loop) throws Error {
	var silent = new Silent ();
	var transport = (Loop.SubprocessTransport) loop.run_until_complete (loop.subprocess_exec ({ "true" }, null,
		() => silent));
	Loop.SubprocessProtocol protocol = silent;

	protocol.connection_made (transport);
	protocol.pipe_data_received (1, "x".data);
	protocol.pipe_connection_lost (1, new IOError.BUSY ("busy"));
	protocol.pause_writing ();
	protocol.resume_writing ();
	protocol.process_exited ();
	protocol.connection_lost (null);
	transport.close ();

	var child = new Child (loop);
	((Loop.SubprocessProtocol) child).resume_writing ();
	assert (child.resumed == 1);
}

int main (string[] args) {
	Test.init (ref args);
	Check.add ("exec", exec);
	Check.add ("shell", shells);
	Check.add ("signals", signals);
	Check.add ("communicate", communicate);
	Check.add ("default-options", default_options);
	Check.add ("streams", streams);
	Check.add ("surroundings", surroundings);
	Check.add ("rights", rights);
	Check.add ("sessions", sessions);
	Check.add ("inheritance", inheritance);
	Check.add ("pipes", pipes);
	Check.add ("defaults", defaults);
	return Test.run ();
}
