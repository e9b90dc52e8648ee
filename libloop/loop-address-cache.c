/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-address-cache-private.h"

#include <string.h>

/* Each address has one place in the table, and takes it from another's. */

static guint
fold (guint64 hash)
{
  return (guint) ((hash * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) >> 32) % LOOP_ADDRESS_CACHE_SIZE;
}

static guint
hash_bytes (const struct sockaddr *native, gsize length)
{
  const guint8 *bytes = (const guint8 *) native;
  guint64 hash = length;
  guint64 word = 0;
  gsize i;

  for (i = 0; i + sizeof word <= length; i += sizeof word)
    {
      memcpy (&word, bytes + i, sizeof word);
      hash = (hash ^ word) * G_GUINT64_CONSTANT (0xff51afd7ed558ccd);
      hash ^= hash >> 32;
    }
  if (i < length)
    {
      word = 0;
      memcpy (&word, bytes + i, length - i);
      hash ^= word;
    }

  return fold (hash);
}

/* Takes @object. Whoever was given the one that was there before may still use it, in a callback that runs. */
static void
replace (LoopCachedAddress *self, LoopEventLoop *loop, GSocketAddress *object)
{
  if (self->object != NULL)
    loop_event_loop_unref_later (loop, self->object);
  self->object = object;
}

void
loop_address_cache_clear (LoopAddressCache *self)
{
  for (guint i = 0; i < LOOP_ADDRESS_CACHE_SIZE; i++)
    {
      g_clear_object (&self->by_bytes[i].object);
      g_clear_object (&self->by_object[i].object);
    }
}

/*
 * loop_address_cache_get_object:
 * @native: an address that a datagram came from
 * @length: its length; that of a unix socket without a name is 0
 *
 * Returns: (transfer none) (nullable): the object, at least for as long as the callback that runs
 */
GSocketAddress *
loop_address_cache_get_object (LoopAddressCache *self, LoopEventLoop *loop, const struct sockaddr *native, gsize length)
{
  LoopCachedAddress *place;

  if (G_UNLIKELY (length <= sizeof native->sa_family || length > sizeof place->native))
    return NULL;

  place = &self->by_bytes[hash_bytes (native, length)];
  if (G_LIKELY (place->object != NULL && place->length == length && memcmp (&place->native, native, length) == 0))
    return place->object;

  replace (place, loop, g_socket_address_new_from_native ((gpointer) native, length));
  place->length = length;
  memcpy (&place->native, native, length);

  return place->object;
}

/* Returns: (nullable): what the kernel is told for @object, until the next call */
const LoopCachedAddress *
loop_address_cache_get_native (LoopAddressCache *self, LoopEventLoop *loop, GSocketAddress *object, GError **error)
{
  LoopCachedAddress *place = &self->by_object[fold ((guint64) (gsize) object)];
  gssize length;

  if (G_LIKELY (place->object == object))
    return place;

  length = g_socket_address_get_native_size (object);
  if (length < 0 || (gsize) length > sizeof place->native)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "No datagram can be sent to a %s",
                   G_OBJECT_TYPE_NAME (object));
      return NULL;
    }

  replace (place, loop, NULL);
  if (!g_socket_address_to_native (object, &place->native, sizeof place->native, error))
    return NULL;
  place->object = g_object_ref (object);
  place->length = (gsize) length;

  return place;
}
