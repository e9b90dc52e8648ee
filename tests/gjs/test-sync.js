// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Locks and queues, for promises and for tasks.

import Gio from 'gi://Gio';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';
import { contexts, withLoop } from './loops.js';

covers ('Lock', 'Event', 'Condition', 'Semaphore', 'Barrier', 'Queue');

for (const [name, context] of Object.entries (contexts))
  {
    test (`lock, ${name} context`, () => withLoop (context, loop => {
      const lock = new Loop.Lock (loop);
      const seen = [];

      async function hold (who)
      {
        await lock.acquire ();
        seen.push (`${who} in`);
        await Loop.sleep (loop, 0.001);
        seen.push (`${who} out`);
        lock.release ();
      }
      loop.run_until_complete (Loop.gather (loop, [() => hold ('a'), () => hold ('b'), () => hold ('c')]));
      assertEqual (seen.join (), 'a in,a out,b in,b out,c in,c out');
      assert (!lock.locked ());
      assertThrows (() => lock.release (), Loop.Error, Loop.Error.INVALID_STATE);
      assert (!Loop.Lock.new (loop).locked ());
    }));

    test (`event, ${name} context`, () => withLoop (context, loop => {
      const event = new Loop.Event (loop);
      let n = 0;

      const waiters = [1, 2, 3].map (() => loop.create_task (async () => { await event.wait (); n++; }));
      loop.call_later (0.001, () => event.set ());
      loop.run_until_complete (Loop.gather (loop, waiters));
      assertEqual (n, 3);
      assert (event.is_set ());
      event.clear ();
      assert (!event.is_set () && !Loop.Event.new (loop).is_set ());
    }));

    test (`condition, ${name} context`, () => withLoop (context, (loop, reports) => {
      const condition = new Loop.Condition (loop, null);
      let value = 0;

      async function wait ()
      {
        await condition.acquire ();
        assert (condition.locked ());
        await condition.wait ();
        await condition.wait_for (() => value === 2);
        condition.release ();
        return value;
      }
      async function change ()
      {
        for (value of [0, 1, 2])
          {
            await Loop.sleep (loop, 0.001);
            await condition.acquire ();
            assert (value === 1 ? condition.notify (10) : condition.notify_all ());
            condition.release ();
          }
      }
      assertEqual (loop.run_until_complete (Loop.gather (loop, [wait, wait, change])).slice (0, 2).join (), '2,2');
      assertThrows (() => condition.notify (1), Loop.Error, Loop.Error.INVALID_STATE);
      assertThrows (() => condition.release (), Loop.Error, Loop.Error.INVALID_STATE);
      assertThrows (() => condition.wait_for (42), TypeError);
      assert (!Loop.Condition.new (loop, new Loop.Lock (loop)).locked ());

      const exception = new TypeError ('tt');
      loop.run_until_complete (async () => {
        await condition.acquire ();
        const waiter = condition.wait_for (() => { throw exception; });
        await condition.acquire ();
        condition.notify_all ();
        condition.release ();
        await Loop.sleep (loop, 0.001);
        waiter.cancel ();
        await waiter.catch (() => {});
      });
      assert (reports.length > 0);
      assert (reports.splice (0).every (report => report.get_exception () === exception));
    }));

    test (`semaphore, ${name} context`, () => withLoop (context, loop => {
      const semaphore = new Loop.Semaphore (loop, 2);
      let n = 0;
      let most = 0;

      async function work ()
      {
        await semaphore.acquire ();
        most = Math.max (most, ++n);
        await Loop.sleep (loop, 0.001);
        n--;
        semaphore.release ();
      }
      loop.run_until_complete (Loop.gather (loop, Array (6).fill (work)));
      assertEqual (most, 2);
      assertEqual (semaphore.get_value (), 2);
      assert (!semaphore.locked ());
      assertThrows (() => Loop.Semaphore.new_bounded (loop, 1).release (), Loop.Error, Loop.Error.INVALID_STATE);
      assert (Loop.Semaphore.new (loop, 0).locked ());
    }));

    test (`barrier, ${name} context`, () => withLoop (context, loop => {
      const barrier = new Loop.Barrier (loop, 3);
      const meet = async () => barrier.wait ();

      assertEqual (loop.run_until_complete (Loop.gather (loop, [meet, meet, meet])).sort ().join (), '0,1,2');
      assertEqual (barrier.get_parties (), 3);
      assertEqual (barrier.get_n_waiting (), 0);

      const waiting = barrier.wait ();
      assertEqual (barrier.get_n_waiting (), 1);
      barrier.abort ();
      assert (barrier.is_broken ());
      assertThrows (() => loop.run_until_complete (waiting), Loop.Error, Loop.Error.BROKEN_BARRIER);
      barrier.reset ();
      assert (!barrier.is_broken () && !Loop.Barrier.new (loop, 1).is_broken ());
    }));

    test (`queue, ${name} context`, () => withLoop (context, loop => {
      const queue = new Loop.Queue (loop, 2);
      const item = { any: 'thing' };
      const seen = [];

      assertEqual (queue.get_kind (), Loop.QueueKind.FIFO);
      assertEqual (queue.get_maxsize (), 2);
      assertThrows (() => queue.get_nowait (), Loop.Error, Loop.Error.QUEUE_EMPTY);
      assertThrows (() => queue.task_done (), Loop.Error, Loop.Error.INVALID_STATE);
      assert (queue.put_nowait (item) && queue.put_nowait (undefined) && queue.is_full ());
      assertThrows (() => queue.put_nowait (3), Loop.Error, Loop.Error.QUEUE_FULL);
      assertEqual (queue.get_size (), 2);
      assertEqual (queue.get_nowait (), item);
      assertEqual (queue.get_nowait (), undefined);
      assert (queue.is_empty () && queue.task_done () && queue.task_done ());

      async function consume ()
      {
        for (;;)
          {
            seen.push (await queue.get ());
            queue.task_done ();
          }
      }
      const consumer = loop.create_task (consume);
      loop.run_until_complete (async () => {
        for (const i of ['a', item, null, 4])
          await queue.put (i);
        await queue.join ();
      });
      queue.shutdown (false);
      assertThrows (() => loop.run_until_complete (consumer), Loop.Error, Loop.Error.QUEUE_SHUT_DOWN);
      assertThrows (() => queue.get_nowait (), Loop.Error, Loop.Error.QUEUE_SHUT_DOWN);
      assertThrows (() => queue.put_nowait (1), Loop.Error, Loop.Error.QUEUE_SHUT_DOWN);
      assertEqual (seen.length, 4);
      assertEqual (seen[1], item);
    }));

    test (`other queues, ${name} context`, () => withLoop (context, (loop, reports) => {
      const lifo = Loop.Queue.new_lifo (loop, 0);
      const priority = Loop.Queue.new_priority (loop, 0, (a, b) => a.rank - b.rank);

      for (const i of [1, 2, 3])
        lifo.put_nowait (i);
      assertEqual ([1, 2, 3].map (() => lifo.get_nowait ()).join (), '3,2,1');
      for (const rank of [3, 1, 2])
        priority.put_nowait ({ rank });
      assertEqual ([1, 2, 3].map (() => priority.get_nowait ().rank).join (), '1,2,3');
      assertEqual (Loop.Queue.new (loop, 7).get_maxsize (), 7);

      const failing = Loop.Queue.new_priority (loop, 0, () => { throw new TypeError ('tt'); });
      failing.put_nowait (1);
      failing.put_nowait (2);
      assertEqual (failing.get_size (), 2);
      assert (reports.length > 0 && reports.splice (0).every (report => report.get_exception () instanceof TypeError));
    }));
  }

done ();
