/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/socket.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef struct _LoopWriteChunk LoopWriteChunk;

/* Chunks of the usual size that are not needed, of all buffers of one thread. */
typedef struct
{
  LoopWriteChunk *spares;
  guint n_spares;
} LoopWriteChunkPool;

/*
 * Bytes that wait to be written: copies, of which small ones share a chunk, and
 * references to GBytes; or else datagrams, each of which counts for a little more than its
 * length, for they may be empty. An empty buffer owns no memory.
 */
typedef struct
{
  LoopWriteChunk *head;
  LoopWriteChunk *tail;
  gsize size;
  LoopWriteChunkPool *pool; /* or NULL */
} LoopWriteBuffer;

#define LOOP_WRITE_BUFFER_MAX_IOV 64

/* asyncio's charge for each datagram. */
#define LOOP_WRITE_BUFFER_DATAGRAM 8

typedef struct
{
  const guint8 *data;
  gsize length;
  const struct sockaddr *address; /* or NULL */
  gsize address_length;
} LoopDatagram;

G_GNUC_INTERNAL
void loop_write_chunk_pool_clear (LoopWriteChunkPool *self);
G_GNUC_INTERNAL
void loop_write_buffer_clear (LoopWriteBuffer *self);
G_GNUC_INTERNAL
void loop_write_buffer_append (LoopWriteBuffer *self, const guint8 *data, gsize length);
G_GNUC_INTERNAL
void loop_write_buffer_append_bytes (LoopWriteBuffer *self, GBytes **bytes, gsize n_bytes, gsize offset);
G_GNUC_INTERNAL
guint loop_write_buffer_peek (LoopWriteBuffer *self, struct iovec *iov, guint n_iov);
G_GNUC_INTERNAL
void loop_write_buffer_consume (LoopWriteBuffer *self, gsize length);
G_GNUC_INTERNAL
gsize loop_write_buffer_take (LoopWriteBuffer *self, gpointer data, gsize length);

G_GNUC_INTERNAL
void loop_write_buffer_append_datagram (LoopWriteBuffer *self, const LoopDatagram *datagram);
G_GNUC_INTERNAL
guint loop_write_buffer_peek_datagrams (LoopWriteBuffer *self, LoopDatagram *datagrams, guint n);
G_GNUC_INTERNAL
void loop_write_buffer_consume_datagrams (LoopWriteBuffer *self, guint n);
G_GNUC_INTERNAL
void loop_write_buffer_move_datagram (LoopWriteBuffer *self, LoopWriteBuffer *other);

/* An inspector reads the size while the loop changes it. */
static inline gsize
loop_write_buffer_get_size (const LoopWriteBuffer *self)
{
  return __atomic_load_n (&self->size, __ATOMIC_RELAXED);
}

G_END_DECLS
