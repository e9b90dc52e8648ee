// SPDX-License-Identifier: LGPL-2.1-or-later

namespace Loop {
	// A GValue beside a gboolean that is FALSE with an error alone is what is returned: it fits the same C function.
	[CCode (cheader_filename = "libloop/loop.h")]
	public static void await (Loop.Future future) throws GLib.Error;
	[CCode (cheader_filename = "libloop/loop.h")]
	public static GLib.Value await_result (owned Loop.Future future) throws GLib.Error;
	[CCode (cheader_filename = "libloop/loop.h")]
	public static Loop.Future start_server (Loop.EventLoop loop, [CCode (delegate_target_pos = 2.33333, destroy_notify_pos = 2.66667)] owned Loop.StreamClientFunc client_connected, [CCode (array_length = false, array_null_terminated = true, type = "const gchar* const*")] string[]? hosts, uint16 port, ssize_t limit = -1, Loop.ServerOptions? options = null);
	[CCode (cheader_filename = "libloop/loop.h")]
	public static Loop.Future start_fiber_server (Loop.EventLoop loop, [CCode (delegate_target_pos = 2.33333, destroy_notify_pos = 2.66667)] owned Loop.StreamFiberFunc client_connected, [CCode (array_length = false, array_null_terminated = true, type = "const gchar* const*")] string[]? hosts, uint16 port, ssize_t limit = -1, Loop.ServerOptions? options = null);
	public sealed class EventLoop : GLib.Object {
		public Loop.Future create_server ([CCode (array_length = false, array_null_terminated = true, type = "const gchar* const*")] string[]? hosts, uint16 port, Loop.ServerOptions? options, owned Loop.ProtocolFactory factory);
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

	// There is no const in Vala, but in C functions that lack it are of another type.
	public interface Coroutine : GLib.Object {
		[CCode (vfunc_name = "throw_exception")]
		public abstract Loop.CoroutineStatus @throw ([CCode (type = "const GError*")] GLib.Error exception, out Loop.Future? awaited, out GLib.Value result) throws GLib.Error;
	}
	public interface DatagramProtocol : GLib.Object {
		public virtual void connection_lost ([CCode (type = "const GError*")] GLib.Error? exception);
		public virtual void datagram_received ([CCode (array_length_cname = "length", array_length_type = "gsize", type = "const guint8*")] uint8[] data, GLib.SocketAddress? addr);
		public virtual void error_received ([CCode (type = "const GError*")] GLib.Error exception);
	}
	public interface Protocol : GLib.Object {
		public virtual void connection_lost ([CCode (type = "const GError*")] GLib.Error? exception);
		public virtual void data_received ([CCode (array_length_cname = "length", array_length_type = "gsize", type = "const guint8*")] uint8[] data);
	}
	public interface SubprocessProtocol : GLib.Object {
		public virtual void connection_lost ([CCode (type = "const GError*")] GLib.Error? exception);
		public virtual void pipe_connection_lost (int fd, [CCode (type = "const GError*")] GLib.Error? exception);
		public virtual void pipe_data_received (int fd, [CCode (array_length_cname = "length", array_length_type = "gsize", type = "const guint8*")] uint8[] data);
	}
	[CCode (cheader_filename = "libloop/loop.h", instance_pos = 2.9)]
	public delegate int QueueCompareFunc ([CCode (type = "const GValue*")] GLib.Value a, [CCode (type = "const GValue*")] GLib.Value b);
}
