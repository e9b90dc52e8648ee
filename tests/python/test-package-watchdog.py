# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slow callbacks in debug mode: what is logged while they run, and when they are over."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import unittest

import libloop
import tap

# Of a callback, and of what the watchdog is to notice well before it is over.
SLOW, DURATION = 0.3, 0.05


def take_long():
    time.sleep(SLOW)


class Sleeper(asyncio.Protocol):
    """Sleeps at the point that it is named."""

    def __init__(self, point):
        self.point = point
        self.is_lost = asyncio.get_running_loop().create_future()

    def sleep_at(self, point):
        if point == self.point:
            take_long()

    def connection_made(self, transport):
        self.transport = transport
        self.sleep_at("connection_made")

    def data_received(self, data):
        self.sleep_at("data_received")

    def eof_received(self):
        self.sleep_at("eof_received")

    def connection_lost(self, error):
        self.sleep_at("connection_lost")
        self.is_lost.set_result(None)


class TestWatchdog(unittest.TestCase):
    def run_slow(self, main, debug=True, duration=DURATION):
        async def measured():
            asyncio.get_running_loop().slow_callback_duration = duration
            await asyncio.sleep(0)
            return await main()

        with self.assertLogs("asyncio", logging.WARNING) as logs:
            # So that there is one at least.
            logging.getLogger("asyncio").warning("begin")
            with asyncio.Runner(debug=debug, loop_factory=libloop.new_event_loop) as runner:
                runner.run(measured())
        return [record.getMessage() for record in logs.records[1:]]

    def test_callback(self):
        async def main():
            asyncio.get_running_loop().call_soon(take_long)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        during, after = self.run_slow(main)
        first, *stack = during.splitlines()
        self.assertRegex(first, r"^<Handle take_long\(\).* has been running for 0\.\d+ seconds, and is here:$")
        # The callback alone, and not what runs the loop.
        self.assertEqual(len(stack), 2)
        self.assertRegex(stack[0], r'^  File ".*test-package-watchdog\.py", line \d+, in take_long$')
        self.assertEqual(stack[1].strip(), "time.sleep(SLOW)")
        self.assertRegex(after, r"^Executing <Handle take_long\(\).* took 0\.\d+ seconds$")

    def test_task(self):
        async def inner():
            take_long()

        async def main():
            await asyncio.create_task(inner(), name="the slow one")

        during, after = self.run_slow(main)
        self.assertIn("the slow one", during)
        self.assertEqual([line.split(", in ")[1] for line in during.splitlines() if ", in " in line],
                         ["inner", "take_long"])
        self.assertIn("the slow one", after)

    def test_protocol(self):
        for point in ("connection_made", "data_received", "eof_received", "connection_lost"):
            async def main():
                ours, theirs = socket.socketpair()
                with theirs:
                    _, protocol = await asyncio.get_running_loop().create_connection(lambda: Sleeper(point), sock=ours)
                    theirs.send(b"x")
                    await asyncio.sleep(0.01)
                    theirs.shutdown(socket.SHUT_WR)
                    await protocol.is_lost

            with self.subTest(point):
                during, after = self.run_slow(main)
                self.assertRegex(during, r"Sleeper object at .* has been running for")
                self.assertIn(f", in {point}\n", during)
                self.assertRegex(after, r"^Executing .*Sleeper object at .* took 0\.\d+ seconds$")

    def test_once(self):
        """However long it takes."""
        async def main():
            time.sleep(10 * DURATION)

        self.assertEqual(len(self.run_slow(main)), 2)

    def test_each(self):
        async def main():
            for _ in range(3):
                time.sleep(3 * DURATION)
                await asyncio.sleep(0)

        self.assertEqual(len(self.run_slow(main)), 6)

    def test_waiting_is_not_slow(self):
        async def main():
            await asyncio.sleep(3 * DURATION)

        self.assertEqual(self.run_slow(main), [])

    def test_long_duration(self):
        for duration in (10, float("inf")):
            self.assertEqual(self.run_slow(lambda: asyncio.to_thread(take_long), duration=duration), [])

    def test_nested_loop(self):
        """A main loop that a callback runs has turns of its own; the callback goes on being one."""
        from gi.repository import GLib

        async def main():
            inner = GLib.MainLoop()
            GLib.timeout_add(int(SLOW * 1000), inner.quit)
            inner.run()

        during, after = self.run_slow(main)
        self.assertIn("inner.run()", during)
        self.assertIn("Executing <Task", after)

    def test_no_debug(self):
        async def main():
            self.assertNotIn("libloop watchdog", [thread.name for thread in threading.enumerate()])
            take_long()

        self.assertEqual(self.run_slow(main, debug=False), [])

    def test_ends_with_the_loop(self):
        loop = libloop.new_event_loop()
        loop.set_debug(True)
        loop.call_soon(loop.stop)
        loop.run_forever()
        self.assertNotIn("libloop watchdog", [thread.name for thread in threading.enumerate()])
        loop.close()

    def is_watched(self):
        return "libloop watchdog" in [thread.name for thread in threading.enumerate()]

    def test_switched_while_it_runs(self):
        async def main():
            loop = asyncio.get_running_loop()
            self.assertFalse(self.is_watched())
            for _ in range(2):
                loop.set_debug(True)
                self.assertTrue(self.is_watched())
                await asyncio.sleep(0)
                take_long()
                await asyncio.sleep(0)
                loop.set_debug(False)
                self.assertFalse(self.is_watched())
                await asyncio.sleep(0)
                take_long()
                await asyncio.sleep(0)

        logged = self.run_slow(main, debug=False)
        self.assertEqual(len(logged), 4)
        for during, after in zip(logged[::2], logged[1::2]):
            self.assertIn(", in take_long\n", during)
            self.assertIn("Executing <Task", after)

    def test_foreign_context(self):
        """Somebody else iterates it, and calls what is slow."""
        from gi.repository import GLib

        context = GLib.MainContext.new()
        for debug_first in (True, False):
            with self.assertLogs("asyncio", logging.WARNING) as logs:
                loop = libloop.new_event_loop(context)
                self.assertFalse(self.is_watched())
                done = []
                loop.slow_callback_duration = DURATION
                if debug_first:
                    loop.set_debug(True)
                loop.call_soon(loop.set_debug, True)
                loop.call_later(0.01, take_long)
                loop.call_later(0.02, done.append, None)
                while not done:
                    context.iteration(True)
                self.assertTrue(self.is_watched())
                loop.close()
                self.assertFalse(self.is_watched())
            during, after = [record.getMessage() for record in logs.records]
            self.assertRegex(during, "(?s)^<TimerHandle .*take_long.* has been running for .*, in take_long\n")
            self.assertIn("Executing <TimerHandle", after)

    def test_loop_that_is_not_closed(self):
        """Of which the thread ends, and which nobody has any more."""
        from gi.repository import GLib

        context = GLib.MainContext.new()

        def run():
            loop = libloop.new_event_loop(context)
            loop.set_debug(True)
            self.assertTrue(self.is_watched())

        with self.assertWarnsRegex(ResourceWarning, "unclosed event loop"):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            end = time.monotonic() + 5
            while self.is_watched() and time.monotonic() < end:
                time.sleep(0.01)
        self.assertFalse(self.is_watched())

    def test_end_of_the_interpreter(self):
        """It may find a loop that is watched, and close it at the very last."""
        program = """if True:
            import sys, libloop
            from gi.repository import GLib
            loop = libloop.new_event_loop(GLib.MainContext.new())
            loop.set_debug(True)

            class Last:
                def __del__(self):
                    loop.close()
                    print(sys.is_finalizing())

            sys.modules["last"] = Last()
            """
        result = subprocess.run([sys.executable, "-c", program], timeout=60, check=True, text=True,
                                stdout=subprocess.PIPE)
        self.assertEqual(result.stdout, "True\n")

    def test_nothing_is_kept(self):
        import gc
        import weakref

        class Callback:
            def __call__(self):
                time.sleep(2 * DURATION)

        async def main():
            callback = Callback()
            asyncio.get_running_loop().call_soon(callback)
            gone.append(weakref.ref(callback))
            del callback
            await asyncio.sleep(0.2)
            gc.collect()
            self.assertIsNone(gone[0]())

        gone = []
        # While assertLogs keeps the records, whose arguments are texts.
        self.assertEqual(len(self.run_slow(main)), 2)


class TestSettings(unittest.TestCase):
    """They are libloop's and asyncio's at once."""

    def setUp(self):
        self.loop = libloop.new_event_loop()
        self.addCleanup(self.loop.close)

    def test_duration(self):
        self.assertEqual(self.loop.slow_callback_duration, 0.1)
        for value in (0.25, 3, 0, 1e-9, float("inf")):
            self.loop.slow_callback_duration = value
            self.assertEqual(self.loop.slow_callback_duration, value)
        self.loop.slow_callback_duration = -1
        self.assertEqual(self.loop.slow_callback_duration, 0)
        for value, error in ((float("nan"), ValueError), ("1", TypeError), (None, TypeError)):
            with self.assertRaises(error):
                self.loop.slow_callback_duration = value
        with self.assertRaises(AttributeError):
            del self.loop.slow_callback_duration
        self.assertEqual(self.loop.slow_callback_duration, 0)

    def test_debug(self):
        for value in (True, False, 1, [], "yes"):
            self.loop.set_debug(value)
            self.assertIs(self.loop.get_debug(), bool(value))
        with self.assertRaises(AttributeError):
            del self.loop._debug
        self.assertIs(self.loop.get_debug(), True)

    def test_environment(self):
        program = "import libloop; print(libloop.new_event_loop().get_debug())"
        for name, value, expected in (("LOOP_DEBUG", "1", "True"), ("PYTHONASYNCIODEBUG", "1", "True"),
                                      ("LOOP_DEBUG", "", "False")):
            environment = {**os.environ, "PYTHONWARNINGS": "ignore", "LOOP_DEBUG": "", name: value}
            self.assertEqual(subprocess.run([sys.executable, "-c", program], env=environment, text=True,
                                            stdout=subprocess.PIPE, check=True).stdout.strip(), expected)


if __name__ == "__main__":
    tap.main()
