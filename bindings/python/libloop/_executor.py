# SPDX-License-Identifier: LGPL-2.1-or-later
"""The default executor of a loop: threads, with what passes between them and the loop in C."""

import atexit
import os
import threading
import weakref
from concurrent.futures import Executor, Future

import _libloop

# As many as concurrent.futures.ThreadPoolExecutor has by default.
MAX_THREADS = min(32, (os.cpu_count() or 1) + 4)

_executors = weakref.WeakSet()


class DefaultExecutor(Executor):
    """Runs functions in threads, which are started when they are needed and then stay."""

    def __init__(self):
        self._queue = _libloop.JobQueue()
        self._threads = []
        _executors.add(self)

    def run(self, loop, function, args):
        """Call a function in a thread, and return a future of the loop."""
        future = loop.create_future()
        if self._queue.add(loop, future, function, args):
            self._start_thread()
        return future

    def submit(self, fn, /, *args, **kwargs):
        """Call a function in a thread, and return a concurrent.futures.Future."""
        future = Future()

        def work():
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        if self._queue.add(None, None, work, ()):
            self._start_thread()
        return future

    def _start_thread(self):
        if len(self._threads) < MAX_THREADS:
            # What it holds is the queue: an executor that nobody has any more lets its threads end.
            thread = threading.Thread(target=self._queue.work, name=f"asyncio_{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Take no more functions, and end the threads once they have done what there is."""
        self._queue.shutdown(cancel_futures)
        if wait:
            for thread in self._threads:
                thread.join()

    def __del__(self):
        self._queue.shutdown(False)


@atexit.register
def _shut_down_all():
    # What was begun is ended, as with threads of concurrent.futures.
    for executor in list(_executors):
        executor.shutdown()
