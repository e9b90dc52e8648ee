// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Executors run no JavaScript, which has one thread. The rest of them works.

import Gio from 'gi://Gio';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';
import { contexts, withLoop } from './loops.js';

covers ('Executor', 'ThreadPoolExecutor', 'EventLoop.run_in_executor', 'EventLoop.set_default_executor',
        'EventLoop.shutdown_default_executor');

for (const [name, context] of Object.entries (contexts))
  {
    test (`thread pool, ${name} context`, () => withLoop (context, loop => {
      const pool = Loop.ThreadPoolExecutor.new (3, 'worker');

      assertEqual (pool.get_max_workers (), 3);
      assertEqual (pool.get_thread_name_prefix (), 'worker');
      assertEqual (pool.get_n_workers () + pool.get_n_idle () + pool.get_queue_depth (), 0);
      assertEqual (new Loop.ThreadPoolExecutor ({ max_workers: 2 }).max_workers, 2);

      loop.set_default_executor (pool);
      assertThrows (() => loop.run_in_executor (null, () => 1), Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED);
      assertThrows (() => pool.submit (loop, () => 1), Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_SUPPORTED);
      assertThrows (() => Loop.Executor.prototype.submit.call (pool, loop, () => 1), Gio.IOErrorEnum,
                    Gio.IOErrorEnum.NOT_SUPPORTED);
      assertEqual (loop.run_until_complete (loop.shutdown_default_executor (-1)), null);
      pool.shutdown (true, true);
      assert (pool instanceof Loop.Executor);
    }));
  }

done ();
