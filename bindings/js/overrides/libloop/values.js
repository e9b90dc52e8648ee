// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JavaScript values in GValues.

const { GLib, GObject, Loop } = imports.gi;
const { fromError } = imports.overrides.libloop.exceptions;

const Value = GObject.registerClass ({ GTypeName: 'LoopJSValue' }, class extends GObject.Object {
  constructor (value)
  {
    super ();
    this.value = value;
  }
});

// What GValue has no type for, or would not give back as it was, travels in a Value.
function toValue (value)
{
  switch (typeof value)
    {
    case 'number':
    case 'boolean':
      return value;
    case 'string':
      return value.includes ('\0') ? new Value (value) : value;
    case 'object':
      return value === null || value.constructor?.$gtype !== undefined ? value : new Value (value);
    default:
      return new Value (value);
    }
}

function fromAddressInfo (info)
{
  return {
    family: info.get_family (),
    type: info.get_socktype (),
    proto: info.get_proto (),
    canonname: info.get_canonname (),
    address: info.get_address (),
  };
}

function fromValue (value)
{
  if (value instanceof Value)
    return value.value;
  if (value instanceof GObject.ValueArray)
    return Array.from ({ length: value.n_values }, (_, i) => fromValue (value.get_nth (i)));
  if (value instanceof GLib.Bytes)
    return value.toArray ();
  if (value instanceof Loop.AcceptResult)
    return [value.get_socket (), value.get_address ()];
  if (value instanceof Loop.RecvfromResult)
    return [value.get_data ().toArray (), value.get_address ()];
  if (value instanceof Loop.AddressInfoResult)
    return value.get_addresses ().map (fromAddressInfo);
  if (value instanceof Loop.NameInfoResult)
    return [value.get_host (), value.get_service ()];

  return fromError (value);
}

const RESULT = Symbol ('the result that a future keeps');

// GJS 1.74 never frees what it has read out of a GValue: it is done once for each future, and not
// for what JavaScript has put there.
function keepResult (future, value)
{
  if (!(value instanceof GObject.Value))
    future[RESULT] = { value };
}

function getResult (future, read)
{
  future[RESULT] ??= { value: fromValue (read ()) };

  return future[RESULT].value;
}
