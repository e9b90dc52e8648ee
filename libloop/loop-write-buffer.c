/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-write-buffer-private.h"

#include <string.h>

/* The least room of a chunk of copies: many small writes end up in few of them. */
#define MIN_CAPACITY 4096

struct _LoopWriteChunk
{
  LoopWriteChunk *next;
  GBytes *bytes; /* or NULL: then the bytes follow */
  const guint8 *data;
  gsize start;
  gsize end;
  gsize capacity;
  gsize address_length; /* of a datagram: its address is in the front of the copy */
  guint8 copy[];
};

static void
set_size (LoopWriteBuffer *self, gsize size)
{
  __atomic_store_n (&self->size, size, __ATOMIC_RELAXED);
}

/* A quarter of a megabyte: as many connections may be answered in one iteration. */
#define MAX_SPARES 64

/* Of uninitialised memory. */
static LoopWriteChunk *
chunk_new (LoopWriteBuffer *self, gsize capacity)
{
  LoopWriteChunkPool *pool = self->pool;
  LoopWriteChunk *chunk;

  if (capacity != MIN_CAPACITY || pool == NULL || pool->spares == NULL)
    return g_malloc (sizeof (LoopWriteChunk) + capacity);

  chunk = pool->spares;
  pool->spares = chunk->next;
  pool->n_spares--;

  return chunk;
}

static void
chunk_free (LoopWriteBuffer *self, LoopWriteChunk *chunk)
{
  LoopWriteChunkPool *pool = self->pool;

  if (pool == NULL || pool->n_spares == MAX_SPARES || chunk->capacity != MIN_CAPACITY)
    {
      g_clear_pointer (&chunk->bytes, g_bytes_unref);
      g_free (chunk);
      return;
    }

  chunk->next = pool->spares;
  pool->spares = chunk;
  pool->n_spares++;
}

void
loop_write_chunk_pool_clear (LoopWriteChunkPool *self)
{
  while (self->spares != NULL)
    {
      LoopWriteChunk *chunk = self->spares;

      self->spares = chunk->next;
      g_free (chunk);
    }
  self->n_spares = 0;
}

static void
push (LoopWriteBuffer *self, LoopWriteChunk *chunk)
{
  if (self->tail != NULL)
    self->tail->next = chunk;
  else
    self->head = chunk;
  self->tail = chunk;
}

static LoopWriteChunk *
pop (LoopWriteBuffer *self)
{
  LoopWriteChunk *chunk = self->head;

  self->head = chunk->next;
  if (self->head == NULL)
    self->tail = NULL;

  return chunk;
}

void
loop_write_buffer_clear (LoopWriteBuffer *self)
{
  while (self->head != NULL)
    chunk_free (self, pop (self));

  set_size (self, 0);
}

void
loop_write_buffer_append (LoopWriteBuffer *self, const guint8 *data, gsize length)
{
  LoopWriteChunk *tail = self->tail;
  gsize n_fitting = tail != NULL && tail->bytes == NULL ? MIN (length, tail->capacity - tail->end) : 0;

  if (n_fitting > 0)
    {
      memcpy (tail->copy + tail->end, data, n_fitting);
      tail->end += n_fitting;
    }

  if (length > n_fitting)
    {
      gsize rest = length - n_fitting;
      gsize capacity = MAX (rest, MIN_CAPACITY);
      LoopWriteChunk *chunk = chunk_new (self, capacity);

      *chunk = (LoopWriteChunk) { .data = chunk->copy, .end = rest, .capacity = capacity };
      memcpy (chunk->copy, data + n_fitting, rest);
      push (self, chunk);
    }

  set_size (self, self->size + length);
}

/* Keeps references to @bytes, of which the first @offset in all are written already. */
void
loop_write_buffer_append_bytes (LoopWriteBuffer *self, GBytes **bytes, gsize n_bytes, gsize offset)
{
  for (gsize i = 0; i < n_bytes; i++)
    {
      LoopWriteChunk *chunk;
      gsize length;
      const guint8 *data = g_bytes_get_data (bytes[i], &length);
      gsize start = MIN (offset, length);

      offset -= start;
      if (start == length)
        continue;

      chunk = g_new (LoopWriteChunk, 1);
      *chunk = (LoopWriteChunk) { .bytes = g_bytes_ref (bytes[i]), .data = data, .start = start, .end = length };
      push (self, chunk);
      set_size (self, self->size + length - start);
    }
}

/* Fills in at most @n_iov parts from the front of the buffer, and returns how many. */
guint
loop_write_buffer_peek (LoopWriteBuffer *self, struct iovec *iov, guint n_iov)
{
  guint n = 0;

  for (LoopWriteChunk *chunk = self->head; chunk != NULL && n < n_iov; chunk = chunk->next, n++)
    {
      iov[n].iov_base = (guint8 *) chunk->data + chunk->start;
      iov[n].iov_len = chunk->end - chunk->start;
    }

  return n;
}

/* Drops the first @length bytes, which were written. */
void
loop_write_buffer_consume (LoopWriteBuffer *self, gsize length)
{
  g_assert (length <= self->size);

  set_size (self, self->size - length);

  while (length > 0)
    {
      LoopWriteChunk *chunk = self->head;
      gsize n = MIN (length, chunk->end - chunk->start);

      chunk->start += n;
      length -= n;
      if (chunk->start == chunk->end)
        chunk_free (self, pop (self));
    }
}

/* Moves at most @length bytes from the front of the buffer to @data, and returns how many. */
gsize
loop_write_buffer_take (LoopWriteBuffer *self, gpointer data, gsize length)
{
  gsize taken = 0;

  while (taken < length && self->size > 0)
    {
      LoopWriteChunk *chunk = self->head;
      gsize n = MIN (length - taken, chunk->end - chunk->start);

      memcpy ((guint8 *) data + taken, chunk->data + chunk->start, n);
      taken += n;
      loop_write_buffer_consume (self, n);
    }

  return taken;
}

/* An address is as aligned as the copy is, and what follows it need not be. */
void
loop_write_buffer_append_datagram (LoopWriteBuffer *self, const LoopDatagram *datagram)
{
  gsize size = datagram->address_length + datagram->length;
  LoopWriteChunk *chunk = g_malloc (sizeof (LoopWriteChunk) + size);

  *chunk = (LoopWriteChunk) {
    .data = chunk->copy,
    .start = datagram->address_length,
    .end = size,
    .capacity = size,
    .address_length = datagram->address_length,
  };
  if (datagram->address_length > 0)
    memcpy (chunk->copy, datagram->address, datagram->address_length);
  if (datagram->length > 0)
    memcpy (chunk->copy + chunk->start, datagram->data, datagram->length);
  push (self, chunk);
  set_size (self, self->size + datagram->length + LOOP_WRITE_BUFFER_DATAGRAM);
}

/* Fills in at most @n datagrams from the front of the buffer, and returns how many. */
guint
loop_write_buffer_peek_datagrams (LoopWriteBuffer *self, LoopDatagram *datagrams, guint n)
{
  guint i = 0;

  for (LoopWriteChunk *chunk = self->head; chunk != NULL && i < n; chunk = chunk->next, i++)
    datagrams[i] = (LoopDatagram) {
      .data = chunk->data + chunk->start,
      .length = chunk->end - chunk->start,
      .address = chunk->address_length > 0 ? (const struct sockaddr *) chunk->copy : NULL,
      .address_length = chunk->address_length,
    };

  return i;
}

static LoopWriteChunk *
pop_datagram (LoopWriteBuffer *self)
{
  LoopWriteChunk *chunk = pop (self);

  set_size (self, self->size - (chunk->end - chunk->start) - LOOP_WRITE_BUFFER_DATAGRAM);

  return chunk;
}

void
loop_write_buffer_consume_datagrams (LoopWriteBuffer *self, guint n)
{
  for (guint i = 0; i < n; i++)
    chunk_free (self, pop_datagram (self));
}

/* Moves the datagram in front to the end of another buffer. */
void
loop_write_buffer_move_datagram (LoopWriteBuffer *self, LoopWriteBuffer *other)
{
  LoopWriteChunk *chunk = pop_datagram (self);

  chunk->next = NULL;
  push (other, chunk);
  set_size (other, other->size + (chunk->end - chunk->start) + LOOP_WRITE_BUFFER_DATAGRAM);
}
