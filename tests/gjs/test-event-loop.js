// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The loop itself: running and closing, callbacks, timers, descriptors and signals.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, covers, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

covers ('Handle', 'TimerHandle', 'Metrics', 'check_version', 'error_quark', 'get_major_version', 'get_minor_version',
        'get_micro_version', 'EventLoop.new', 'EventLoop.new_for_context', 'EventLoop.get_running',
        'EventLoop.add_reader', 'EventLoop.add_writer', 'EventLoop.remove_reader', 'EventLoop.remove_writer',
        'EventLoop.add_signal_handler', 'EventLoop.remove_signal_handler', 'EventLoop.call_soon',
        'EventLoop.call_soon_threadsafe', 'EventLoop.call_later', 'EventLoop.call_at', 'EventLoop.time',
        'EventLoop.get_context', 'EventLoop.get_id', 'EventLoop.get_debug', 'EventLoop.set_debug',
        'EventLoop.get_collect_metrics', 'EventLoop.set_collect_metrics', 'EventLoop.get_metrics',
        'EventLoop.get_defer_finalization', 'EventLoop.set_defer_finalization',
        'EventLoop.get_slow_callback_duration', 'EventLoop.set_slow_callback_duration', 'EventLoop.is_running',
        'EventLoop.is_closed', 'EventLoop.close', 'EventLoop.run_forever', 'EventLoop.stop');

test ('version', () => {
  assertEqual (Loop.check_version (Loop.get_major_version (), Loop.get_minor_version (), Loop.get_micro_version ()),
               null);
  assert (Loop.check_version (99, 0, 0) !== null);
  assertEqual (GLib.quark_to_string (Loop.error_quark ()), 'loop-error-quark');
});

test ('a loop in JavaScript lives on the default context', () => {
  for (const loop of [new Loop.EventLoop (), Loop.EventLoop.new (), Loop.EventLoop.new_for_context (null)])
    {
      let hasRun = false;

      loop.call_soon (() => { hasRun = true; });
      while (GLib.MainContext.default ().iteration (false))
        ;
      assert (hasRun);
      loop.close ();
    }
});

test ('state', () => withLoop (contexts.own, loop => {
  const other = new Loop.EventLoop ();

  assert (loop.get_id () !== other.get_id ());
  assert (loop.get_context () instanceof GLib.MainContext);
  assertEqual (Loop.EventLoop.get_running (), null);
  loop.call_soon (() => {
    assert (loop.is_running ());
    assertEqual (Loop.EventLoop.get_running (), loop);
    assertThrows (() => other.run_forever (), Loop.Error, Loop.Error.RUNNING);
    assertThrows (() => loop.close (), Loop.Error, Loop.Error.RUNNING);
    loop.stop ();
  });
  assert (loop.run_forever ());
  assert (!loop.is_running ());

  other.close ();
  assert (other.is_closed ());
  assertThrows (() => other.call_soon (() => {}), Loop.Error, Loop.Error.CLOSED);
  assertThrows (() => other.call_soon_threadsafe (() => {}), Loop.Error, Loop.Error.CLOSED);
  assertThrows (() => other.run_forever (), Loop.Error, Loop.Error.CLOSED);
}));

test ('settings', () => withLoop (contexts.own, loop => {
  loop.set_debug (true);
  assert (loop.get_debug () && loop.debug);
  loop.set_debug (false);
  assert (!loop.get_debug ());
  loop.set_slow_callback_duration (0.5);
  assertEqual (loop.get_slow_callback_duration (), 0.5);
  assertEqual (loop.slow_callback_duration, 0.5);
}));

test ('metrics', () => withLoop (contexts.own, loop => {
  assert (loop.get_defer_finalization ());
  loop.set_defer_finalization (true);
  loop.set_collect_metrics (true);
  assert (loop.get_collect_metrics ());
  for (let i = 0; i < 10; i++)
    loop.call_soon (() => GLib.usleep (100));
  runFor (loop, 0.01);

  const metrics = loop.get_metrics ();
  assert (metrics.get_iterations () > 0);
  assert (metrics.get_callbacks () >= 10);
  assert (metrics.get_busy_time () >= 0.001);
  assert (metrics.get_poll_time () > 0);
  assert (metrics.get_lag (0.5) >= 0);
  assert (metrics.get_duration (1.0) >= 0.0001);
}));

for (const [name, context] of Object.entries (contexts))
  {
    test (`arguments, ${name} context`, () => withLoop (context, loop => {
      const seen = [];

      loop.call_soon ((...args) => seen.push (...args), 1, 'two');
      loop.call_soon_threadsafe ((...args) => seen.push (...args), 3);
      loop.call_later (0.001, (...args) => seen.push (...args), 4);
      loop.call_at (loop.time () + 0.002, (...args) => seen.push (...args), 5, null);
      runFor (loop, 0.02);
      assertEqual (JSON.stringify (seen), '[1,"two",3,4,5,null]');
    }));

    test (`descriptors, ${name} context`, () => withLoop (context, loop => {
      const [server, client] = socketPair ();
      const seen = [];

      const onReadable = text => {
        seen.push (text);
        assert (loop.remove_reader (server.get_fd ()));
        loop.stop ();
      };
      assert (loop.add_reader (server.get_fd (), onReadable, 'readable'));
      loop.add_writer (client.get_fd (), () => {
        assert (loop.remove_writer (client.get_fd ()));
        client.send (new Uint8Array ([33]), null);
      });
      loop.run_forever ();
      assertEqual (seen.join (), 'readable');
      assert (!loop.remove_reader (server.get_fd ()) && !loop.remove_writer (client.get_fd ()));
      server.close ();
      client.close ();
    }));

    test (`signals, ${name} context`, () => withLoop (context, loop => {
      const seen = [];

      assert (loop.add_signal_handler (10, signal => { seen.push (signal); loop.stop (); }, 'USR1'));
      GLib.spawn_command_line_async (`kill -USR1 ${new Gio.Credentials ().get_unix_pid ()}`);
      loop.run_forever ();
      assertEqual (seen.join (), 'USR1');
      assert (loop.remove_signal_handler (10) && !loop.remove_signal_handler (10));
      assertThrows (() => loop.add_signal_handler (9, () => {}), GLib.Error);
      assertThrows (() => loop.add_signal_handler (1000, () => {}), GLib.Error);
    }));
  }

test ('misuse', () => withLoop (contexts.own, loop => {
  for (const wrong of [undefined, null, 42, 'text', {}])
    {
      assertThrows (() => loop.call_soon (wrong), TypeError);
      assertThrows (() => loop.call_later (0, wrong), TypeError);
      assertThrows (() => loop.add_reader (0, wrong), TypeError);
    }
  assertThrows (() => loop.call_later (NaN, () => {}), Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT);
  assertThrows (() => loop.call_at (NaN, () => {}), Gio.IOErrorEnum, Gio.IOErrorEnum.INVALID_ARGUMENT);
  assertThrows (() => loop.add_reader (-1, () => {}), GLib.Error);
  assertThrows (() => loop.add_writer (-1, () => {}), GLib.Error);
}));

test ('handles', () => withLoop (contexts.own, loop => {
  const later = () => assert (false, 'was cancelled');

  for (const [handle, kind] of [[loop.call_soon (later), 'handle'], [loop.call_later (60, later), 'timer'],
                                [loop.call_soon_threadsafe (later), 'handle']])
    {
      assert (handle.get_id () > 0);
      assertEqual (handle.get_name (), 'later');
      assert (handle.describe ().includes ('later') && handle.describe ().includes (kind), handle.describe ());
      handle.set_name ('other');
      assertEqual (handle.get_name (), 'other');
      assert (!handle.cancelled ());
      handle.cancel ();
      assert (handle.cancelled ());
    }

  const now = loop.time ();
  const timer = loop.call_at (now + 60, later);
  assert (Math.abs (timer.when () - now - 60) <= 2e-9, `${timer.when ()}`);
  timer.cancel ();
  runFor (loop, 0.001);
}));

function socketPair ()
{
  const listener = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0);
  const client = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0);

  listener.bind (new Gio.InetSocketAddress ({ address: Gio.InetAddress.new_loopback (Gio.SocketFamily.IPV4) }), false);
  listener.listen ();
  client.connect (listener.get_local_address (), null);

  const server = listener.accept (null);
  listener.close ();

  return [server, client];
}

done ();
