// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The methods of the loop.

const { Gio, GLib, Loop } = imports.gi;
const { goOn, guarded, isInPromise } = imports.overrides.libloop.callbacks;
const { extend, last } = imports.overrides.libloop.classes;
const { ensureFuture, isThenable, toCoroutine } = imports.overrides.libloop.coroutines;

const AsyncFunction = (async () => {}).constructor;

// The methods that take a function and, after it, arguments for it, as setTimeout () does.
const SCHEDULING = {
  call_soon: 0,
  call_soon_threadsafe: 0,
  call_later: 1,
  call_at: 1,
  add_reader: 1,
  add_writer: 1,
  add_signal_handler: 1,
};

// What is freed is mostly freed while GJS collects garbage, when it calls no function.
const DEFERRING = { defer_finalization: true };

function refuseThread ()
{
  throw new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED,
                        'GJS runs no JavaScript in another thread');
}

function extendEventLoop ()
{
  extend (Loop.EventLoop, native => ({
    ...Object.fromEntries (Object.entries (SCHEDULING).map (([name, n]) => [name, function (...given) {
      const callback = guarded (given[n], given.slice (n + 1));
      const handle = last (native[name].call (this, ...given.slice (0, n), callback));

      if (given[n].name !== '')
        handle?.set_name?.(given[n].name);

      return handle;
    }])),

    _init (properties = {})
    {
      native._init.call (this, { context: GLib.MainContext.default (), ...DEFERRING, ...properties });
    },

    run_forever ()
    {
      goOn (this);

      return native.run_forever.call (this);
    },

    // A future, or what create_task () takes.
    run_until_complete (awaitable)
    {
      if (!(awaitable instanceof Loop.Future) && (isThenable (awaitable) || awaitable instanceof AsyncFunction) &&
          isInPromise ())
        throw new GLib.Error (Loop.Error, Loop.Error.RUNNING,
                              'No promise goes on while another one runs the event loop: await it');

      const future = ensureFuture (awaitable, this);
      let isWaiting = true;

      if (future.get_loop () !== this)
        throw new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT,
                              'The future belongs to a different event loop');

      const id = this.is_closed () || this.is_running () ? 0
        : future.add_done_callback (() => isWaiting && this.stop ());
      try
        {
          this.run_forever ();
        }
      finally
        {
          isWaiting = false;
          if (id !== 0)
            future.remove_done_callback (id);
        }

      if (!future.done ())
        throw new GLib.Error (Loop.Error, Loop.Error.STOPPED, 'The event loop stopped before the future was done');

      return future.result ();
    },

    // An async function, a generator function or its generator, a promise, or a Loop.Coroutine.
    create_task (awaitable)
    {
      if (this.is_closed ())
        throw new GLib.Error (Loop.Error, Loop.Error.CLOSED, 'The event loop is closed');

      return native.create_task.call (this, toCoroutine (awaitable));
    },

    set_exception_handler (handler)
    {
      native.set_exception_handler.call (this, handler == null ? null : (loop, context) => {
        try
          {
            // GJS only lends it. What was asked for once stays with it.
            const kept = context.ref ();

            kept.get_exception ();
            handler (loop, kept);
          }
        catch (e)
          {
            loop.default_exception_handler (context);
            loop.default_exception_handler (Loop.ExceptionContext.new ('Exception in the exception handler', e));
          }
        finally
          {
            goOn ();
          }
      });
    },

    create_connection (host, port, options, factory)
    {
      return native.create_connection.call (this, host, port, options, guarded (factory, [], this, null));
    },

    create_datagram_endpoint (options, factory)
    {
      return native.create_datagram_endpoint.call (this, options, guarded (factory, [], this, null));
    },

    create_server (hosts, port, options, factory)
    {
      return native.create_server.call (this, hosts, port, options, guarded (factory, [], this, null));
    },

    sendfile (transport, file, offset = 0, count = -1, fallback = true)
    {
      return native.sendfile.call (this, transport, file, offset, count ?? -1, fallback);
    },

    ...Object.fromEntries (['create_unix_connection', 'create_unix_server', 'connect_accepted_socket'].map (
      name => [name, function (what, options, factory) {
        return native[name].call (this, what, options, guarded (factory, [], this, null));
      }])),

    ...Object.fromEntries (['connect_io_stream', 'connect_read_pipe', 'connect_write_pipe'].map (name => [name, function (end, factory) {
      return native[name].call (this, end, guarded (factory, [], this, null));
    }])),

    ...Object.fromEntries (['subprocess_exec', 'subprocess_shell'].map (name => [name, function (command, options, factory) {
      return native[name].call (this, command, options, guarded (factory, [], this, null));
    }])),

    run_in_executor: refuseThread,
  }));

  const { new_for_context: newForContext } = Loop.EventLoop;
  // The code, or null while the process runs.
  extend (Loop.SubprocessTransport, native => ({
    get_returncode ()
    {
      const [hasExited, returncode] = native.get_returncode.call (this);

      return hasExited ? returncode : null;
    },
  }));

  Loop.EventLoop.new = () => new Loop.EventLoop ();
  Loop.EventLoop.new_for_context = context => Object.assign (newForContext (context), DEFERRING);
}

function extendExecutor ()
{
  extend (Loop.Executor, () => ({ submit: refuseThread }));
  extend (Loop.ThreadPoolExecutor, () => ({ submit: refuseThread }));
}
