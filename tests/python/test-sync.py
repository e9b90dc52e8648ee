# SPDX-License-Identifier: LGPL-2.1-or-later
"""Locks, events, conditions, semaphores, barriers and queues through introspection."""

import contextlib
import gc
import sys
import unittest
import weakref

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Gio, GLib, Loop  # noqa: E402


class SyncCase(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop.new()

    def tearDown(self):
        self.loop.close()

    def wait_for(self, future):
        return self.loop.run_until_complete(future)

    @contextlib.contextmanager
    def assert_error(self, code, domain=None):
        with self.assertRaises(GLib.Error) as caught:
            yield
        self.assertTrue(caught.exception.matches(domain or Loop.error_quark(), code), caught.exception)


class TestLock(SyncCase):
    def test_lock(self):
        lock = Loop.Lock.new(self.loop)
        self.assertTrue(self.wait_for(lock.acquire()))
        self.assertTrue(lock.locked())
        waiting = [lock.acquire() for _ in range(3)]
        waiting[0].cancel()
        lock.release()
        self.assertTrue(self.wait_for(waiting[1]))
        self.assertFalse(waiting[2].done())
        lock.release()
        lock.release()
        self.assertFalse(lock.locked())
        with self.assert_error(Loop.Error.INVALID_STATE):
            lock.release()

    def test_temporary_future(self):
        """The lock keeps a future that only another one waits for."""
        lock = Loop.Lock.new(self.loop)
        self.wait_for(lock.acquire())
        limited = Loop.wait_for(lock.acquire(), 10)
        gc.collect()
        self.loop.call_soon(lock.release)
        self.assertTrue(self.wait_for(limited))
        self.assertTrue(lock.locked())
        with self.assert_error(Gio.IOErrorEnum.TIMED_OUT, Gio.io_error_quark()):
            self.wait_for(Loop.wait_for(lock.acquire(), 0.001))

    def test_closed(self):
        lock = Loop.Lock.new(self.loop)
        self.loop.close()
        with self.assert_error(Loop.Error.CLOSED):
            lock.acquire().result()


class TestEvent(SyncCase):
    def test_event(self):
        event = Loop.Event.new(self.loop)
        seen = []
        for i in range(3):
            event.wait().add_done_callback(lambda future, i=i: seen.append(i))
        self.assertFalse(event.is_set())
        self.loop.call_soon(event.set)
        self.assertTrue(self.wait_for(event.wait()))
        self.assertEqual(seen, [0, 1, 2])
        self.assertTrue(event.is_set())
        event.clear()
        self.assertFalse(event.wait().done())

    def test_freed(self):
        event = Loop.Event.new(self.loop)
        weak = weakref.ref(event)
        future = event.wait()
        del event
        gc.collect()
        self.assertIsNone(weak())
        self.assertTrue(future.cancelled())


class TestCondition(SyncCase):
    def test_condition(self):
        condition = Loop.Condition.new(self.loop, None)
        with self.assert_error(Loop.Error.INVALID_STATE):
            condition.notify(1)
        with self.assert_error(Loop.Error.INVALID_STATE):
            condition.wait().result()
        self.wait_for(condition.acquire())
        waiting = condition.wait()
        self.assertFalse(condition.locked())
        self.wait_for(condition.acquire())
        condition.notify(1)
        self.assertFalse(waiting.done())
        condition.release()
        self.assertTrue(self.wait_for(waiting))
        self.assertTrue(condition.locked())

    def test_wait_for(self):
        condition = Loop.Condition.new(self.loop, Loop.Lock.new(self.loop))
        items = []

        def enough(n):
            return len(items) >= n

        async def add():
            for item in range(2):
                await condition.acquire()
                items.append(item)
                condition.notify_all()
                condition.release()

        before = sys.getrefcount(enough)
        self.wait_for(condition.acquire())
        waiting = self.loop.create_task(condition.wait_for(lambda: enough(2)))
        adding = self.loop.create_task(add())
        self.assertTrue(self.wait_for(waiting))
        self.assertTrue(adding.done())
        self.assertEqual(items, [0, 1])
        self.assertTrue(condition.locked())
        gc.collect()
        self.assertEqual(sys.getrefcount(enough), before)


class TestSemaphore(SyncCase):
    def test_semaphore(self):
        semaphore = Loop.Semaphore.new_bounded(self.loop, 2)
        for _ in range(2):
            self.wait_for(semaphore.acquire())
        self.assertTrue(semaphore.locked())
        waiting = semaphore.acquire()
        self.loop.call_soon(semaphore.release)
        self.assertTrue(self.wait_for(waiting))
        semaphore.release()
        semaphore.release()
        self.assertEqual(semaphore.get_value(), 2)
        with self.assert_error(Loop.Error.INVALID_STATE):
            semaphore.release()
        unbounded = Loop.Semaphore.new(self.loop, 0)
        unbounded.release()
        self.assertEqual(unbounded.get_value(), 1)


class TestBarrier(SyncCase):
    def test_barrier(self):
        barrier = Loop.Barrier.new(self.loop, 3)
        self.assertEqual(barrier.get_parties(), 3)
        waiting = [barrier.wait() for _ in range(2)]
        self.assertEqual(barrier.get_n_waiting(), 2)
        waiting.append(barrier.wait())
        self.assertEqual([self.wait_for(future) for future in waiting], [0, 1, 2])
        waiting = barrier.wait()
        barrier.abort()
        self.assertTrue(barrier.is_broken())
        for future in (waiting, barrier.wait()):
            with self.assert_error(Loop.Error.BROKEN_BARRIER):
                future.result()
        barrier.reset()
        self.assertFalse(barrier.is_broken())


class TestQueue(SyncCase):
    def test_fifo(self):
        queue = Loop.Queue.new(self.loop, 4)
        items = ["text", 1, 2.5, None]
        for item in items:
            self.wait_for(queue.put(item))
        self.assertTrue(queue.is_full())
        with self.assert_error(Loop.Error.QUEUE_FULL):
            queue.put_nowait(5)
        putter = queue.put("late")
        self.assertFalse(putter.done())
        self.assertEqual([self.wait_for(queue.get()) for _ in items], items)
        self.assertTrue(putter.done())
        self.assertEqual(queue.get_nowait(), "late")
        with self.assert_error(Loop.Error.QUEUE_EMPTY):
            queue.get_nowait()
        joined = queue.join()
        for _ in range(5):
            self.assertFalse(joined.done())
            queue.task_done()
        self.wait_for(joined)
        with self.assert_error(Loop.Error.INVALID_STATE):
            queue.task_done()

    def test_lifo(self):
        queue = Loop.Queue.new_lifo(self.loop, 0)
        for i in range(3):
            queue.put_nowait(i)
        self.assertEqual(queue.get_kind(), Loop.QueueKind.LIFO)
        self.assertEqual([queue.get_nowait() for _ in range(3)], [2, 1, 0])

    def test_priority(self):
        queue = Loop.Queue.new_priority(self.loop, 0, lambda a, b: a - b)
        for i in (3, 1, 2):
            queue.put_nowait(i)
        self.assertEqual([queue.get_nowait() for _ in range(3)], [1, 2, 3])

    def test_any_object(self):
        class Item:
            pass

        item = Item()
        weak = weakref.ref(item)
        queue = Loop.Queue.new(self.loop, 0)
        queue.put_nowait(item)
        del item
        gc.collect()
        self.assertIs(queue.get_nowait(), weak())
        gc.collect()
        self.assertIsNone(weak())

    def test_shutdown(self):
        queue = Loop.Queue.new(self.loop, 0)
        queue.put_nowait(1)
        queue.shutdown(False)
        self.assertEqual(self.wait_for(queue.get()), 1)
        with self.assert_error(Loop.Error.QUEUE_SHUT_DOWN):
            self.wait_for(queue.get())
        with self.assert_error(Loop.Error.QUEUE_SHUT_DOWN):
            queue.put_nowait(1)


tap.main()
