// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the other files make of the classes of the library.

// extend (CLASS, native => ({ METHODS })): they are new, or replace those of @native.
function extend (klass, make)
{
  const native = {};

  for (const [name, value] of Object.entries (make (native)))
    {
      native[name] = klass.prototype[name];
      klass.prototype[name] = value;
    }
}

// What a function gave that returns TRUE besides: GJS 1.74 does not know (skip).
function last (result)
{
  return Array.isArray (result) && result[0] === true ? result[1] : result;
}
