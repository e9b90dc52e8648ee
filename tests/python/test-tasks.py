# SPDX-License-Identifier: LGPL-2.1-or-later
"""Coroutines of Python's as tasks, what combines them, and what they wait for."""

import asyncio
import contextvars
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402


class TaskCase(unittest.TestCase):
    def setUp(self):
        self.reports = []
        self.loop = Loop.EventLoop()
        self.loop.set_exception_handler(lambda loop, context: self.reports.append(context))

    def tearDown(self):
        self.loop.close()
        self.assertEqual(self.reports, [])

    def run_in_task(self, coro):
        return self.loop.run_until_complete(coro)


async def answer(value, delay=0):
    await Loop.sleep(delay)
    return value


async def fail(exception, delay=0):
    await Loop.sleep(delay)
    raise exception


class TestTasks(TaskCase):
    def test_results(self):
        for value in (None, True, 7, 2**80, -1.5, "text", "a\0b", "\udc80", b"bytes", (1, [2]), {}, KeyError("x"), int):
            with self.subTest(value=value):
                result = self.run_in_task(answer(value))
                self.assertEqual(type(result), type(value))
                self.assertTrue(result is value or result == value)

    def test_exception(self):
        error = KeyError("no luck")
        with self.assertRaises(KeyError) as caught:
            self.run_in_task(fail(error))
        self.assertIs(caught.exception, error)

    def test_cause_and_context_stay(self):
        async def main():
            try:
                raise OSError("first")
            except OSError as first:
                raise ValueError("second") from first

        with self.assertRaises(ValueError) as caught:
            self.run_in_task(main())
        self.assertEqual(str(caught.exception.__cause__), "first")
        self.assertIs(caught.exception.__context__, caught.exception.__cause__)

    def test_names(self):
        async def main():
            task = Loop.current_task()
            return task.get_name(), task in Loop.all_tasks(), self.loop.get_current_task() is task

        task = self.loop.create_task(main(), name="first")
        self.assertEqual(self.loop.all_tasks(), [task])
        self.assertEqual(self.loop.run_until_complete(task), ("first", True, True))
        task.set_name("second")
        self.assertEqual(task.get_name(), "second")
        self.assertGreater(task.get_id(), 0)
        self.assertIs(task.get_loop(), self.loop)
        self.assertIsNone(task.get_coro())
        self.assertIsNone(task.get_coroutine())
        self.assertEqual(self.loop.all_tasks(), [])

    def test_cancel(self):
        seen = []

        async def stubborn():
            try:
                await Loop.sleep(10)
            except asyncio.CancelledError as error:
                seen.append(error.args)
                await Loop.sleep(0)
                raise

        task = self.loop.create_task(stubborn())
        self.loop.call_soon(self.loop.call_soon, task.cancel, "enough")
        with self.assertRaises(asyncio.CancelledError):
            self.loop.run_until_complete(task)
        self.assertTrue(task.cancelled())
        self.assertEqual(seen, [("enough",)])
        self.assertEqual(task.get_cancel_message(), "enough")
        self.assertEqual(task.cancelling(), 1)
        self.assertEqual(task.uncancel(), 0)
        with self.assertRaises(asyncio.CancelledError):
            task.exception()

    def test_cancelled_before_it_began(self):
        task = self.loop.create_task(answer(1))
        task.cancel()
        with self.assertRaises(asyncio.CancelledError) as caught:
            self.loop.run_until_complete(task)
        self.assertEqual(caught.exception.args, ())

    def test_bare_yield_and_bad_yield(self):
        class Once:
            def __init__(self, value):
                self.value = value

            def __await__(self):
                yield self.value

        async def main():
            await Once(None)
            with self.assertRaisesRegex(RuntimeError, "futures of libloop only"):
                await Once(42)
            return "through"

        self.assertEqual(self.run_in_task(main()), "through")

    def test_task_factory(self):
        made = []

        def factory(loop, coro):
            made.append(coro)
            return Loop.Task.new(loop, coro)

        self.loop.set_task_factory(factory)
        self.assertIs(self.loop.get_task_factory(), factory)
        coro = answer(5)
        self.assertEqual(self.run_in_task(coro), 5)
        self.assertEqual(made, [coro])
        self.loop.set_task_factory(None)
        self.assertIsNone(self.loop.get_task_factory())
        self.assertEqual(self.run_in_task(answer(6)), 6)
        self.assertEqual(len(made), 1)

    def test_context_variables(self):
        variable = contextvars.ContextVar("variable", default="none")

        async def main():
            variable.set("task")
            await Loop.sleep(0)
            seen = []
            self.loop.call_soon(lambda: seen.append(variable.get()))
            await Loop.sleep(0.001)
            return seen

        self.assertEqual(self.run_in_task(main()), ["task"])
        self.assertEqual(variable.get(), "none")

    def test_exit_ends_the_run(self):
        with self.assertRaises(SystemExit):
            self.run_in_task(fail(SystemExit(3)))
        self.loop.call_soon(self.raise_interrupt)
        with self.assertRaises(KeyboardInterrupt):
            self.loop.run_forever()
        self.assertEqual(self.run_in_task(answer(1)), 1)

    def raise_interrupt(self):
        raise KeyboardInterrupt

    def test_errors(self):
        for wrong in (None, 42, answer):
            with self.assertRaises(TypeError):
                self.loop.create_task(wrong)
            with self.assertRaises((TypeError, RuntimeError)):
                Loop.ensure_future(wrong)
        with self.assertRaises(TypeError):
            Loop.Future()
        with self.assertRaises(RuntimeError):
            Loop.get_running_loop()
        with self.assertRaises(RuntimeError):
            Loop.timeout(1)
        closed = Loop.EventLoop()
        closed.close()
        with self.assertRaises(RuntimeError):
            closed.create_task(answer(1))


class TestTogether(TaskCase):
    def test_gather(self):
        async def main():
            self.assertEqual(await Loop.gather(answer(1, 0.002), answer("x"), answer((1,))), [1, "x", (1,)])
            error = KeyError("one")
            outcomes = await Loop.gather(answer(1), fail(error), return_exceptions=True)
            self.assertEqual(outcomes, [1, error])
            with self.assertRaises(KeyError) as caught:
                await Loop.gather(answer(1), fail(error))
            self.assertIs(caught.exception, error)
            self.assertEqual(await Loop.gather(), [])

        self.run_in_task(main())

    def test_wait(self):
        async def main():
            quick, slow = Loop.ensure_future(answer(1)), Loop.ensure_future(answer(2, 10))
            done, pending = await Loop.wait([quick, slow], return_when=Loop.FIRST_COMPLETED)
            self.assertEqual((done, pending), ({quick}, {slow}))
            done, pending = await Loop.wait({slow}, timeout=0.001)
            self.assertEqual((done, pending), (set(), {slow}))
            slow.cancel()
            self.assertEqual(await Loop.wait([slow], return_when=Loop.ALL_COMPLETED), ({slow}, set()))
            with self.assertRaises(ValueError):
                await Loop.wait([])

        self.run_in_task(main())

    def test_wait_for_and_shield(self):
        async def main():
            self.assertEqual(await Loop.wait_for(answer(1), 10), 1)
            self.assertEqual(await Loop.wait_for(answer(1), None), 1)
            with self.assertRaises(TimeoutError):
                await Loop.wait_for(answer(1, 10), 0.001)
            with self.assertRaises(KeyError):
                await Loop.wait_for(fail(KeyError()), 10)
            inner = Loop.ensure_future(answer(1, 0.005))
            outer = Loop.shield(inner)
            outer.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await outer
            self.assertEqual(await inner, 1)

        self.run_in_task(main())

    def test_timeout(self):
        async def main():
            with self.assertRaises(TimeoutError):
                async with Loop.timeout(0.001) as limit:
                    await Loop.sleep(10)
            self.assertTrue(limit.expired())
            with self.assertRaises(RuntimeError):
                limit.reschedule(None)
            async with Loop.timeout_at(self.loop.time() + 10) as limit:
                self.assertAlmostEqual(limit.when(), self.loop.time() + 10, delta=5)
                limit.reschedule(None)
                await Loop.sleep(0)
            self.assertFalse(limit.expired())
            with self.assertRaises(KeyError):
                async with Loop.timeout(None):
                    raise KeyError
            self.assertEqual(Loop.current_task().cancelling(), 0)

        self.run_in_task(main())

    def test_timeout_leaves_others_cancellation(self):
        async def main():
            async with Loop.timeout(10):
                Loop.current_task().cancel()
                await Loop.sleep(10)

        with self.assertRaises(asyncio.CancelledError):
            self.run_in_task(main())

    def test_task_group(self):
        async def main():
            async with Loop.TaskGroup() as group:
                tasks = [group.create_task(answer(i, 0.001)) for i in range(3)]
            self.assertEqual([task.result() for task in tasks], [0, 1, 2])
            with self.assertRaises(RuntimeError):
                group.create_task(answer(1))

            error = KeyError("one of them")
            with self.assertRaises(ExceptionGroup) as caught:
                async with Loop.TaskGroup() as group:
                    other = group.create_task(answer(1, 10))
                    group.create_task(fail(error))
                    await Loop.sleep(10)
            self.assertEqual(caught.exception.exceptions, (error,))
            self.assertTrue(other.cancelled())
            self.assertEqual(Loop.current_task().cancelling(), 0)

            with self.assertRaises(ExceptionGroup) as caught:
                async with Loop.TaskGroup() as group:
                    other = group.create_task(answer(1, 10))
                    raise error
            self.assertEqual(caught.exception.exceptions, (error,))
            self.assertTrue(other.cancelled())

        self.run_in_task(main())

    def test_task_group_cancelled(self):
        async def main():
            async with Loop.TaskGroup() as group:
                group.create_task(answer(1, 10))

        task = self.loop.create_task(main())
        self.loop.call_later(0.002, task.cancel)
        with self.assertRaises(asyncio.CancelledError):
            self.loop.run_until_complete(task)


class TestPrimitives(TaskCase):
    def test_with(self):
        async def main():
            lock, condition, semaphore = Loop.Lock(), Loop.Condition(), Loop.Semaphore(2)
            bounded, barrier, event = Loop.BoundedSemaphore(), Loop.Barrier(2), Loop.Event()
            for held in (lock, condition):
                async with held:
                    self.assertTrue(held.locked())
                self.assertFalse(held.locked())
            async with semaphore:
                self.assertEqual(semaphore.get_value(), 1)
            with self.assertRaises(RuntimeError):
                bounded.release()
            with self.assertRaises(RuntimeError):
                lock.release()

            async def at_barrier():
                async with barrier as position:
                    return position

            self.assertEqual(await Loop.gather(at_barrier(), at_barrier()), [0, 1])
            self.assertEqual((barrier.parties, barrier.n_waiting, barrier.broken), (2, 0, False))
            barrier.abort()
            with self.assertRaises(asyncio.BrokenBarrierError):
                await barrier.wait()

            self.loop.call_soon(event.set)
            self.assertTrue(await event.wait())
            shared = Loop.Condition(lock)
            async with shared:
                self.assertTrue(lock.locked())
                shared.notify()

            with self.assertRaises(ZeroDivisionError):
                async with condition:
                    await condition.wait_for(lambda: 1 / 0)

        self.run_in_task(main())

    def test_queues(self):
        async def main():
            items = [(2, "b"), (1, "a"), (3, "c")]
            for kind, expected in (
                (Loop.Queue, items),
                (Loop.LifoQueue, items[::-1]),
                (Loop.PriorityQueue, sorted(items)),
            ):
                queue = kind(3)
                for item in items:
                    await queue.put(item)
                self.assertTrue(queue.full())
                self.assertEqual((queue.qsize(), queue.maxsize), (3, 3))
                with self.assertRaises(asyncio.QueueFull):
                    queue.put_nowait((4, "d"))
                self.assertEqual([await queue.get(), queue.get_nowait(), await queue.get()], expected)
                self.assertTrue(queue.empty())
                with self.assertRaises(asyncio.QueueEmpty):
                    queue.get_nowait()
                self.assertEqual((queue.get_size(), queue.get_maxsize(), queue.is_empty()), (0, 3, True))

            queue = Loop.PriorityQueue()
            queue.put_nowait("text")
            queue.put_nowait(1)

        self.run_in_task(main())
        self.assertEqual([type(context["exception"]) for context in self.reports], [TypeError])
        self.reports.clear()


tap.main()
