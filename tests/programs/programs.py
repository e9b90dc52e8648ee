# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of real programs need: a loop to run them on, and to see that they leave nothing behind.

    LOOP_TESTED=asyncio ./dev shell -c 'python3 -X dev tests/programs/test-x.py'

runs them on asyncio's own loop, to see whose fault a failure is.
"""

import asyncio
import contextlib
import gc
import hashlib
import importlib.util
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

PATIENCE = 60  # seconds, on a busy machine

if not sys.flags.dev_mode:
    os.execv(sys.executable, [sys.executable, "-X", "dev", *sys.argv])

# What GLib calls critical is a crash here.
os.environ["G_DEBUG"] = "fatal-criticals"

OURS = os.path.join(os.environ.get("LOOP_SRCDIR", os.getcwd()), "bindings", "python")
IS_COMPARED = os.environ.get("LOOP_TESTED") == "asyncio"


def skip_all(reason):
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def need(*names, programs=()):
    """Skip the whole file unless these can be imported, and those are on the path."""
    for name in ("_libloop", *names):
        if importlib.util.find_spec(name) is None:
            skip_all(f"Python's {name} is missing")
    for program in programs:
        if shutil.which(program) is None:
            skip_all(f"{program} is missing")


need()
import libloop  # noqa: E402

new_event_loop = asyncio.new_event_loop if IS_COMPARED else libloop.new_event_loop

# The first loop makes GLib's default context, which keeps a descriptor.
new_event_loop().close()


def random_bytes(length):
    return random.Random(length).randbytes(length)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def children():
    """The processes that this one has started and not waited for."""
    found = []
    for task in os.listdir("/proc/self/task"):
        # A thread may end meanwhile, and its children, if any, are those of another then.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/self/task/{task}/children") as file:
                found += map(int, file.read().split())
    return found


def count_fds():
    return len(os.listdir("/proc/self/fd"))


async def curl(*arguments, stdin=None):
    """What curl prints; it has to succeed. It runs on the loop that serves it."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "--max-time", str(PATIENCE), *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    out, err = await process.communicate(stdin)
    if process.returncode != 0:
        raise AssertionError(f"curl failed with {process.returncode}: {err.decode(errors='replace')}")
    return out


class Complaints(logging.Handler):
    """What nobody would see: warnings, exceptions of destructors, what asyncio logs."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.seen = []

    def emit(self, record):
        self.seen.append(self.format(record))

    def add_unraisable(self, unraisable):
        self.seen.append(f"{unraisable.err_msg}: {unraisable.object!r}: {unraisable.exc_value!r}")

    def add_warning(self, message, category, filename, lineno, file=None, line=None):
        # Of others', those tell of what was left behind; that they are old-fashioned is their own affair.
        if filename.startswith(OURS) or issubclass(category, (ResourceWarning, RuntimeWarning)):
            self.seen.append(warnings.formatwarning(message, category, filename, lineno, line))


class Process:
    """A program that ends with the test, however the test does."""

    def __init__(self, *command, **kwargs):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                                        **kwargs)
        self.pid = self.process.pid

    def end(self, signum=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(signum)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()

    def wait_until(self, is_ready):
        """Until a function says so, which may fail meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.process.args} ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{self.process.args} is not ready")
            time.sleep(0.02)


class Case(unittest.TestCase):
    """A test with a folder of its own. When it ends, so has all that it started."""

    is_debug = False

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="loop-programs-")
        self.addCleanup(shutil.rmtree, self.folder)
        gc.collect()
        n_fds = count_fds()
        before = children()
        self.addCleanup(lambda: self.assertEqual(count_fds(), n_fds, "descriptors were left behind"))
        self.addCleanup(lambda: self.assertEqual(children(), before, "processes were left behind"))
        self.listen_to_complaints()

    def listen_to_complaints(self):
        complaints = self.complaints = Complaints()
        logger = logging.getLogger("asyncio")
        hook = sys.unraisablehook

        def end():
            gc.collect()
            logger.removeHandler(complaints)
            sys.unraisablehook = hook
            context.__exit__(None, None, None)
            self.assertEqual(complaints.seen, [])

        logger.addHandler(complaints)
        sys.unraisablehook = complaints.add_unraisable
        context = warnings.catch_warnings()
        context.__enter__()
        warnings.simplefilter("always")
        warnings.filterwarnings("error", module="libloop")
        warnings.showwarning = complaints.add_warning
        self.addCleanup(end)

    def run_loop(self, main):
        """The result of a coroutine, on a loop that is closed afterwards."""

        async def limited():
            self.assertEqual(isinstance(asyncio.get_running_loop(), libloop.EventLoop), not IS_COMPARED)
            return await asyncio.wait_for(main, PATIENCE)

        with asyncio.Runner(loop_factory=new_event_loop, debug=self.is_debug) as runner:
            return runner.run(limited())

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_file(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)
