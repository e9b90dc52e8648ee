/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-read-buffer-private.h"

#include <string.h>

#define MIN_CAPACITY 4096

void
loop_read_buffer_clear (LoopReadBuffer *self)
{
  if (self->capacity > 0)
    g_free (self->memory);
  *self = (LoopReadBuffer) { 0 };
}

/* Makes room for @before bytes in front of what is there, and for @after bytes behind it. */
static void
make_room (LoopReadBuffer *self, gsize before, gsize after)
{
  gsize size = loop_read_buffer_get_size (self);
  gsize wanted = before + size + after;

  if (self->start >= before && self->capacity >= self->end + after)
    return;

  /* What is moved is at most what was taken since, so that a byte is moved once or twice in its life. */
  if (wanted > self->capacity || self->capacity - size < size)
    {
      gsize capacity = MAX (MAX (wanted, 2 * size), MIN_CAPACITY);
      guint8 *memory = g_malloc (capacity);

      if (size > 0)
        memcpy (memory + before, self->memory + self->start, size);
      if (self->capacity > 0)
        g_free (self->memory);
      self->memory = memory;
      self->capacity = capacity;
    }
  else
    {
      memmove (self->memory + before, self->memory + self->start, size);
    }

  self->start = before;
  self->end = before + size;
}

void
loop_read_buffer_append (LoopReadBuffer *self, const guint8 *data, gsize length)
{
  if (length == 0)
    return;

  make_room (self, 0, length);
  memcpy (self->memory + self->end, data, length);
  self->end += length;
}

/* Has @data for its own, without a copy, until loop_read_buffer_keep() copies what is left then. It has to be empty. */
void
loop_read_buffer_borrow (LoopReadBuffer *self, const guint8 *data, gsize length)
{
  g_assert (self->memory == NULL);

  self->memory = (guint8 *) data;
  self->end = length;
}

void
loop_read_buffer_keep (LoopReadBuffer *self)
{
  if (self->memory != NULL && self->capacity == 0)
    make_room (self, 0, 0);
}

/* In front of all that is there. */
void
loop_read_buffer_prepend (LoopReadBuffer *self, const guint8 *data, gsize length)
{
  if (length == 0)
    return;

  make_room (self, length, 0);
  self->start -= length;
  memcpy (self->memory + self->start, data, length);
  loop_read_buffer_forget_search (self);
}

void
loop_read_buffer_drop (LoopReadBuffer *self, gsize length)
{
  g_assert (length <= loop_read_buffer_get_size (self));

  self->start += length;
  self->n_searched -= MIN (length, self->n_searched);
  if (self->start == self->end)
    loop_read_buffer_clear (self);
}

/* Returns: (transfer full): the first @length bytes, which are gone then */
GBytes *
loop_read_buffer_take (LoopReadBuffer *self, gsize length)
{
  GBytes *bytes;

  g_assert (length <= loop_read_buffer_get_size (self));

  /* All of it goes as it is, unless too much memory would go with it. */
  if (self->capacity > 0 && length == loop_read_buffer_get_size (self) && length >= self->capacity / 2 &&
      length >= MIN_CAPACITY)
    {
      guint8 *memory = g_steal_pointer (&self->memory);

      bytes = g_bytes_new_with_free_func (memory + self->start, length, g_free, memory);
      loop_read_buffer_clear (self);

      return bytes;
    }

  bytes = g_bytes_new (length > 0 ? self->memory + self->start : NULL, length);
  loop_read_buffer_drop (self, length);

  return bytes;
}

/*
 * Returns: the number of bytes in front of @separator, or %LOOP_READ_BUFFER_NOT_FOUND. It has to
 * be the separator of the last search, unless that was forgotten
 */
gsize
loop_read_buffer_find (LoopReadBuffer *self, const guint8 *separator, gsize length)
{
  gsize size = loop_read_buffer_get_size (self);
  const guint8 *begin;
  const guint8 *found;

  if (size < length)
    return LOOP_READ_BUFFER_NOT_FOUND;

  begin = self->memory + self->start + self->n_searched;
  if (length == 1)
    found = memchr (begin, *separator, size - self->n_searched);
  else
    found = memmem (begin, size - self->n_searched, separator, length);

  if (found != NULL)
    return (gsize) (found - (self->memory + self->start));

  /* Its beginning may be there. */
  self->n_searched = size - length + 1;

  return LOOP_READ_BUFFER_NOT_FOUND;
}
