/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-inspector-auth-private.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The state machine of authentication, over a pair of sockets. */

typedef struct
{
  LoopInspectorAuth auth;
  int peer;
} Pair;

static void
pair_init (Pair *self)
{
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  ck_assert (loop_inspector_auth_check_peer (fds[0]));
  loop_inspector_auth_init (&self->auth, fds[0]);
  self->peer = fds[1];
}

static void
pair_clear (Pair *self)
{
  close (self->auth.fd);
  close (self->peer);
  loop_inspector_auth_clear (&self->auth);
  /* Twice does no harm. */
  loop_inspector_auth_clear (&self->auth);
}

static LoopInspectorAuthResult
send_bytes (Pair *self, const void *bytes, gsize length)
{
  ck_assert_int_eq (send (self->peer, bytes, length, MSG_NOSIGNAL), (gssize) length);

  return loop_inspector_auth_readable (&self->auth);
}

static char *
own_uid (void)
{
  g_autofree char *text = g_strdup_printf ("%u", geteuid ());
  GString *hex = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    g_string_append_printf (hex, "%02x", *p);

  return g_string_free (hex, FALSE);
}

START_TEST (test_leaves_what_follows)
{
  g_autofree char *uid = own_uid ();
  g_autofree char *text = g_strdup_printf ("XAUTH EXTERNAL %s\r\nBEGIN\r\nl\1after\r\n", uid);
  char rest[64] = { 0 };
  Pair pair;

  pair_init (&pair);
  text[0] = '\0';
  ck_assert_int_eq (send_bytes (&pair, text, 1 + strlen (text + 1)), LOOP_INSPECTOR_AUTH_DONE);
  ck_assert_int_eq (recv (pair.auth.fd, rest, sizeof rest, 0), 9);
  ck_assert_str_eq (rest, "l\1after\r\n");
  pair_clear (&pair);
}
END_TEST

START_TEST (test_byte_by_byte)
{
  g_autofree char *uid = own_uid ();
  g_autofree char *text = g_strdup_printf ("XAUTH EXTERNAL\r\nDATA %s\r\nBEGIN\r\n", uid);
  gsize length = strlen (text);
  Pair pair;

  pair_init (&pair);
  text[0] = '\0';
  for (gsize i = 0; i < length; i++)
    ck_assert_int_eq (send_bytes (&pair, text + i, 1),
                      i + 1 < length ? LOOP_INSPECTOR_AUTH_PENDING : LOOP_INSPECTOR_AUTH_DONE);
  pair_clear (&pair);
}
END_TEST

START_TEST (test_closed)
{
  Pair pair;

  pair_init (&pair);
  ck_assert_int_eq (loop_inspector_auth_readable (&pair.auth), LOOP_INSPECTOR_AUTH_PENDING);
  ck_assert_int_eq (send_bytes (&pair, "\0AUTH", 5), LOOP_INSPECTOR_AUTH_PENDING);
  ck_assert_int_eq (shutdown (pair.peer, SHUT_RDWR), 0);
  ck_assert_int_eq (loop_inspector_auth_readable (&pair.auth), LOOP_INSPECTOR_AUTH_FAILED);
  pair_clear (&pair);
}
END_TEST

START_TEST (test_line_limit)
{
  char bytes[512];
  Pair pair;

  /* 512 in a line are not too many, 513 are. */
  pair_init (&pair);
  memset (bytes, 'x', sizeof bytes);
  ck_assert_int_eq (send_bytes (&pair, "", 1), LOOP_INSPECTOR_AUTH_PENDING);
  ck_assert_int_eq (send_bytes (&pair, bytes, sizeof bytes), LOOP_INSPECTOR_AUTH_PENDING);
  ck_assert_int_eq (send_bytes (&pair, bytes, 1), LOOP_INSPECTOR_AUTH_FAILED);
  pair_clear (&pair);
}
END_TEST

START_TEST (test_total_limit)
{
  LoopInspectorAuthResult result;
  guint n_sent = 1;
  Pair pair;

  pair_init (&pair);
  result = send_bytes (&pair, "", 1);
  while (result == LOOP_INSPECTOR_AUTH_PENDING && n_sent < 10000)
    {
      result = send_bytes (&pair, "NONSENSE\r\n", 10);
      n_sent += 10;
    }
  ck_assert_int_eq (result, LOOP_INSPECTOR_AUTH_FAILED);
  ck_assert_uint_le (n_sent, 4096 + 10);
  pair_clear (&pair);
}
END_TEST

START_TEST (test_identities)
{
  g_autofree char *uid = own_uid ();
  const struct
  {
    const char *suffix;
    gboolean is_accepted;
  } cases[] = { { "", TRUE }, { "0", FALSE }, { "00", FALSE }, { "30", FALSE }, { "zz", FALSE }, { " ", FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("XAUTH EXTERNAL %s%s\r\n", uid, cases[i].suffix);
      char answer[64] = { 0 };
      Pair pair;

      pair_init (&pair);
      text[0] = '\0';
      ck_assert_int_eq (send_bytes (&pair, text, 1 + strlen (text + 1)), LOOP_INSPECTOR_AUTH_PENDING);
      ck_assert_int_gt (recv (pair.peer, answer, sizeof answer - 1, 0), 0);
      ck_assert_int_eq (g_str_has_prefix (answer, "OK "), cases[i].is_accepted);
      ck_assert_int_eq (send_bytes (&pair, "BEGIN\r\n", 7),
                        cases[i].is_accepted ? LOOP_INSPECTOR_AUTH_DONE : LOOP_INSPECTOR_AUTH_FAILED);
      pair_clear (&pair);
    }
}
END_TEST

START_TEST (test_random)
{
  static const char *const words[] = { "AUTH",  " ",  "EXTERNAL", "\r\n",     "DATA",     "CANCEL",
                                       "ERROR", "\n", "\r",       "31323334", "BEGIN\r\n" };

  g_random_set_seed (39);
  for (int i = 0; i < 5000; i++)
    {
      g_autoptr (GString) text = g_string_new ("");
      Pair pair;

      g_string_append_c (text, '\0');
      for (int n = g_random_int_range (0, 12); n > 0; n--)
        {
          if (g_random_int_range (0, 10) == 0)
            g_string_append_c (text, (char) g_random_int_range (0, 256));
          else
            g_string_append (text, words[g_random_int_range (0, G_N_ELEMENTS (words))]);
        }

      pair_init (&pair);
      /* It cannot get in: an identity that is not its own is all it has. */
      if (strstr (text->str + 1, "EXTERNAL\r\nDATA") == NULL && strstr (text->str + 1, "EXTERNAL \r\n") == NULL)
        ck_assert_int_ne (send_bytes (&pair, text->str, text->len), LOOP_INSPECTOR_AUTH_DONE);
      pair_clear (&pair);
    }
}
END_TEST

LOOP_TEST_MAIN ("inspector-auth",
                test_leaves_what_follows,
                test_byte_by_byte,
                test_closed,
                test_line_limit,
                test_total_limit,
                test_identities,
                test_random)
