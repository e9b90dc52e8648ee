# SPDX-License-Identifier: LGPL-2.1-or-later
"""libloop as asyncio's users know it: names, order of arguments, keywords and exceptions are asyncio's.

What is not here is as introspection makes it. Errors that are not Python's, of sockets for example, stay GLib.Error.
"""

import asyncio
import collections.abc
import concurrent.futures
import contextvars
import functools
import inspect
import math
import os
import signal
import traceback

from gi.overrides import override
from gi.repository import Gio, GLib, GObject

from ..module import get_introspection_module

from . import _loop_executors, _loop_streams, _loop_sync
from ._loop_addresses import to_address, to_connectable
from ._loop_calls import Call, WatchCall, get_name, report
from ._loop_protocols import BufferedProtocol, DatagramProtocol, Protocol, SubprocessProtocol, change_protocol
from ._loop_resolver import Resolver
from ._loop_signals import guards_callbacks, handling_signals, leave_sigint_alone
from ._loop_sockets import SocketOperations, to_count, to_stream
from ._loop_subprocess import SubprocessResult, SubprocessTransport, to_arguments, to_options
from ._loop_sync import get_running_loop
from ._loop_unix import to_path
from ._loop_values import call, from_value, to_error, to_exception, to_value

Loop = get_introspection_module("Loop")

__all__ = ["ThreadPoolExecutor", "BufferedProtocol", "DatagramProtocol", "Protocol", "SubprocessProtocol"]
__all__ += ["SubprocessTransport", "SubprocessResult"]
__all__ += _loop_streams.__all__ + _loop_sync.__all__
ThreadPoolExecutor = _loop_executors.ThreadPoolExecutor
globals().update((name, getattr(_loop_streams, name)) for name in _loop_streams.__all__)
globals().update((name, getattr(_loop_sync, name)) for name in _loop_sync.__all__)


def _export(item):
    __all__.append(item.__name__)
    return item


# --- Callbacks ------------------------------------------------------------------------------------------------------


def _schedule(function, *args, context):
    *when, callback, callback_args = args
    wrapped = Call(callback, callback_args, context)
    wrapped.handle = call(function, *when, wrapped)
    return wrapped.handle


def _schedule_named(function, *args, context):
    handle = _schedule(function, *args, context=context)
    callback = args[-2]
    while isinstance(callback, functools.partial):
        callback = callback.func
    handle.set_name(get_name(callback))
    return handle


_CONTEXT_KEYS = ("message", "exception", "handle", "future", "protocol", "transport", "socket", "source_traceback")


def _to_dict(context):
    if not isinstance(context, Loop.ExceptionContext):
        return context
    values = {key: getattr(context, "get_" + key)() for key in _CONTEXT_KEYS}
    values["asyncgen"] = context.get_async_generator()
    if values["exception"] is not None:
        values["exception"] = to_exception(values["exception"])
    return {key: value for key, value in values.items() if value is not None}


def _handle_exception(loop, context):
    context = _to_dict(context)
    factory_exception = loop.__dict__.pop("_factory_exception", None)
    if factory_exception is not None:
        context["exception"] = factory_exception
    loop.call_exception_handler(context)


def _fileno(fd):
    if not isinstance(fd, int):
        try:
            fd = int(fd.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fd!r}") from None
    if fd < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")
    return fd


def _to_gsocket(sock):
    """Takes a socket of Python's over, as asyncio does."""
    return sock if sock is None or isinstance(sock, Gio.Socket) else Gio.Socket.new_from_fd(sock.detach())


def _drop_defaults(options):
    """None is asyncio's default for what the library may not have."""
    return {key: value for key, value in options.items() if value is not None}


def _guard_factory(factory, kind=Loop.Protocol, loop=None):
    def make():
        try:
            protocol = factory()
            if not isinstance(protocol, kind):
                raise TypeError(f"a protocol factory is to return a Loop.{kind.__name__}, not {protocol!r}")
            return protocol
        except BaseException as exception:
            # The library tells of it, in an error of its own.
            (loop or Loop.EventLoop.get_running())._factory_exception = exception
            return None

    if not callable(factory):
        raise TypeError(f"a protocol factory was expected, got {factory!r}")
    return make


# --- Event loop -----------------------------------------------------------------------------------------------------


class EventLoop(Resolver, SocketOperations, Loop.EventLoop):
    def __init__(self, **properties):
        super().__init__(**properties)
        self.set_exception_handler(None)

    @classmethod
    def new(cls):
        return cls()

    @classmethod
    def new_for_context(cls, context):
        return cls(context=context or GLib.MainContext.default())

    debug = property(Loop.EventLoop.get_debug, Loop.EventLoop.set_debug)
    slow_callback_duration = property(
        Loop.EventLoop.get_slow_callback_duration, Loop.EventLoop.set_slow_callback_duration
    )

    def _run(self, run, *args, owner=None):
        try:
            with handling_signals(self, super().add_reader, super().remove_reader):
                result = call(run, self, *args, owner=owner)
        except BaseException:
            if "_interrupt" not in self.__dict__:
                raise
        if "_interrupt" in self.__dict__:
            raise self.__dict__.pop("_interrupt")
        return result

    def run_forever(self):
        return self._run(Loop.EventLoop.run_forever)

    def run_until_complete(self, future):
        is_new = not isinstance(future, Loop.Future)
        future = ensure_future(future, loop=self)
        try:
            self._run(Loop.EventLoop.run_until_complete, future, owner=future)
            return future.result()
        except BaseException:
            if is_new and future.done() and not future.cancelled():
                # It is this exception: do not report it again.
                future.exception()
            raise

    def call_soon(self, callback, *args, context=None):
        return _schedule_named(super().call_soon, callback, args, context=context)

    def call_soon_threadsafe(self, callback, *args, context=None):
        return _schedule(super().call_soon_threadsafe, callback, args, context=context)

    def call_later(self, delay, callback, *args, context=None):
        return _schedule_named(super().call_later, delay, callback, args, context=context)

    def call_at(self, when, callback, *args, context=None):
        return _schedule_named(super().call_at, when, callback, args, context=context)

    def add_reader(self, fd, callback, *args):
        fd = _fileno(fd)
        call(super().add_reader, fd, WatchCall(EventLoop.remove_reader, fd, callback, args))

    def add_writer(self, fd, callback, *args):
        fd = _fileno(fd)
        call(super().add_writer, fd, WatchCall(EventLoop.remove_writer, fd, callback, args))

    def remove_reader(self, fd):
        return super().remove_reader(_fileno(fd))

    def remove_writer(self, fd):
        return super().remove_writer(_fileno(fd))

    def add_signal_handler(self, sig, callback, *args):
        if inspect.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        wrapped = WatchCall(EventLoop.remove_signal_handler, sig, callback, args)
        if sig == signal.SIGINT:
            leave_sigint_alone()
        call(super().add_signal_handler, sig, wrapped)

    def remove_signal_handler(self, sig):
        return super().remove_signal_handler(sig)

    def create_task(self, coro, *, name=None, context=None):
        factory = self.get_task_factory()
        if self.is_closed():
            coro.close()
            raise RuntimeError("Event loop is closed")
        if factory is None:
            task = Loop.Task.new(self, _to_coroutine(coro, context))
        elif context is None:
            task = factory(self, coro)
        else:
            task = factory(self, coro, context=context)
        if name is not None:
            task.set_name(name)
        return task

    def set_task_factory(self, factory):
        """``factory(loop, coro)`` makes the tasks of this loop, with ``Loop.Task.new(loop, coro)`` for example."""

        def make(loop, coroutine):
            try:
                return factory(loop, getattr(coroutine, "coro", coroutine))
            except BaseException as exception:
                report(loop, "Exception in task factory {!r}", exception, factory)

        if factory is not None and not callable(factory):
            raise TypeError(f"a task factory or None was expected, got {factory!r}")
        self._task_factory = factory
        super().set_task_factory(make if factory is not None else None)

    def get_task_factory(self):
        return self.__dict__.get("_task_factory")

    def run_in_executor(self, executor, func, *args):
        if not callable(func):
            raise TypeError(f"a callable object was expected, got {func!r}")
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if executor is None:
            executor = self.__dict__.get("_default_executor")
        else:
            _loop_executors.check_executor(executor)
        if isinstance(executor, concurrent.futures.Executor):
            return _loop_executors.submit_to(executor, self, func, args)
        future = super().run_in_executor(executor, _loop_executors.make_job(func, args))
        if future.done():
            # It was refused.
            future.result()
        return future

    def set_default_executor(self, executor):
        _loop_executors.check_executor(executor)
        if isinstance(executor, Loop.Executor):
            super().set_default_executor(executor)
            executor = None
        elif not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise TypeError("executor must be ThreadPoolExecutor instance")
        self._default_executor = executor

    def shutdown_default_executor(self, timeout=None):
        executor = self.__dict__.get("_default_executor")
        if executor is not None and not self.is_closed():
            return _loop_executors.shut_down(executor, self, timeout)
        return super().shutdown_default_executor(math.inf if timeout is None else timeout)

    def close(self):
        closed = call(super().close)
        executor = self.__dict__.pop("_default_executor", None)
        if executor is not None:
            executor.shutdown(wait=False)
        return closed

    def set_exception_handler(self, handler):
        if handler is not None and not callable(handler):
            raise TypeError(f"a callable object or None is expected, got {handler!r}")
        # Kept here and not by the library: the garbage collector has to see what it refers to.
        self._exception_handler = handler
        super().set_exception_handler(_handle_exception)

    def get_exception_handler(self):
        return self.__dict__.get("_exception_handler")

    def call_exception_handler(self, context):
        context = _to_dict(context)
        handler = self.get_exception_handler()
        if handler is None:
            self.default_exception_handler(context)
            return
        try:
            handler(self, context)
        except (KeyboardInterrupt, SystemExit) as exception:
            report(self, "", exception)
        except BaseException as exception:
            self.default_exception_handler(context)
            self.default_exception_handler(
                {"message": "Unhandled error in exception handler", "exception": exception, "handler": handler}
            )

    def default_exception_handler(self, context):
        context = _to_dict(context)
        lines = [context.get("message") or "Unhandled exception in event loop"]
        lines += [f"{key}: {context[key]!r}" for key in sorted(context) if key not in ("message", "exception")]
        if context.get("exception") is not None:
            lines += traceback.format_exception(context["exception"])
        text = "\n".join(line.rstrip("\n") for line in lines).replace("\0", "\\0")
        message = GLib.Variant("s", text.encode("utf-8", "backslashreplace").decode())
        GLib.log_variant("libloop", GLib.LogLevelFlags.LEVEL_WARNING, GLib.Variant("a{sv}", {"MESSAGE": message}))

    def create_server(self, protocol_factory, host=None, port=None, *, sock=None, start_serving=True, **options):
        """``options``: family, flags, backlog, reuse_address, reuse_port, keep_alive."""
        if isinstance(host, (str, bytes)):
            host = [host]
        options = Loop.ServerOptions(sock=_to_gsocket(sock), start_serving=start_serving, **_drop_defaults(options))
        return super().create_server(host, port or 0, options, _guard_factory(protocol_factory))

    def create_unix_server(self, protocol_factory, path=None, *, sock=None, **options):
        """``options``: backlog, start_serving, cleanup_socket."""
        path = to_path(path, sock)
        options = Loop.ServerOptions(sock=_to_gsocket(sock), **_drop_defaults(options))
        return super().create_unix_server(path, options, _guard_factory(protocol_factory))

    def create_connection(self, protocol_factory, host=None, port=None, *, sock=None, local_addr=None, **options):
        """A task that gives (transport, protocol). ``options``: family, proto, flags, happy_eyeballs_delay, interleave,
        all_errors.
        """
        if isinstance(local_addr, tuple):
            local_addr = Gio.NetworkAddress.new(*local_addr[:2])
        options = Loop.ConnectionOptions(sock=_to_gsocket(sock), local_addr=local_addr, **_drop_defaults(options))
        connecting = super().create_connection(host, port or 0, options, _guard_factory(protocol_factory))

        return self._connect(connecting)

    def create_unix_connection(self, protocol_factory, path=None, *, sock=None):
        """A task that gives (transport, protocol)."""
        path = to_path(path, sock)
        options = Loop.ConnectionOptions(sock=_to_gsocket(sock))
        return self._connect(super().create_unix_connection(path, options, _guard_factory(protocol_factory, loop=self)))

    def connect_accepted_socket(self, protocol_factory, sock):
        """As create_unix_connection()."""
        factory = _guard_factory(protocol_factory, loop=self)
        return self._connect(super().connect_accepted_socket(_to_gsocket(sock), None, factory))

    def create_datagram_endpoint(
        self, protocol_factory, local_addr=None, remote_addr=None, *, sock=None, allow_broadcast=None, **options
    ):
        """A task that gives (transport, protocol). ``options``: family, proto, flags, reuse_port."""
        options = Loop.DatagramOptions(
            local_addr=to_connectable(local_addr or None),
            remote_addr=to_connectable(remote_addr or None),
            sock=_to_gsocket(sock),
            allow_broadcast=bool(allow_broadcast),
            **_drop_defaults(options),
        )
        factory = _guard_factory(protocol_factory, Loop.DatagramProtocol, self)
        return self._connect(super().create_datagram_endpoint(options, factory))

    def _connect(self, connecting):
        """A task that gives (transport, protocol)."""

        async def connect():
            try:
                transport = await connecting
            except GLib.Error as error:
                exception = error
                if error.matches(Loop.error_quark(), Loop.Error.PROTOCOL_FACTORY):
                    exception = self.__dict__.pop("_factory_exception", error)
                errors = Loop.connection_get_errors(connecting)
                if errors:
                    exception = ExceptionGroup("create_connection failed", errors)
            else:
                return transport, transport.get_protocol()
            try:
                raise exception
            finally:
                del exception

        return self.create_task(connect())

    def _connect_pipe(self, connect, protocol_factory, pipe):
        fd = pipe if isinstance(pipe, int) else os.dup(pipe.fileno())
        connecting = connect(fd, _guard_factory(protocol_factory, loop=self))

        def hand_over(future):
            if future.cancelled() or future.exception() is None:
                pipe.close()
            else:
                os.close(fd)

        if fd is not pipe:
            connecting.add_done_callback(hand_over)
        return self._connect(connecting)

    def connect_read_pipe(self, protocol_factory, pipe):
        """A task that gives (transport, protocol). A file that is given is closed, and its descriptor is the transport's,
        as one is that is given by its number.
        """
        return self._connect_pipe(super().connect_read_pipe, protocol_factory, pipe)

    def connect_write_pipe(self, protocol_factory, pipe):
        """As connect_read_pipe()."""
        return self._connect_pipe(super().connect_write_pipe, protocol_factory, pipe)

    def connect_io_stream(self, protocol_factory, stream):
        """A task that gives (transport, protocol), for any Gio.IOStream, which is the transport's from then on."""
        return self._connect(super().connect_io_stream(stream, _guard_factory(protocol_factory, loop=self)))

    def sendfile(self, transport, file, offset=0, count=None, *, fallback=True):
        """``file``: a Gio.InputStream, or a binary file with a descriptor, which stays its own."""
        return super().sendfile(transport, to_stream(file), offset, to_count(count), fallback)

    def subprocess_exec(self, protocol_factory, *args, **options):
        """A task that gives (transport, protocol). ``options``: those of subprocess.Popen."""
        factory = _guard_factory(protocol_factory, Loop.SubprocessProtocol, self)
        return self._connect(super().subprocess_exec(to_arguments(args), to_options(**options), factory))

    def subprocess_shell(self, protocol_factory, cmd, **options):
        """As subprocess_exec()."""
        factory = _guard_factory(protocol_factory, Loop.SubprocessProtocol, self)
        return self._connect(super().subprocess_shell(os.fsdecode(cmd), to_options(is_shell=True, **options), factory))

    def subprocess_communicate(self, *args, input=None, **options):
        """A future that gives an object with returncode, stdout and stderr."""
        input = None if input is None else GLib.Bytes(input)
        return super().subprocess_communicate(to_arguments(args), to_options(**options), input)


EventLoop = override(EventLoop)
__all__.append("EventLoop")


# --- Futures and tasks ----------------------------------------------------------------------------------------------


def _run_done_callback(future, token):
    _, wrapped = future._done_callbacks.pop(token)
    wrapped(future)


def _get_outcome(future):
    if future.cancelled():
        return asyncio.CancelledError()
    exception = future.exception()
    return future.result() if exception is None else exception


class Future(Loop.Future):
    def __init__(self, *args, **kwargs):
        raise TypeError(f"a {type(self).__name__} is made by its event loop")

    def result(self):
        result = call(super().result, owner=self)
        outcomes = self.__dict__.get("_outcomes")
        return from_value(result) if outcomes is None else [_get_outcome(future) for future in outcomes]

    def exception(self):
        error = call(super().exception)
        return error if error is None else to_exception(error, self)

    def set_result(self, result):
        call(super().set_result, to_value(result))

    def set_exception(self, exception):
        if isinstance(exception, type):
            exception = exception()
        if not isinstance(exception, BaseException):
            raise TypeError(f"an exception was expected, got {exception!r}")
        if isinstance(exception, StopIteration):
            raise TypeError("StopIteration interacts badly with generators and cannot be raised into a Future")
        call(super().set_exception, to_error(exception, self))

    def cancel(self, msg=None):
        return super().cancel() if msg is None else super().cancel_with_message(str(msg))

    def add_done_callback(self, callback, *, context=None):
        # As with the exception handler: it is kept where the garbage collector looks.
        wrapped = Call(callback, (), context)
        callbacks = self.__dict__.setdefault("_done_callbacks", {})
        token = object()
        callbacks[token] = super().add_done_callback(_run_done_callback, token), wrapped

    def remove_done_callback(self, callback):
        callbacks = self.__dict__.get("_done_callbacks", {})
        removed = [
            token
            for token, (number, wrapped) in callbacks.items()
            if wrapped.callback == callback and super(Future, self).remove_done_callback(number)
        ]
        for token in removed:
            del callbacks[token]
        return len(removed)

    def __await__(self):
        if not self.done():
            yield self
        return self.result()

    __iter__ = __await__


Future = override(Future)
__all__.append("Future")


class _Coroutine(GObject.Object, Loop.Coroutine):
    """Lets a task drive a coroutine of Python's."""

    __gtype_name__ = "LoopPythonCoroutine"
    # What is of the overrides' module gets no GType of its own.
    __module__ = "gi.repository.Loop"

    def __init__(self, coro, context=None):
        super().__init__()
        self.coro = coro
        self.context = context if context is not None else contextvars.copy_context()

    @GObject.Property(type=str)
    def name(self):
        return get_name(self.coro)

    @guards_callbacks
    def _step(self, function, *args):
        status = Loop.CoroutineStatus
        try:
            awaited = self.context.run(function, *args)
            while awaited is not None and not isinstance(awaited, Loop.Future):
                wrong = RuntimeError(f"a task can await futures of libloop only, not {awaited!r}")
                awaited = self.context.run(self.coro.throw, wrong)
            return status.AWAITING, awaited, None
        except StopIteration as stop:
            return status.RETURNED, None, to_value(stop.value)
        except BaseException as exception:
            loop = Loop.EventLoop.get_running()
            if isinstance(exception, (KeyboardInterrupt, SystemExit)):
                report(loop, "", exception)
            error = to_error(exception, loop and loop.get_current_task())
        raise error

    def do_send(self):
        return self._step(self.coro.send, None)

    def do_throw_exception(self, error):
        return self._step(self.coro.throw, to_exception(error))

    def do_close(self):
        try:
            self.coro.close()
        except BaseException as exception:
            loop = Loop.EventLoop.get_running()
            if loop is None:
                traceback.print_exception(exception)
            else:
                report(loop, "Exception in coroutine {!r} while it was closed", exception, self.coro)


def _to_coroutine(coro, context=None):
    if isinstance(coro, Loop.Coroutine):
        return coro
    if not inspect.iscoroutine(coro) and not isinstance(coro, collections.abc.Coroutine):
        raise TypeError(f"a coroutine was expected, got {coro!r}")
    return _Coroutine(coro, context)


class Task(Loop.Task):
    @staticmethod
    def new(loop, coro):
        return _new_task(loop, _to_coroutine(coro))

    def set_name(self, name):
        super().set_name(name if name is None else str(name))

    def get_coro(self):
        coroutine = self.get_coroutine()
        return getattr(coroutine, "coro", coroutine)


_new_task = Loop.Task.new
Task = override(Task)
__all__.append("Task")


@_export
def ensure_future(awaitable, *, loop=None):
    if isinstance(awaitable, Future):
        if loop is not None and awaitable.get_loop() is not loop:
            raise ValueError("The future belongs to a different loop than the one specified as the loop argument")
        return awaitable
    loop = loop or get_running_loop()
    if isinstance(awaitable, Loop.Coroutine) or inspect.iscoroutine(awaitable):
        return loop.create_task(awaitable)
    if inspect.isawaitable(awaitable):

        async def wait():
            return await awaitable

        return loop.create_task(wait())
    raise TypeError(f"a future, a coroutine or an awaitable was expected, got {awaitable!r}")


@_export
def create_task(coro, *, name=None, context=None):
    return get_running_loop().create_task(coro, name=name, context=context)


@_export
def current_task(loop=None):
    return (loop or get_running_loop()).get_current_task()


@_export
def all_tasks(loop=None):
    return set((loop or get_running_loop()).all_tasks())


def _ensure_futures(awaitables, loop=None):
    awaitables = list(awaitables)
    loop = loop or next((a.get_loop() for a in awaitables if isinstance(a, Future)), None) or get_running_loop()
    return loop, [ensure_future(awaitable, loop=loop) for awaitable in awaitables]


def _keeping(outer, futures):
    """They keep the exceptions with which ``outer`` may end."""
    outer._children = futures
    return outer


@_export
async def sleep(delay, result=None):
    await Loop.sleep(get_running_loop(), delay)
    return result


@_export
def gather(*aws, return_exceptions=False, loop=None):
    loop, futures = _ensure_futures(aws, loop)
    outer = Loop.gather(loop, futures, return_exceptions)
    outer._outcomes = futures
    return _keeping(outer, futures)


FIRST_COMPLETED = Loop.ReturnWhen.FIRST_COMPLETED
FIRST_EXCEPTION = Loop.ReturnWhen.FIRST_EXCEPTION
ALL_COMPLETED = Loop.ReturnWhen.ALL_COMPLETED
__all__ += ["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]


@_export
async def wait(aws, *, timeout=None, return_when=ALL_COMPLETED):
    loop, futures = _ensure_futures(set(aws))
    if not futures:
        raise ValueError("Set of Tasks/Futures is empty.")
    result = await Loop.wait(loop, futures, -1 if timeout is None else max(timeout, 0), return_when)
    return set(result.get_done()), set(result.get_pending())


@_export
async def wait_for(fut, timeout):
    inner = ensure_future(fut)
    return await _keeping(Loop.wait_for(inner, -1 if timeout is None else max(timeout, 0)), [inner])


@_export
def shield(arg):
    inner = ensure_future(arg)
    return _keeping(Loop.shield(inner), [inner])


# --- Transports, servers --------------------------------------------------------------------------------------------


class _BaseTransport:
    """What those of streams and of datagrams have: PyGObject lets the one not derive from the override of the other."""

    def get_extra_info(self, name, default=None):
        value = super().get_extra_info(name)
        return default if value is None else value

    def set_protocol(self, protocol):
        change_protocol(self, protocol)
        super().set_protocol(protocol)

    def set_write_buffer_limits(self, high=None, low=None):
        call(super().set_write_buffer_limits, -1 if high is None else high, -1 if low is None else low)


class Transport(_BaseTransport, Loop.Transport):
    def write(self, data):
        super().write(data if isinstance(data, bytes) else bytes(memoryview(data)))

    def writelines(self, list_of_data):
        super().writelines([data if isinstance(data, GLib.Bytes) else GLib.Bytes(data) for data in list_of_data])


Transport = override(Transport)
__all__.append("Transport")


class DatagramTransport(_BaseTransport, Loop.DatagramTransport):
    def sendto(self, data, addr=None):
        data = data if isinstance(data, bytes) else bytes(memoryview(data))
        call(super().sendto, data, to_address(addr))


DatagramTransport = override(DatagramTransport)
__all__.append("DatagramTransport")


class Server(Loop.Server):
    sockets = property(lambda self: tuple(self.get_sockets()))

    def __enter__(self):
        return self

    def __exit__(self, kind, exception, trace):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, exception, trace):
        self.close()
        await self.wait_closed()


Server = override(Server)
__all__.append("Server")
