# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes: their transports, and the keyword arguments of subprocess.Popen, as options of libloop."""

import grp
import os
import pwd

from gi.overrides import override
from gi.repository import Gio, GLib

from ..module import get_introspection_module
from ._loop_protocols import change_protocol

Loop = get_introspection_module("Loop")


def to_arguments(args):
    if not args:
        raise TypeError("a program was expected")
    return [os.fsdecode(arg) for arg in args]


def _to_fd(file):
    if file is None:
        return Loop.SUBPROCESS_INHERIT
    return file if isinstance(file, int) else file.fileno()


def _to_gid(group):
    return grp.getgrnam(group).gr_gid if isinstance(group, str) else group


# What is all the same here: there is neither text nor a buffer, which asyncio does not have either, and there are things
# that only other systems or subprocess itself have.
_FIXED = {"universal_newlines": False, "bufsize": 0, "text": False, "encoding": None, "errors": None,
          "preexec_fn": None, "startupinfo": None, "creationflags": 0, "pipesize": -1}


def _drop_fixed(options, is_shell):
    for name, value in {**_FIXED, "shell": is_shell}.items():
        given = options.pop(name, value)
        if given != value and (given or value):
            raise ValueError(f"{name} must be {value}")


def to_options(*, is_shell=False, stdin=-1, stdout=-1, stderr=-1, pass_fds=(), user=None, group=None, extra_groups=None, **others):
    """subprocess.PIPE, STDOUT and DEVNULL have the numbers that they have in the library."""
    _drop_fixed(others, is_shell)
    options = Loop.SubprocessOptions(stdin=_to_fd(stdin), stdout=_to_fd(stdout), stderr=_to_fd(stderr))
    options.set_pass_fds(list(pass_fds))
    if user is not None:
        options.set_uid(pwd.getpwnam(user).pw_uid if isinstance(user, str) else user)
    if group is not None:
        options.set_gid(_to_gid(group))
    if extra_groups is not None:
        options.set_extra_groups([_to_gid(extra) for extra in extra_groups])
    for name, value in others.items():
        if name not in ("executable", "cwd", "env", "close_fds", "restore_signals", "start_new_session",
                        "process_group", "umask"):
            raise TypeError(f"unexpected keyword argument {name!r}")
        if value is None:
            continue
        if name == "env":
            value = [f"{os.fsdecode(key)}={os.fsdecode(text)}" for key, text in value.items()]
        elif name in ("executable", "cwd"):
            value = os.fsdecode(value)
        getattr(options, "set_" + name)(value)
    return options


def _signalling(function, *args):
    try:
        function(*args)
    except GLib.Error as error:
        if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND):
            raise ProcessLookupError(error.message) from None
        raise


class SubprocessTransport(Loop.SubprocessTransport):
    def get_returncode(self):
        has_exited, returncode = super().get_returncode()
        return returncode if has_exited else None

    def send_signal(self, signal):
        _signalling(super().send_signal, signal)

    def terminate(self):
        _signalling(super().terminate)

    def kill(self):
        _signalling(super().kill)

    def set_protocol(self, protocol):
        change_protocol(self, protocol)
        super().set_protocol(protocol)


class SubprocessResult(Loop.SubprocessResult):
    returncode = property(Loop.SubprocessResult.get_returncode)

    @property
    def stdout(self):
        data = self.get_stdout()
        return None if data is None else data.get_data() or b""

    @property
    def stderr(self):
        data = self.get_stderr()
        return None if data is None else data.get_data() or b""


# The loader goes by the name of the module.
SubprocessTransport.__module__ = SubprocessResult.__module__ = "gi.overrides.Loop"
SubprocessTransport = override(SubprocessTransport)
SubprocessResult = override(SubprocessResult)
