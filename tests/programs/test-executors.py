# SPDX-License-Identifier: LGPL-2.1-or-later
"""What asyncio itself has for work elsewhere: child processes, threads and pools of them."""

import asyncio
import concurrent.futures
import contextvars
import multiprocessing.resource_tracker
import os
import signal
import subprocess
import threading
import time

import tap
from programs import PATIENCE, Case, random_bytes, sha256

LARGE = random_bytes(3 << 20)
PIPE = subprocess.PIPE


def square(number):
    return number * number


def fail(text):
    raise ValueError(text)


class TestSubprocess(Case):
    def test_communicate(self):
        async def main():
            process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
            out, err = await process.communicate(LARGE)
            self.assertEqual((sha256(out), err, process.returncode), (sha256(LARGE), None, 0))
            process = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 7", stdout=PIPE, stderr=PIPE)
            self.assertEqual(await process.communicate(), (b"out\n", b"err\n"))
            self.assertEqual(process.returncode, 7)

        self.run_loop(main())

    def test_streams(self):
        """A conversation, line by line."""
        async def main():
            process = await asyncio.create_subprocess_shell("while read n; do echo $((n * n)); done",
                                                            stdin=PIPE, stdout=PIPE)
            for number in range(100):
                process.stdin.write(f"{number}\n".encode())
                await process.stdin.drain()
                self.assertEqual(await process.stdout.readline(), f"{square(number)}\n".encode())
            process.stdin.close()
            self.assertEqual(await process.wait(), 0)
            self.assertEqual(await process.stdout.read(), b"")

        self.run_loop(main())

    def test_many(self):
        async def main():
            async def run(number):
                process = await asyncio.create_subprocess_exec("sh", "-c", f"echo {number}; exit {number}", stdout=PIPE)
                return (await process.communicate())[0], process.returncode

            self.assertEqual(await asyncio.gather(*map(run, range(40))),
                             [(f"{number}\n".encode(), number) for number in range(40)])

        self.run_loop(main())

    def test_signals(self):
        async def main():
            for send, number in ((lambda process: process.kill(), signal.SIGKILL),
                                 (lambda process: process.terminate(), signal.SIGTERM),
                                 (lambda process: process.send_signal(signal.SIGUSR1), signal.SIGUSR1)):
                process = await asyncio.create_subprocess_exec("sleep", "60")
                send(process)
                self.assertEqual(await process.wait(), -number)
                with self.assertRaises(ProcessLookupError):
                    process.kill()

        self.run_loop(main())

    def test_timeout(self):
        async def main():
            process = await asyncio.create_subprocess_exec("sleep", "60", stdout=PIPE)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(process.communicate(), 0.05)
            process.kill()
            self.assertEqual(await process.wait(), -signal.SIGKILL)

        self.run_loop(main())

    def test_not_found(self):
        async def main():
            with self.assertRaises(FileNotFoundError):
                await asyncio.create_subprocess_exec(self.path("nothing"))
            with self.assertRaises(PermissionError):
                await asyncio.create_subprocess_exec(self.write_file("plain", ""))

        self.run_loop(main())

    def test_in_thread(self):
        """A loop that is not the main thread's has children too."""
        results = []
        thread = threading.Thread(target=lambda: results.append(self.run_loop(self.echo())))
        thread.start()
        thread.join()
        self.assertEqual(results, [b"hello\n"])

    @staticmethod
    async def echo():
        process = await asyncio.create_subprocess_exec("echo", "hello", stdout=PIPE)
        return (await process.communicate())[0]


class TestSubprocessDebugged(TestSubprocess):
    is_debug = True


class TestThreads(Case):
    variable = contextvars.ContextVar("variable", default="")

    def test_to_thread(self):
        async def main():
            self.variable.set("of the task")

            def work(number):
                return threading.current_thread() is threading.main_thread(), self.variable.get(), number

            self.assertEqual(await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(50))),
                             [(False, "of the task", number) for number in range(50)])
            with self.assertRaisesRegex(ValueError, "planted"):
                await asyncio.to_thread(fail, "planted")

        self.run_loop(main())

    def test_loop_goes_on(self):
        async def main():
            ticks = 0
            sleeping = asyncio.create_task(asyncio.to_thread(time.sleep, 0.2))
            while not sleeping.done():
                await asyncio.sleep(0.001)
                ticks += 1
            self.assertGreater(ticks, 10)

        self.run_loop(main())

    def test_pool(self):
        async def main():
            loop = asyncio.get_running_loop()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                results = await asyncio.gather(*(loop.run_in_executor(pool, square, n) for n in range(1000)))
                self.assertEqual(results, list(map(square, range(1000))))
                with self.assertRaisesRegex(ValueError, "planted"):
                    await loop.run_in_executor(pool, fail, "planted")

        self.run_loop(main())

    def test_cancelled(self):
        """Work that nobody waits for any more is done all the same, and its end disturbs nobody."""
        async def main():
            done = threading.Event()
            may_end = threading.Event()
            task = asyncio.create_task(asyncio.to_thread(lambda: (may_end.wait(PATIENCE), done.set())))
            await asyncio.sleep(0.05)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            may_end.set()
            self.assertTrue(await asyncio.to_thread(done.wait, PATIENCE))

        self.run_loop(main())

    def test_coroutine_from_thread(self):
        async def main():
            loop = asyncio.get_running_loop()

            def work():
                return asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01, "slept"), loop).result(PATIENCE)

            self.assertEqual(await asyncio.gather(*(asyncio.to_thread(work) for _ in range(5))), 5 * ["slept"])

        self.run_loop(main())


class TestThreadsDebugged(TestThreads):
    is_debug = True


class TestProcessPool(Case):
    def check(self, method):
        async def main():
            loop = asyncio.get_running_loop()
            with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
                self.assertEqual(await asyncio.gather(*(loop.run_in_executor(pool, square, n) for n in range(100))),
                                 list(map(square, range(100))))
                self.assertNotEqual(await loop.run_in_executor(pool, os.getpid), os.getpid())
                with self.assertRaisesRegex(ValueError, "planted"):
                    await loop.run_in_executor(pool, fail, "planted")
                with self.assertRaises(concurrent.futures.process.BrokenProcessPool):
                    await loop.run_in_executor(pool, os._exit, 3)
                # The loop has not noticed.
                self.assertEqual(await asyncio.to_thread(square, 3), 9)

        self.run_loop(main())
        # That looks after semaphores until the interpreter ends.
        multiprocessing.resource_tracker._resource_tracker._stop()

    def test_fork(self):
        self.check("fork")

    def test_spawn(self):
        self.check("spawn")


if __name__ == "__main__":
    tap.main()
