// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams: a reader is iterated by lines, and a connection is an array of a reader and a writer.

const { GLib, Loop } = imports.gi;
const { goOn, report } = imports.overrides.libloop.callbacks;
const { extend, last } = imports.overrides.libloop.classes;
const { isThenable } = imports.overrides.libloop.coroutines;
const { fromError, toError } = imports.overrides.libloop.exceptions;

function toBytes (data)
{
  if (typeof data === 'string')
    return new TextEncoder ().encode (data);

  return data instanceof GLib.Bytes ? data.toArray () : data;
}

function extendStreamReader ()
{
  const { new: make } = Loop.StreamReader;

  Loop.StreamReader.new = (loop, limit = -1) => make (loop, limit);

  extend (Loop.StreamReader, native => ({
    read (n = -1)
    {
      return native.read.call (this, n);
    },

    readuntil (separator = '\n')
    {
      return native.readuntil.call (this, toBytes (separator));
    },

    feed_data (data)
    {
      native.feed_data.call (this, toBytes (data));
    },

    set_exception (exception)
    {
      native.set_exception.call (this, toError (exception, this));
    },

    exception ()
    {
      return fromError (native.exception.call (this), this);
    },

    // As the result of a read is: a Uint8Array.
    get_partial ()
    {
      return native.get_partial.call (this)?.toArray () ?? null;
    },
  }));

  // for await (const line of reader): each is a Uint8Array.
  Loop.StreamReader.prototype[Symbol.asyncIterator] = async function* () {
    for (;;)
      {
        const line = await this.readline ();

        if (line.length === 0)
          return;
        yield line;
      }
  };
}

function extendStreamWriter ()
{
  extend (Loop.StreamWriter, native => ({
    write (data)
    {
      native.write.call (this, toBytes (data));
    },

    writelines (lines)
    {
      native.writelines.call (this, lines.map (line => line instanceof GLib.Bytes ? line : new GLib.Bytes (toBytes (line))));
    },

    get_extra_info (name)
    {
      return last (native.get_extra_info.call (this, name));
    },
  }));
}

// What is given each client: a function, which may be async. If it fails, the client is let go.
function served (callback, loop)
{
  if (typeof callback !== 'function')
    throw new TypeError (`Expected a function, got ${String (callback)}`);

  return (reader, writer) => {
    const transport = writer.get_transport ();
    const fail = exception => {
      report ('Unhandled exception in the function of a client', exception, loop, { transport });
      transport.close ();
    };

    try
      {
        const result = callback (reader, writer);

        if (isThenable (result))
          result.then (undefined, fail);
      }
    catch (e)
      {
        fail (e);
      }
    finally
      {
        goOn (loop);
      }
  };
}

function extendStreams ()
{
  const { open_connection: openConnection, start_server: startServer } = Loop;
  const { open_unix_connection: openUnixConnection, start_unix_server: startUnixServer } = Loop;
  const { new: makeProtocol } = Loop.StreamReaderProtocol;

  extendStreamReader ();
  extendStreamWriter ();

  Loop.StreamReaderProtocol.new = (reader, callback = null) =>
    makeProtocol (reader, callback && served (callback, reader.get_loop ()));
  // Its result may be taken apart: const [reader, writer] = await Loop.open_connection (loop, host, port).
  Loop.open_connection = (loop, host, port, limit = -1, options = null) =>
    openConnection (loop, host, port, limit, options);
  Loop.start_server = (loop, callback, hosts, port, limit = -1, options = null) =>
    startServer (loop, served (callback, loop), typeof hosts === 'string' ? [hosts] : hosts, port, limit, options);
  Loop.open_unix_connection = (loop, path, limit = -1, options = null) =>
    openUnixConnection (loop, path, limit, options);
  Loop.start_unix_server = (loop, callback, path, limit = -1, options = null) =>
    startUnixServer (loop, served (callback, loop), path, limit, options);
  Loop.StreamResult.prototype[Symbol.iterator] = function* () {
    yield this.get_reader ();
    yield this.get_writer ();
  };
}
