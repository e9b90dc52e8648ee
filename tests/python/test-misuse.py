# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package libloop is called with what it does not expect: exceptions are fine, crashes are not.

misuse.py makes the calls, in processes of their own; a new method is found and called without a word here.
"""

import asyncio
import concurrent.futures
import copy
import mmap
import os
import subprocess
import sys
import tempfile
import unittest

import _libloop
import libloop
import tap
from misuse import LOG_SIZE, MAKERS, TIMEOUT

MISUSE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "misuse.py")


def run(kind):
    """What went wrong, with the call that it went wrong in."""
    with tempfile.NamedTemporaryFile() as log:
        log.truncate(LOG_SIZE)
        # What GLib calls critical is a crash.
        done = subprocess.run([sys.executable, MISUSE, kind, log.name], capture_output=True, text=True,
                              errors="replace", timeout=2 * TIMEOUT, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, G_DEBUG="fatal-criticals", PYTHONMALLOC="debug"))
        with mmap.mmap(log.fileno(), LOG_SIZE) as last:
            call = last[:].partition(b"\0")[0].decode(errors="replace")
    problems = [line for line in done.stdout.splitlines() if line.startswith("SystemError")]
    if done.returncode != 0:
        problems += [f"exit status {done.returncode} in {call}", *done.stderr.splitlines()[-30:]]
    return problems


class TestCalls(unittest.TestCase):
    pass


class TestInstances(unittest.TestCase):
    """What is never to be made by hand is not."""

    def test_not_made(self):
        for name in "Handle", "TimerHandle", "SocketTransport", "Serving", "SockCall":
            cls = getattr(_libloop, name)
            for make in (cls, lambda: cls.__new__(cls), lambda: object.__new__(cls), lambda: cls.__base__.__new__(cls),
                         lambda: type("Derived", (cls,), {})):
                with self.subTest(name), self.assertRaises(TypeError):
                    make()

    def test_not_copied(self):
        loop = libloop.new_event_loop()
        self.addCleanup(loop.close)
        for target in loop.call_soon(int), loop.call_later(1, int), loop:
            for function in copy.copy, copy.deepcopy:
                with self.subTest(target), self.assertRaises(TypeError):
                    function(target)

    def test_initialised_twice(self):
        async def main():
            loop = asyncio.get_running_loop()
            with self.assertRaisesRegex(RuntimeError, "initialised before"):
                loop.__init__()
            await asyncio.sleep(0)

        libloop.run(main())

    def test_never_initialised(self):
        class Derived(libloop.EventLoop):
            def __init__(self):
                pass

        for loop in Derived(), libloop.EventLoop.__new__(libloop.EventLoop), _libloop.Loop.__new__(_libloop.Loop):
            for call in (lambda: loop.call_soon(int), lambda: loop.call_later(1, int), loop._run,
                         lambda: loop._make_socket_transport(5, asyncio.Protocol()),
                         lambda: loop._serve(5, asyncio.Protocol, None, 5),
                         lambda: loop.sock_recv(sys.stdin, 5).send(None)):
                with self.assertRaisesRegex(RuntimeError, "Event loop is closed"):
                    call()
            loop._closed = True

    def test_changed_handle(self):
        """Attributes of a handle are what asyncio's are: anybody can change them."""
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = lambda unraisable: None
        for name in "_callback", "_args", "_context", "_loop", "_cancelled", "_repr", "_source_traceback":
            for change in (lambda: setattr(handle, name, 5), lambda: delattr(handle, name),
                           lambda: handle.__init__(5, 5, loop)):
                with self.subTest(name):
                    loop = libloop.new_event_loop()
                    loop.set_exception_handler(lambda loop, context: None)
                    handle = loop.call_soon(int)
                    change()
                    loop.call_soon(loop.stop)
                    loop.run_forever()
                    handle.cancel()
                    loop.close()


class TestExit(unittest.TestCase):
    """The interpreter ends in the middle of it all."""

    WORK = {
        "connection": "server = await asyncio.start_server(print, '127.0.0.1', 0)\n"
                      "    keep.extend([server, await asyncio.open_connection(*server.sockets[0].getsockname())])",
        "reader": "keep.extend(socket.socketpair()); loop.add_reader(keep[0], print); loop.add_writer(keep[1], print)",
        "sock_recv": "keep.extend(socket.socketpair()); keep[0].setblocking(False)\n"
                     "    keep.append(loop.create_task(loop.sock_recv(keep[0], 10)))",
        "subprocess": "keep.append(await asyncio.create_subprocess_exec('sleep', '0.2'))",
        "thread": "keep.append(loop.run_in_executor(None, time.sleep, 0.2))",
        "signal": "loop.add_signal_handler(signal.SIGUSR1, print)",
        "generator": "keep.append(generate()); await anext(keep[0])",
        "timer": "keep.append(loop.call_later(1000, keep.append, loop))",
        "task": "keep.append(loop.create_task(asyncio.Event().wait()))",
    }
    ENDS = {
        "stopped": "loop.run_until_complete(main())",
        "exit in a callback": "loop.run_until_complete(main()); loop.call_soon(sys.exit); loop.run_forever()",
        "exit at once": "loop.run_until_complete(main()); loop.call_soon(os._exit, 0); loop.run_forever()",
        "a loop that runs in a thread": "begin = lambda: (loop.create_task(main()), loop.run_forever())\n"
                                        "threading.Thread(target=begin, daemon=True).start(); time.sleep(0.1)",
        "closed when it is too late": "loop.run_until_complete(main()); import atexit; atexit.register(loop.close)",
        "globals go first": "loop.run_until_complete(main()); sys.modules['kept'] = loop; del loop",
    }
    SCRIPT = ("import asyncio, libloop, os, signal, socket, sys, threading, time, warnings\n"
              "warnings.simplefilter('ignore')\n"
              "loop, keep = libloop.new_event_loop(), []\n"
              "async def generate(): yield 1\n"
              "async def main():\n    {work}\n    await asyncio.sleep(0.01)\n{end}\n")

    def check(self, work, end):
        script = self.SCRIPT.format(work=self.WORK[work], end=self.ENDS[end])
        done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", script], capture_output=True, text=True,
                              timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, G_DEBUG="fatal-criticals", PYTHONMALLOC="debug"))
        # Of tasks that are destroyed asyncio tells, in its own loop too.
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotRegex(done.stderr, "Fatal|NameError|UnboundLocalError|AttributeError|SystemError")

    def test_ends(self):
        cases = [(work, end) for work in self.WORK for end in self.ENDS
                 if (work, end) != ("signal", "a loop that runs in a thread")]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for case, future in [(case, pool.submit(self.check, *case)) for case in cases]:
                with self.subTest(case):
                    future.result()


def make_test(kind):
    return lambda self: self.assertEqual(self.results[kind].result(), [])


def setUpModule():
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    TestCalls.results = {kind: pool.submit(run, kind) for kind in MAKERS}


for kind in MAKERS:
    setattr(TestCalls, f"test_{kind}".replace("-", "_"), make_test(kind))


if __name__ == "__main__":
    tap.main()
