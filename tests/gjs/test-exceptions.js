// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What JavaScript throws reaches the exception handler as it was thrown, from callbacks of all
// kinds and from protocols; and what the handler is given can be kept.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Loop from 'gi://Loop?version=1.0';

import { assert, assertEqual, assertThrows, collect, covers, done, test } from './tap.js';
import { contexts, runFor, withLoop } from './loops.js';

covers ('ExceptionContext', 'EventLoop.set_exception_handler', 'EventLoop.call_exception_handler',
        'EventLoop.default_exception_handler');

class OwnError extends Error {}

function fail (what)
{
  throw new OwnError (what);
}

const Faulty = GObject.registerClass ({
  Implements: [Loop.Protocol],
}, class Faulty extends GObject.Object {
  constructor (where)
  {
    super ();
    Object.assign (this, { where, seen: [] });
  }

  at (where)
  {
    this.seen.push (where);
    if (this.where === where)
      fail (where);
  }

  vfunc_connection_made (transport)
  {
    this.transport = transport;
    this.at ('made');
  }

  vfunc_data_received (data, ...rest)
  {
    assert (data instanceof Uint8Array && rest.length === 0, 'not one Uint8Array');
    this.at (`data ${data.length}`);
  }

  vfunc_eof_received ()
  {
    this.at ('eof');
    return true;
  }

  vfunc_connection_lost ()
  {
    this.at ('lost');
  }
});

const Derived = GObject.registerClass ({
  Implements: [Loop.Protocol],
}, class Derived extends Faulty {
  vfunc_data_received (data)
  {
    super.vfunc_data_received (data);
  }
});

for (const [name, context] of Object.entries (contexts))
  {
    test (`callbacks, ${name} context`, () => withLoop (context, (loop, reports) => {
      const done = loop.create_future ();
      const pipe = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM, 0);

      loop.call_soon (function named () { fail ('soon'); });
      loop.call_later (0.001, () => fail ('later'));
      loop.call_at (loop.time () + 0.002, () => fail ('at'));
      loop.call_soon_threadsafe (() => fail ('threadsafe'));
      loop.add_writer (pipe.get_fd (), () => { loop.remove_writer (pipe.get_fd ()); fail ('writer'); });
      loop.add_signal_handler (12, () => fail ('signal'));
      done.add_done_callback (() => fail ('done'));
      done.set_result (1);
      GLib.spawn_command_line_async (`kill -USR2 ${new Gio.Credentials ().get_unix_pid ()}`);
      while (reports.length < 7)
        runFor (loop, 0.01);
      collect ();

      const kept = reports.splice (0);
      assert (kept.every (report => report.get_exception () instanceof OwnError));
      assertEqual (kept.map (report => report.get_exception ().message).sort ().join (),
                   'at,done,later,signal,soon,threadsafe,writer');
      assertEqual (kept[0].get_message (), 'Exception in callback named');
      assert (kept[0].get_exception ().stack.includes ('test-exceptions.js'));
      loop.remove_signal_handler (12);
      pipe.close ();
    }));

    for (const klass of [Faulty, Derived])
      {
        for (const where of ['made', 'data 5', 'eof', 'lost'])
          {
            test (`${klass.name} protocol, ${where}, ${name} context`, () => withLoop (context, (loop, reports) => {
              const accepted = new klass (where);
              const client = new Faulty ();
              const server = loop.run_until_complete (loop.create_server (['127.0.0.1'], 0, null, () => accepted));
              const port = server.get_sockets ()[0].get_local_address ().get_port ();
              const transport = loop.run_until_complete (loop.create_connection ('127.0.0.1', port, null, () => client));

              transport.write ('hello');
              transport.write_eof ();
              while (!(accepted.seen.includes ('lost') && client.seen.includes ('lost')))
                {
                  runFor (loop, 0.001);
                  if (accepted.seen.includes ('eof') && where !== 'eof')
                    accepted.transport.close ();
                  if (client.seen.includes ('eof'))
                    transport.close ();
                }

              const [report] = reports.splice (0, 1);
              assert (report.get_exception () instanceof OwnError);
              assertEqual (report.get_exception ().message, where);
              assertEqual (report.get_protocol (), accepted);
              assertEqual (report.get_transport (), accepted.transport);
              assertEqual (accepted.seen.at (-1), 'lost');
              // Who fails to take data gets no more.
              assertEqual (accepted.seen.includes ('eof'), where !== 'data 5');
              server.close ();
            }));
          }
      }

    test (`factory, ${name} context`, () => withLoop (context, (loop, reports) => {
      const server = loop.run_until_complete (loop.create_server (['127.0.0.1'], 0, null, () => fail ('server')));
      const port = server.get_sockets ()[0].get_local_address ().get_port ();

      assertThrows (() => loop.run_until_complete (loop.create_connection ('127.0.0.1', port, null, () => fail ('client'))),
                    Loop.Error, Loop.Error.PROTOCOL_FACTORY);
      while (reports.length < 3)
        runFor (loop, 0.01);

      const thrown = reports.splice (0).map (report => report.get_exception ()).filter (e => e instanceof OwnError);
      assertEqual (thrown.map (e => e.message).sort ().join (), 'client,server');
      server.close ();
    }));

    test (`a handler that throws, ${name} context`, () => {
      const loop = context ();
      let n = 0;

      loop.set_exception_handler (() => { n++; fail ('handler'); });
      loop.call_soon (() => fail ('callback'));
      runFor (loop, 0.001);
      assertEqual (n, 1);
      loop.set_exception_handler (null);
      loop.call_soon (() => fail ('nobody'));
      runFor (loop, 0.001);
      loop.close ();
    });
  }

// GJS calls nothing while it collects garbage.
for (const [name, context] of Object.entries (contexts))
  {
    test (`what the collector frees, ${name} context`, () => withLoop (context, (loop, reports) => {
      (() => {
        loop.create_future ().set_exception (new OwnError ('future'));
        loop.create_task (function* () { fail ('generator'); });
        loop.create_task (async () => fail ('async'));
      }) ();
      for (let i = 0; i < 500 && reports.length < 3; i++)
        {
          runFor (loop, 0.001);
          collect ();
        }

      const all = reports.splice (0);
      assertEqual (all.map (report => report.get_exception ().message).sort ().join (), 'async,future,generator');
      for (const report of all)
        {
          assert (report.get_exception () instanceof OwnError);
          assertEqual (report.get_message (), 'Future exception was never retrieved');
          assertEqual (report.get_future (), null);
        }
    }));
  }

// Nobody is left to be told: it is logged. In a process of its own, for no function can look at the log meanwhile.
test ('what is freed with its loop', () => {
  for (const make of ['new Loop.EventLoop ()', 'Loop.EventLoop.new_for_context (imports.gi.GLib.MainContext.new ())'])
    {
      const program = `
        imports.gi.versions.Loop = '1.0';
        const { Loop } = imports.gi;
        (() => {
          const loop = ${make};
          loop.set_exception_handler (() => print ('told'));
          loop.create_future ().set_exception (new Error ('lost'));
        }) ();
        imports.system.gc ();
        imports.system.gc ();`;
      const flags = Gio.SubprocessFlags.STDOUT_PIPE | Gio.SubprocessFlags.STDERR_MERGE;
      const child = Gio.Subprocess.new ([GLib.getenv ('GJS') || 'gjs', '-c', program], flags);
      const [, output] = child.communicate_utf8 (null, null);

      assert (child.get_successful (), output);
      assertEqual (output.split ('Future exception was never retrieved').length, 2);
      assert (output.includes ('Error: lost') && !output.includes ('CRITICAL'), output);
    }
});

test ('context', () => withLoop (contexts.default, (loop, reports) => {
  const error = new GLib.Error (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY, 'busy');
  const exception = new OwnError ('own');
  const socket = Gio.Socket.new (Gio.SocketFamily.IPV4, Gio.SocketType.STREAM, 0);
  const handle = loop.call_soon (() => {});
  const future = loop.create_future ();
  const protocol = new Faulty ();

  for (const make of [() => Loop.ExceptionContext.new ('what', error), () => Loop.ExceptionContext.new ('what', exception),
                      () => Loop.ExceptionContext.new ('what', null), () => Loop.ExceptionContext.new ('what'),
                      () => new Loop.ExceptionContext ('what', error)])
    {
      let context = make ();

      context.set_handle (handle);
      context.set_future (future);
      context.set_protocol (protocol);
      context.set_socket (socket);
      context.set_transport (null);
      loop.call_exception_handler (context);
      loop.default_exception_handler (context);
      context = null;
    }
  collect ();

  const kept = reports.splice (0);
  for (const context of kept)
    {
      assertEqual (context.get_message (), 'what');
      assertEqual (context.get_handle ().get_id (), handle.get_id ());
      assertEqual (context.get_future (), future);
      assertEqual (context.get_protocol (), protocol);
      assertEqual (context.get_socket (), socket);
      assertEqual (context.get_transport (), null);
    }
  assert (kept[0].get_exception ().matches (Gio.IOErrorEnum, Gio.IOErrorEnum.BUSY));
  assertEqual (kept[1].get_exception (), exception);
  assertEqual (kept[2].get_exception (), null);
  assertEqual (kept[3].get_exception (), null);
  socket.close ();
}));

test ('what an error is about', () => withLoop (contexts.default, loop => {
  const context = Loop.ExceptionContext.new ('something failed', null);
  const generator = new GObject.Object ();

  assertEqual (context.get_source_traceback (), null);
  context.set_source_traceback ('  here\n');
  assertEqual (context.get_source_traceback (), '  here\n');
  assertEqual (context.get_async_generator (), null);
  context.set_async_generator (generator);
  assertEqual (context.get_async_generator (), generator);
}));

// They have numbers, of which only so many are known at a time.
test ('many exceptions', () => withLoop (contexts.default, loop => {
  const first = loop.create_future ();

  first.set_exception (new OwnError ('first'));
  for (let i = 0; i < 1000; i++)
    {
      const future = loop.create_future ();
      future.set_exception (new OwnError (`${i}`));
      assertEqual (future.exception ().message, `${i}`);
      if (i % 100 === 0)
        collect ();
    }
  assertEqual (first.exception ().message, 'first');
}));

done ();
