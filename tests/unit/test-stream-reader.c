/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-futures.h"

#include "loop-fiber.h"
#include "loop-future-private.h"
#include "loop-stream-reader.h"
#include "loop-task.h"
#include "loop-wait-for.h"

#include <string.h>

/* Readers by themselves: what they are fed is read from them. */

static LoopEventLoop *loop;

static LoopStreamReader *
new_reader (gssize limit)
{
  if (loop == NULL)
    loop = loop_event_loop_new ();

  return loop_stream_reader_new (loop, limit);
}

/* Nothing keeps the loop but the test. */
static void
end (LoopStreamReader *reader)
{
  gpointer weak = loop;

  if (reader != NULL)
    ck_assert_uint_eq (G_OBJECT (reader)->ref_count, 1);
  g_clear_object (&reader);
  ck_assert (loop_event_loop_close (loop));
  g_object_add_weak_pointer (G_OBJECT (loop), &weak);
  g_clear_object (&loop);
  ck_assert_ptr_null (weak);
}

static void
feed (LoopStreamReader *reader, const char *text)
{
  loop_stream_reader_feed_data (reader, (const guint8 *) text, strlen (text));
}

static LoopFuture *
read_until (LoopStreamReader *reader, const char *separator)
{
  return loop_stream_reader_readuntil (reader, (const guint8 *) separator, strlen (separator));
}

static void
check_value (const GValue *value, const char *text)
{
  gsize length;
  const char *data;

  ck_assert (G_VALUE_HOLDS (value, G_TYPE_BYTES));
  data = g_bytes_get_data (g_value_get_boxed (value), &length);
  ck_assert_msg (length == strlen (text) && (length == 0 || memcmp (data, text, length) == 0), "\"%.*s\" is not \"%s\"",
                 (int) length, data, text);
}

/* That the read has given @text. Takes it. */
static void
check_read (LoopFuture *future, const char *text)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_future_result (future, &value, &error), "%s", error != NULL ? error->message : "");
  check_value (&value, text);
  loop_future_release (future);
}

/* That it has failed. Takes it. */
static void
check_error (LoopFuture *future, GQuark domain, int code)
{
  check_failed (future, domain, code);
  g_object_unref (future);
}

static void
check_incomplete (LoopFuture *future, LoopStreamReader *reader, const char *text)
{
  g_auto (GValue) value = G_VALUE_INIT;

  check_error (future, LOOP_ERROR, LOOP_ERROR_INCOMPLETE_READ);
  g_value_init (&value, G_TYPE_BYTES);
  g_value_set_boxed (&value, loop_stream_reader_get_partial (reader));
  check_value (&value, text);
}

static void
check_overrun (LoopFuture *future, LoopStreamReader *reader, gsize consumed)
{
  check_error (future, LOOP_ERROR, LOOP_ERROR_LIMIT_OVERRUN);
  ck_assert_uint_eq (loop_stream_reader_get_consumed (reader), consumed);
}

START_TEST (test_limits)
{
  LoopStreamReader *reader = new_reader (0);

  ck_assert_uint_eq (loop_stream_reader_get_limit (reader), 64 * 1024);
  ck_assert_ptr_eq (loop_stream_reader_get_loop (reader), loop);
  ck_assert_ptr_null (loop_stream_reader_get_partial (reader));
  ck_assert_uint_eq (loop_stream_reader_get_consumed (reader), 0);
  g_object_unref (reader);
  reader = new_reader (-1);
  ck_assert_uint_eq (loop_stream_reader_get_limit (reader), 64 * 1024);
  g_object_unref (reader);
  reader = new_reader (7);
  ck_assert_uint_eq (loop_stream_reader_get_limit (reader), 7);
  end (reader);
}
END_TEST

START_TEST (test_read)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future;

  feed (reader, "");
  feed (reader, "hello, ");
  feed (reader, "world");
  /* What is there is there at once. */
  check_read (loop_stream_reader_read (reader, 0), "");
  check_read (loop_stream_reader_read (reader, 2), "he");
  check_read (loop_stream_reader_read (reader, 100), "llo, world");

  future = loop_stream_reader_read (reader, 4);
  ck_assert (!loop_future_done (future));
  feed (reader, "again");
  check_read (future, "agai");
  check_read (loop_stream_reader_read (reader, 4), "n");

  future = loop_stream_reader_read (reader, 4);
  loop_stream_reader_feed_eof (reader);
  check_read (future, "");
  check_read (loop_stream_reader_read (reader, 4), "");
  end (reader);
}
END_TEST

START_TEST (test_read_all)
{
  LoopStreamReader *reader = new_reader (4);
  LoopFuture *future;

  feed (reader, "one ");
  future = loop_stream_reader_read (reader, -1);
  feed (reader, "two ");
  /* More than twice the limit. */
  feed (reader, "three ");
  ck_assert (!loop_future_done (future));
  ck_assert (!loop_stream_reader_at_eof (reader));
  loop_stream_reader_feed_eof (reader);
  check_read (future, "one two three ");
  ck_assert (loop_stream_reader_at_eof (reader));
  check_read (loop_stream_reader_read (reader, -1), "");
  end (reader);
}
END_TEST

START_TEST (test_at_eof)
{
  LoopStreamReader *reader = new_reader (-1);

  ck_assert (!loop_stream_reader_at_eof (reader));
  feed (reader, "some\n");
  loop_stream_reader_feed_eof (reader);
  ck_assert (!loop_stream_reader_at_eof (reader));
  check_read (loop_stream_reader_readline (reader), "some\n");
  ck_assert (loop_stream_reader_at_eof (reader));
  end (reader);
}
END_TEST

START_TEST (test_readexactly)
{
  LoopStreamReader *reader = new_reader (4);
  LoopFuture *future;

  check_read (loop_stream_reader_readexactly (reader, 0), "");
  future = loop_stream_reader_readexactly (reader, 12);
  feed (reader, "hello, ");
  ck_assert (!loop_future_done (future));
  feed (reader, "world and more");
  check_read (future, "hello, world");
  check_read (loop_stream_reader_readexactly (reader, 4), " and");

  future = loop_stream_reader_readexactly (reader, 100);
  loop_stream_reader_feed_eof (reader);
  check_incomplete (future, reader, " more");
  check_incomplete (loop_stream_reader_readexactly (reader, 1), reader, "");
  ck_assert (loop_stream_reader_at_eof (reader));
  end (reader);
}
END_TEST

START_TEST (test_readline)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future;

  feed (reader, "one\ntwo\n\nthr");
  check_read (loop_stream_reader_readline (reader), "one\n");
  check_read (loop_stream_reader_readline (reader), "two\n");
  check_read (loop_stream_reader_readline (reader), "\n");
  future = loop_stream_reader_readline (reader);
  ck_assert (!loop_future_done (future));
  feed (reader, "ee\nfour");
  check_read (future, "three\n");
  future = loop_stream_reader_readline (reader);
  feed (reader, " and more");
  loop_stream_reader_feed_eof (reader);
  check_read (future, "four and more");
  check_read (loop_stream_reader_readline (reader), "");
  end (reader);
}
END_TEST

/* A line that is too long is dropped, and the next one can be read. */
START_TEST (test_long_lines)
{
  LoopStreamReader *reader = new_reader (4);
  LoopFuture *future;

  feed (reader, "1234\n12345\nnext\n");
  check_read (loop_stream_reader_readline (reader), "1234\n");
  check_overrun (loop_stream_reader_readline (reader), reader, 5);
  check_read (loop_stream_reader_readline (reader), "next\n");

  /* Without its end, what is there of it. */
  future = loop_stream_reader_readline (reader);
  feed (reader, "1234");
  ck_assert (!loop_future_done (future));
  feed (reader, "56789");
  check_overrun (future, reader, 9);
  feed (reader, "0\n");
  check_read (loop_stream_reader_readline (reader), "0\n");
  end (reader);
}
END_TEST

START_TEST (test_readuntil)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future;

  feed (reader, "one--two-");
  check_read (read_until (reader, "--"), "one--");
  future = read_until (reader, "--");
  /* In pieces, and what looks like it. */
  feed (reader, "x");
  feed (reader, "-");
  ck_assert (!loop_future_done (future));
  feed (reader, "-three---four");
  check_read (future, "two-x--");
  check_read (read_until (reader, "--"), "three--");
  check_read (read_until (reader, "f"), "-f");
  check_error (read_until (reader, ""), G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);

  future = read_until (reader, "--");
  loop_stream_reader_feed_eof (reader);
  check_incomplete (future, reader, "our");
  check_incomplete (read_until (reader, "--"), reader, "");
  end (reader);
}
END_TEST

/* Unlike a line, what was over the limit can still be read. */
START_TEST (test_limit_overrun)
{
  LoopStreamReader *reader = new_reader (5);
  LoopFuture *future;

  feed (reader, "123456--");
  check_overrun (read_until (reader, "--"), reader, 6);
  check_read (loop_stream_reader_readexactly (reader, 6), "123456");
  check_read (read_until (reader, "--"), "--");

  future = read_until (reader, "--");
  feed (reader, "12345-");
  ck_assert (!loop_future_done (future));
  feed (reader, "7");
  check_overrun (future, reader, 6);
  check_read (loop_stream_reader_read (reader, 6), "12345-");
  feed (reader, "--");
  check_read (read_until (reader, "--"), "7--");

  /* As much as the limit may be in front of it. */
  feed (reader, "12345--");
  check_read (read_until (reader, "--"), "12345--");
  end (reader);
}
END_TEST

/* Another separator is looked for from the start. */
START_TEST (test_two_separators)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future;

  feed (reader, "a,b,c");
  future = read_until (reader, ";");
  ck_assert (loop_future_cancel (future));
  g_object_unref (future);
  check_read (read_until (reader, ","), "a,");
  end (reader);
}
END_TEST

START_TEST (test_exception)
{
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "all is full");
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future = loop_stream_reader_readline (reader);
  GError *found;

  ck_assert_ptr_null (loop_stream_reader_exception (reader));
  feed (reader, "some");
  loop_stream_reader_set_exception (reader, error);
  found = loop_stream_reader_exception (reader);
  ck_assert (g_error_matches (found, G_IO_ERROR, G_IO_ERROR_NO_SPACE));
  g_error_free (found);
  check_error (future, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  check_error (loop_stream_reader_read (reader, -1), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  check_error (loop_stream_reader_read (reader, 0), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  check_error (loop_stream_reader_readexactly (reader, 1), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  check_error (read_until (reader, "x"), G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  end (reader);
}
END_TEST

START_TEST (test_one_at_a_time)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *first = loop_stream_reader_readline (reader);

  check_error (loop_stream_reader_read (reader, 1), G_IO_ERROR, G_IO_ERROR_PENDING);
  check_error (loop_stream_reader_readexactly (reader, 1), G_IO_ERROR, G_IO_ERROR_PENDING);
  feed (reader, "mine\n");
  check_read (first, "mine\n");
  feed (reader, "x");
  check_read (loop_stream_reader_read (reader, 1), "x");
  end (reader);
}
END_TEST

/* A read that is cancelled, or that nobody waits for any more, takes nothing. */
START_TEST (test_cancel)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future = loop_stream_reader_readexactly (reader, 10);
  gpointer weak;

  feed (reader, "abc");
  ck_assert (loop_future_cancel (future));
  ck_assert (!loop_future_cancel (future));
  g_object_unref (future);
  feed (reader, "def");
  check_read (loop_stream_reader_read (reader, 100), "abcdef");

  g_object_unref (loop_stream_reader_readline (reader));
  feed (reader, "line\n");
  check_read (loop_stream_reader_readline (reader), "line\n");

  /* Somebody else may also have ended it. */
  future = loop_stream_reader_readline (reader);
  ck_assert (loop_future_set_result (future, NULL, NULL));
  feed (reader, "line\n");
  check_read (loop_stream_reader_readline (reader), "line\n");
  g_object_unref (future);

  /* It goes with the reader. */
  future = loop_stream_reader_readline (reader);
  g_object_unref (reader);
  ck_assert (loop_future_cancelled (future));
  weak = future;
  g_object_add_weak_pointer (G_OBJECT (future), &weak);
  g_object_unref (future);
  ck_assert_ptr_null (weak);
  end (NULL);
}
END_TEST

static gboolean
read_line (GValue *result, gpointer reader, GError **error)
{
  return loop_await_result (loop_stream_reader_readline (reader), result, error);
}

static gboolean
read_line_in_time (GValue *result, gpointer reader, GError **error)
{
  g_autoptr (LoopFuture) line = loop_stream_reader_readline (reader);

  return loop_await_result (loop_wait_for (line, 100), result, error);
}

static gboolean
read_five (GValue *result, gpointer reader, GError **error)
{
  return loop_await_result (loop_stream_reader_readexactly (reader, 5), result, error);
}

/* A task that is cancelled after the line has come, and before it has gone on: the next one reads it. */
START_TEST (test_cancel_late)
{
  static const LoopFiberFunc funcs[] = { read_line, read_line_in_time };

  for (guint i = 0; i < G_N_ELEMENTS (funcs); i++)
    {
      LoopStreamReader *reader = new_reader (-1);
      g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, funcs[i], reader, NULL);

      run_once (loop);
      feed (reader, "first\nsecond\n");
      ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
      for (guint j = 0; j < 5; j++)
        run_once (loop);
      ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
      check_read (loop_stream_reader_readline (reader), "first\n");
      check_read (loop_stream_reader_readline (reader), "second\n");
      g_clear_object (&task);
      end (reader);
    }
}
END_TEST

/* The same with what there was at the end. */
START_TEST (test_cancel_incomplete)
{
  LoopStreamReader *reader = new_reader (-1);
  g_autoptr (LoopTask) task = loop_event_loop_spawn (loop, read_five, reader, NULL);

  run_once (loop);
  feed (reader, "abc");
  loop_stream_reader_feed_eof (reader);
  ck_assert (loop_future_cancel (LOOP_FUTURE (task)));
  for (guint j = 0; j < 5; j++)
    run_once (loop);
  ck_assert (loop_future_cancelled (LOOP_FUTURE (task)));
  ck_assert (!loop_stream_reader_at_eof (reader));
  check_read (loop_stream_reader_read (reader, -1), "abc");
  g_clear_object (&task);
  end (reader);
}
END_TEST

/* Everything in random pieces, read in random ways. */
START_TEST (test_random)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  LoopStreamReader *reader = new_reader (3000);
  g_autofree char *sent = g_malloc (200001);
  g_autoptr (GString) received = g_string_new (NULL);
  LoopFuture *future = NULL;
  gsize n_sent = 0;

  for (guint i = 0; i < 200000; i++)
    sent[i] = (char) (g_rand_int_range (rand, 0, 50) == 0 ? '\n' : g_rand_int_range (rand, 'a', 'z'));
  sent[200000] = '\0';

  while (received->len < 200000)
    {
      if (future == NULL)
        {
          switch (g_rand_int_range (rand, 0, 4))
            {
            case 0:
              future = loop_stream_reader_read (reader, g_rand_int_range (rand, 1, 5000));
              break;
            case 1:
              future = loop_stream_reader_readexactly (reader, (gsize) g_rand_int_range (rand, 1, 9000));
              break;
            case 2:
              future = loop_stream_reader_readline (reader);
              break;
            default:
              future = read_until (reader, "\na");
            }
        }

      if (loop_future_done (future))
        {
          g_auto (GValue) value = G_VALUE_INIT;
          g_autoptr (GError) error = NULL;
          GBytes *bytes = NULL;
          gsize length;
          const char *data;

          if (loop_future_result (future, &value, &error))
            bytes = g_value_get_boxed (&value);
          else if (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_INCOMPLETE_READ))
            bytes = loop_stream_reader_get_partial (reader);
          if (bytes != NULL)
            {
              data = g_bytes_get_data (bytes, &length);
              g_string_append_len (received, data, (gssize) length);
            }
          g_clear_pointer (&future, loop_future_release);
        }
      else if (n_sent == 200000)
        {
          loop_stream_reader_feed_eof (reader);
        }
      else if (g_rand_int_range (rand, 0, 10) == 0)
        {
          ck_assert (loop_future_cancel (future));
          g_clear_object (&future);
        }
      else
        {
          gsize length = (gsize) g_rand_int_range (rand, 1, 6000);

          length = MIN (length, 200000 - n_sent);

          loop_stream_reader_feed_data (reader, (const guint8 *) sent + n_sent, length);
          n_sent += length;
        }
    }

  ck_assert_str_eq (received->str, sent);
  end (reader);
}
END_TEST

START_TEST (test_closed_loop)
{
  LoopStreamReader *reader = new_reader (-1);
  LoopFuture *future = loop_stream_reader_readline (reader);

  ck_assert (loop_event_loop_close (loop));
  check_error (loop_stream_reader_readline (reader), LOOP_ERROR, LOOP_ERROR_CLOSED);
  g_object_unref (future);
  end (reader);
}
END_TEST

START_TEST (test_misuse)
{
  LoopStreamReader *reader = new_reader (-1);

  loop_stream_reader_feed_eof (reader);
  loop_check_expect_critical ("*!self->is_eof*");
  feed (reader, "too late");
  loop_check_expect_critical ("*LOOP_IS_STREAM_READER (self)*");
  ck_assert_ptr_null (loop_stream_reader_read (NULL, 1));
  loop_check_expect_critical ("*LOOP_IS_EVENT_LOOP (loop)*");
  ck_assert_ptr_null (loop_stream_reader_new (NULL, 1));
  end (reader);
}
END_TEST

LOOP_TEST_MAIN ("stream-reader",
                test_limits,
                test_read,
                test_read_all,
                test_at_eof,
                test_readexactly,
                test_readline,
                test_long_lines,
                test_readuntil,
                test_limit_overrun,
                test_two_separators,
                test_exception,
                test_one_at_a_time,
                test_cancel,
                test_cancel_late,
                test_cancel_incomplete,
                test_random,
                test_closed_loop,
                test_misuse)
