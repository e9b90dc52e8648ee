/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-write-buffer-private.h"

#include <string.h>

/* The buffer of a transport against a plain array that holds the same. */

typedef struct
{
  LoopWriteBuffer buffer;
  LoopWriteChunkPool pool;
  GByteArray *model;
} Pair;

static void
pair_init (Pair *self)
{
  *self = (Pair) { .model = g_byte_array_new () };
  self->buffer.pool = &self->pool;
}

static void
pair_check (Pair *self)
{
  struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];
  guint n = loop_write_buffer_peek (&self->buffer, iov, G_N_ELEMENTS (iov));
  gsize offset = 0;

  ck_assert_uint_eq (loop_write_buffer_get_size (&self->buffer), self->model->len);
  ck_assert_uint_le (n, G_N_ELEMENTS (iov));
  ck_assert_int_eq (n > 0, self->model->len > 0);
  for (guint i = 0; i < n; i++)
    {
      ck_assert_uint_gt (iov[i].iov_len, 0);
      ck_assert_uint_le (offset + iov[i].iov_len, self->model->len);
      ck_assert_int_eq (memcmp (iov[i].iov_base, self->model->data + offset, iov[i].iov_len), 0);
      offset += iov[i].iov_len;
    }
  if (n < G_N_ELEMENTS (iov))
    ck_assert_uint_eq (offset, self->model->len);
}

static void
pair_append (Pair *self, const guint8 *data, gsize length)
{
  loop_write_buffer_append (&self->buffer, data, length);
  g_byte_array_append (self->model, data, (guint) length);
}

/* In pieces, of which one is empty. */
static void
pair_append_bytes (Pair *self, const guint8 *data, gsize length, gsize offset)
{
  g_autoptr (GBytes) front = g_bytes_new (data, length / 2);
  g_autoptr (GBytes) none = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) back = g_bytes_new (data + length / 2, length - length / 2);

  loop_write_buffer_append_bytes (&self->buffer, (GBytes *[]) { front, none, back }, 3, offset);
  g_byte_array_append (self->model, data + offset, (guint) (length - offset));
}

static void
pair_consume (Pair *self, gsize length)
{
  loop_write_buffer_consume (&self->buffer, length);
  g_byte_array_remove_range (self->model, 0, (guint) length);
}

static void
pair_clear (Pair *self)
{
  loop_write_buffer_clear (&self->buffer);
  loop_write_chunk_pool_clear (&self->pool);
  g_byte_array_set_size (self->model, 0);
  pair_check (self);
  g_byte_array_unref (self->model);
}

START_TEST (test_empty)
{
  Pair pair;

  pair_init (&pair);
  pair_check (&pair);
  pair_append (&pair, (const guint8 *) "", 0);
  pair_append_bytes (&pair, (const guint8 *) "abc", 3, 3);
  pair_check (&pair);
  pair_consume (&pair, 0);
  pair_check (&pair);
  pair_clear (&pair);
}
END_TEST

START_TEST (test_random)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  guint8 data[20000];
  Pair pair;

  for (guint i = 0; i < G_N_ELEMENTS (data); i++)
    data[i] = (guint8) g_rand_int (rand);
  pair_init (&pair);

  for (guint i = 0; i < 5000; i++)
    {
      gsize length = (gsize) g_rand_int_range (rand, 0, g_rand_int_range (rand, 0, 4) == 0 ? 20000 : 100);
      gsize start = (gsize) g_rand_int_range (rand, 0, (gint32) (G_N_ELEMENTS (data) - length + 1));

      switch (g_rand_int_range (rand, 0, 5))
        {
        case 0:
        case 1:
          pair_append (&pair, data + start, length);
          break;
        case 2:
          pair_append_bytes (&pair, data + start, length, (gsize) g_rand_int_range (rand, 0, (gint32) length + 1));
          break;
        case 3:
          pair_consume (&pair, (gsize) g_rand_int_range (rand, 0, (gint32) pair.model->len + 1));
          break;
        default:
          pair_consume (&pair, MIN (pair.model->len, length));
        }
      pair_check (&pair);
    }
  pair_clear (&pair);
}
END_TEST

/* More parts than a system call takes. */
START_TEST (test_many_parts)
{
  Pair pair;

  pair_init (&pair);
  for (guint i = 0; i < 3 * LOOP_WRITE_BUFFER_MAX_IOV; i++)
    {
      guint8 byte = (guint8) i;

      pair_append_bytes (&pair, &byte, 1, 0);
    }
  pair_check (&pair);
  while (pair.model->len > 0)
    {
      pair_consume (&pair, MIN (pair.model->len, 7));
      pair_check (&pair);
    }
  pair_clear (&pair);
}
END_TEST

/* Many small writes share memory: 100,000 bytes one by one are no 100,000 parts. */
START_TEST (test_small_writes_share)
{
  struct iovec iov[LOOP_WRITE_BUFFER_MAX_IOV];
  Pair pair;

  pair_init (&pair);
  for (guint i = 0; i < 100 * 1000; i++)
    {
      guint8 byte = (guint8) i;

      pair_append (&pair, &byte, 1);
    }
  ck_assert_uint_le (loop_write_buffer_peek (&pair.buffer, iov, G_N_ELEMENTS (iov)), 30);
  pair_check (&pair);
  pair_clear (&pair);
}
END_TEST

/* Whoever writes little, and again and again, does so in the same memory; but not for ever in all there ever was. */
START_TEST (test_chunks_are_used_again)
{
  Pair pair;
  g_autofree guint8 *much = g_malloc0 (1000 * 1000);
  LoopWriteChunk *first;

  pair_init (&pair);
  pair_append (&pair, (const guint8 *) "abc", 3);
  first = pair.buffer.head;
  pair_consume (&pair, 3);
  ck_assert_uint_eq (pair.pool.n_spares, 1);
  pair_append (&pair, (const guint8 *) "def", 3);
  ck_assert_ptr_eq (pair.buffer.head, first);
  ck_assert_uint_eq (pair.pool.n_spares, 0);
  pair_check (&pair);

  for (guint i = 0; i < 1000; i++)
    pair_append (&pair, much, 1000);
  /* Too large for all. */
  pair_append (&pair, much, 1000 * 1000);
  pair_check (&pair);
  pair_consume (&pair, pair.model->len);
  ck_assert_uint_eq (pair.pool.n_spares, 64);
  pair_clear (&pair);
}
END_TEST

/* An empty buffer owns no memory: there is one for each connection, idle ones too. */
START_TEST (test_empty_owns_nothing)
{
  Pair pair;

  pair_init (&pair);
  pair_append (&pair, (const guint8 *) "abc", 3);
  pair_append_bytes (&pair, (const guint8 *) "def", 3, 0);
  pair_consume (&pair, 6);
  ck_assert_ptr_null (pair.buffer.head);
  ck_assert_ptr_null (pair.buffer.tail);
  pair_append (&pair, (const guint8 *) "ghi", 3);
  pair_check (&pair);
  pair_clear (&pair);
}
END_TEST

LOOP_TEST_MAIN ("write-buffer",
                test_empty,
                test_random,
                test_many_parts,
                test_small_writes_share,
                test_chunks_are_used_again,
                test_empty_owns_nothing)
