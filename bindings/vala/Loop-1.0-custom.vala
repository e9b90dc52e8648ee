// SPDX-License-Identifier: LGPL-2.1-or-later

namespace Loop {
	// A GValue beside a gboolean that is FALSE with an error alone is what is returned: it fits the same C function.
	[CCode (cheader_filename = "libloop/loop.h")]
	public static void await (Loop.Future future) throws GLib.Error;
	[CCode (cheader_filename = "libloop/loop.h")]
	public static GLib.Value await_result (owned Loop.Future future) throws GLib.Error;
	public sealed class EventLoop : GLib.Object {
		public unowned Loop.ExceptionHandler? get_exception_handler ();
		public unowned Loop.TaskFactory? get_task_factory ();
		public GLib.Value run_until_complete (Loop.Future future) throws GLib.Error;
	}
	public class Future : GLib.Object {
		public GLib.Value result () throws GLib.Error;
		public async GLib.Value wait_async (GLib.Cancellable? cancellable = null) throws GLib.Error;
	}
	public sealed class Queue : GLib.Object {
		public GLib.Value get_nowait () throws GLib.Error;
	}
	// These take an error in, too.
	public sealed class TaskGroup : GLib.Object {
		public bool exit (ref GLib.Error? error);
	}
	public sealed class Timeout : GLib.Object {
		public bool exit (ref GLib.Error? error);
	}
}
