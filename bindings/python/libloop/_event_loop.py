# SPDX-License-Identifier: LGPL-2.1-or-later
"""The event loop.

What is called for each callback, timer, descriptor and message is in C, in _libloop; what is
called once for each connection, server or run is asyncio's own, in its base classes, and
does the same with libloop underneath.

Modules that not every program needs are imported where they are: what starts often should
start soon.
"""

import contextlib
import contextvars
import signal
import socket
import sys
import threading
import warnings
import weakref
from asyncio import constants, events, format_helpers, futures, tasks, timeouts
from asyncio.base_events import BaseEventLoop
from asyncio.log import logger
from asyncio.unix_events import _UnixSelectorEventLoop

import _libloop

from . import _server

# Of Python 3.13; in earlier ones the files of unix sockets stay.
_CLEANUP_SOCKET = sys.version_info >= (3, 13)

# What went wrong with each address that create_connection() has tried, while somebody wants it all.
_attempts = contextvars.ContextVar("libloop attempts", default=None)


class _Watches:
    """In the place of a selector, which asyncio's other transports ask for what they should print."""

    def get_key(self, fd):
        raise KeyError(fd)


class EventLoop(_libloop.Loop, _UnixSelectorEventLoop):
    """An event loop on a GLib main context: its own, or the one that is given."""

    # In debug mode, while the loop runs or is the running one of a thread that iterates its context.
    _watchdog = None
    _is_adopted = False

    # The type of the executor that there is by default, once there is one.
    _own_executor_type = None

    def __init__(self, context=None):
        if hasattr(self, "_servers"):
            raise RuntimeError("The event loop was initialised before")
        BaseEventLoop.__init__(self)
        self._closed = True
        _libloop.Loop.__init__(self, context)
        self._closed = False
        self._signal_handlers = {}
        self._servers = {}
        self._unix_paths = {}
        self._transports = weakref.WeakValueDictionary()
        self._selector = _Watches()
        self._ssock = self._csock = None
        if context is not None:
            # It will be iterated here, most likely, and what runs before the first of our callbacks,
            # such as a handler of Gio.Application's "activate", may want to create tasks.
            self._adopt_thread()

    # --- Running ------------------------------------------------------------------------------

    def run_forever(self):
        """Run until stop() is called."""
        self._check_closed()
        self._check_running()
        self._set_coroutine_origin_tracking(self._debug)
        hooks = sys.get_asyncgen_hooks()
        running = events._get_running_loop()
        wakeup = self._watch_signals()
        try:
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook,
                                   finalizer=self._asyncgen_finalizer_hook)
            events._set_running_loop(self)
            self._watch_if_debugged()
            self._run()
        finally:
            self._thread_id = None
            events._set_running_loop(running)
            self._set_coroutine_origin_tracking(False)
            self._watch_if_debugged()
            sys.set_asyncgen_hooks(*hooks)
            self._unwatch_signals(wakeup)

    def _adopt_thread(self):
        # From now on, and until it is closed, the loop is the running one of this thread, so that
        # a signal handler of GTK's, which is no callback of ours, may create tasks.
        if events._get_running_loop() is None:
            events._set_running_loop(self)
            sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook,
                                   finalizer=self._asyncgen_finalizer_hook)
            self._is_adopted = True
            self._watch_if_debugged()

    def _leave_thread(self):
        if events._get_running_loop() is self:
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(None, None)
        self._is_adopted = False
        self._watch_if_debugged()

    def _check_running(self):
        if self.is_running():
            raise RuntimeError("This event loop is already running")
        if events._get_running_loop() not in (None, self):
            raise RuntimeError("Cannot run the event loop while another loop is running")

    def close(self):
        """Close the loop, which must not be running."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        if sys.is_finalizing():
            # asyncio would log that it is closed, and its logger may be gone.
            self._debug = False
            if self._signal_handlers:
                warnings.warn(f"Closing the loop {self!r} on interpreter shutdown stage, skipping signal handlers "
                              "removal", ResourceWarning, source=self)
                self._signal_handlers.clear()
        else:
            for number in list(self._signal_handlers):
                self.remove_signal_handler(number)
        self._close_self_pipe()
        self._selector = None
        self._leave_thread()
        BaseEventLoop.close(self)
        self._close()

    # --- Debug mode ---------------------------------------------------------------------------

    def set_debug(self, enabled):
        """Turn debug mode on or off."""
        super().set_debug(enabled)
        self._watch_if_debugged()

    def _watch_if_debugged(self):
        wanted = self._debug and (self._is_adopted or self.is_running())
        if wanted and self._watchdog is None:
            from ._watchdog import Watchdog
            self._watchdog = Watchdog(self, EventLoop.run_forever)
        elif not wanted and self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None

    # --- Servers ------------------------------------------------------------------------------
    #
    # asyncio keeps the sockets of a server; libloop accepts from copies of their descriptors.

    def _start_serving(self, protocol_factory, sock, sslcontext=None, server=None, backlog=100,
                       ssl_handshake_timeout=constants.SSL_HANDSHAKE_TIMEOUT,
                       ssl_shutdown_timeout=constants.SSL_SHUTDOWN_TIMEOUT):
        if sslcontext is not None:
            from ._ssl import SSLProtocol
            application_factory = protocol_factory

            def protocol_factory():
                return SSLProtocol(self, application_factory(), sslcontext, None, True,
                                   ssl_handshake_timeout=ssl_handshake_timeout,
                                   ssl_shutdown_timeout=ssl_shutdown_timeout)

        self._servers[sock] = self._serve(sock.fileno(), protocol_factory, server, backlog)

    def _stop_serving(self, sock):
        serving = self._servers.pop(sock, None)
        path = self._unix_paths.pop(sock, None)
        if serving is not None:
            serving.close()
        sock.close()
        if path is not None:
            _server.remove_path(*path)

    async def create_server(self, *args, keep_alive=None, start_serving=True, **kwargs):
        """Create a TCP server; as asyncio's, with KEEP_ALIVE of Python 3.13."""
        server = await super().create_server(*args, start_serving=False, **kwargs)
        server.__class__ = _server.Server
        if keep_alive:
            _server.keep_alive(server)
        return await self._begin_to_serve(server, start_serving)

    async def create_unix_server(self, *args, cleanup_socket=_CLEANUP_SOCKET, start_serving=True, **kwargs):
        """Create a server on a unix socket; as asyncio's, with CLEANUP_SOCKET of Python 3.13.

        Unless it says otherwise the file stays when the server is closed, as it does in the
        asyncio of this version of Python.
        """
        server = await super().create_unix_server(*args, start_serving=False, **kwargs)
        server.__class__ = _server.Server
        sock, = server._sockets
        path = _server.get_path(sock) if cleanup_socket else None
        if path is not None:
            self._unix_paths[sock] = path
        return await self._begin_to_serve(server, start_serving)

    async def _begin_to_serve(self, server, start_serving):
        if start_serving:
            server._start_serving()
            await tasks.sleep(0)
        return server

    # --- Connections --------------------------------------------------------------------------

    async def create_connection(self, *args, all_errors=False, **kwargs):
        """Connect to a server; as asyncio's, with ALL_ERRORS of Python 3.12: as an ExceptionGroup."""
        if not all_errors:
            return await super().create_connection(*args, **kwargs)
        attempts = []
        token = _attempts.set(attempts)
        try:
            return await super().create_connection(*args, **kwargs)
        except OSError:
            errors = [error for errors in attempts for error in errors]
            if not errors:
                raise
            raise ExceptionGroup("create_connection failed", errors) from None
        finally:
            _attempts.reset(token)

    async def _connect_sock(self, exceptions, *args, **kwargs):
        attempts = _attempts.get()
        if attempts is None:
            return await super()._connect_sock(exceptions, *args, **kwargs)
        errors = []
        try:
            return await super()._connect_sock(errors, *args, **kwargs)
        finally:
            attempts.extend(errors)
            exceptions.extend(errors)

    def _make_datagram_transport(self, *args, **kwargs):
        from ._datagram import DatagramTransport
        return DatagramTransport(self, *args, **kwargs)

    # --- TLS ----------------------------------------------------------------------------------

    def _make_ssl_transport(self, rawsock, protocol, sslcontext, waiter=None, *, server_side=False,
                            server_hostname=None, extra=None, server=None, **timeouts):
        from ._ssl import SSLProtocol
        ssl_protocol = SSLProtocol(self, protocol, sslcontext, waiter, server_side, server_hostname, **timeouts)
        self._make_socket_transport(rawsock, ssl_protocol, extra=extra, server=server)
        return ssl_protocol._app_transport

    async def start_tls(self, transport, protocol, sslcontext, *, server_side=False, server_hostname=None,
                        ssl_handshake_timeout=None, ssl_shutdown_timeout=None):
        """Upgrade a transport to TLS, and return the transport that the protocol is to use from then on."""
        from ._ssl import start_tls
        return await start_tls(self, transport, protocol, sslcontext, server_side=server_side,
                               server_hostname=server_hostname, ssl_handshake_timeout=ssl_handshake_timeout,
                               ssl_shutdown_timeout=ssl_shutdown_timeout)

    # --- Descriptors --------------------------------------------------------------------------

    def remove_reader(self, fd):
        """Stop watching a descriptor for being readable, and tell whether it was watched."""
        return super().remove_reader(fd) or self._check_unused(fd)

    def remove_writer(self, fd):
        """Stop watching a descriptor for being writable, and tell whether it was watched."""
        return super().remove_writer(fd) or self._check_unused(fd)

    # --- Files --------------------------------------------------------------------------------

    async def _sendfile_native(self, transp, file, offset, count):
        # The file goes out by a copy of the descriptor, for the other is the transport's.
        resume_reading = transp.is_reading()
        transp.pause_reading()
        try:
            await transp._make_empty_waiter()
            with transp._sock.dup() as sock:
                return await self.sock_sendfile(sock, file, offset, count, fallback=False)
        finally:
            transp._reset_empty_waiter()
            if resume_reading:
                transp.resume_reading()

    # --- Signals ------------------------------------------------------------------------------
    #
    # Their handlers in Python run between two callbacks. While the loop waits, it is woken up by
    # a socket that the interpreter writes to.

    def _make_self_pipe(self):
        self._ssock, self._csock = socket.socketpair()
        self._ssock.setblocking(False)
        self._csock.setblocking(False)
        self._internal_fds += 1
        self._add_reader(self._ssock.fileno(), self._read_from_self)

    def _close_self_pipe(self):
        if self._ssock is not None:
            _UnixSelectorEventLoop._close_self_pipe(self)

    def _watch_signals(self):
        if threading.current_thread() is not threading.main_thread():
            return None
        if self._ssock is None:
            self._make_self_pipe()
        return signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)

    def _unwatch_signals(self, wakeup):
        # Handlers that the loop has stay alive between two runs, as in asyncio.
        if wakeup is not None and (wakeup != -1 or not self._signal_handlers):
            signal.set_wakeup_fd(wakeup)

    def add_signal_handler(self, sig, callback, *args):
        """Call a function, in the loop, when the process gets a signal."""
        if self._ssock is None:
            self._make_self_pipe()
        super().add_signal_handler(sig, callback, *args)

    def _add_callback_signalsafe(self, handle):
        # asyncio makes one handle for each signal, and runs it each time.
        self.call_soon(handle._run)

    # --- Threads ------------------------------------------------------------------------------

    def run_in_executor(self, executor, func, *args):
        """Call a function in a thread, or wherever the executor calls it, and return a future of its result."""
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        if executor is None:
            self._check_default_executor()
            executor = self._default_executor
            if executor is None:
                from ._executor import DefaultExecutor
                executor = self._default_executor = DefaultExecutor()
                self._own_executor_type = DefaultExecutor
            if type(executor) is self._own_executor_type:
                return executor.run(self, func, args)
        return futures.wrap_future(executor.submit(func, *args), loop=self)

    def set_default_executor(self, executor):
        """Have run_in_executor(None, ...) use that ThreadPoolExecutor."""
        from ._executor import DefaultExecutor
        if isinstance(executor, DefaultExecutor):
            self._default_executor = executor
            self._own_executor_type = DefaultExecutor
        else:
            super().set_default_executor(executor)

    async def shutdown_default_executor(self, timeout=None):
        """Wait until the default executor has done all, at most for TIMEOUT seconds, as of Python 3.12."""
        executor = self._default_executor
        if timeout is None or executor is None:
            await super().shutdown_default_executor()
            return
        self._executor_shutdown_called = True
        future = self.create_future()
        thread = threading.Thread(target=self._wait_for_shutdown, args=(executor, future))
        thread.start()
        try:
            async with timeouts.timeout(timeout):
                await future
        except TimeoutError:
            warnings.warn(f"The executor did not finish joining its threads within {timeout} seconds.",
                          RuntimeWarning, stacklevel=2)
            executor.shutdown(wait=False)
        else:
            thread.join()

    def _wait_for_shutdown(self, executor, future):
        executor.shutdown(wait=True)
        # By then nobody may be waiting any more.
        with contextlib.suppress(RuntimeError):
            self.call_soon_threadsafe(futures._set_result_unless_cancelled, future, None)

    # --- Subprocesses -------------------------------------------------------------------------

    async def _make_subprocess_transport(self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra=None,
                                         **kwargs):
        from ._subprocess import make_transport
        return await make_transport(self, protocol, args, shell, stdin, stdout, stderr, bufsize, extra, **kwargs)

    # --- Failures -----------------------------------------------------------------------------

    def _report_failure(self, handle, exception):
        source = format_helpers._format_callback_source(handle._callback, handle._args)
        context = {"message": f"Exception in callback {source}", "exception": exception, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _report_context(self, message, exception):
        self.call_exception_handler({"message": message, "exception": exception})

    def _report_if_slow(self, what, seconds):
        if seconds >= self.slow_callback_duration:
            from ._watchdog import describe
            logger.warning("Executing %s took %.3f seconds", describe(what), seconds)

    def _create_task_with(self, coro, kwargs):
        # Of other arguments, which Python has from 3.13 on, only the factory or the task knows.
        if self._task_factory is not None:
            return self._task_factory(self, coro, **kwargs)
        return tasks.Task(coro, loop=self, **kwargs)

    def _create_task_by_factory(self, coro, name, context):
        if context is None:
            task = self._task_factory(self, coro)
        else:
            task = self._task_factory(self, coro, context=context)
        tasks._set_task_name(task, name)
        return task
