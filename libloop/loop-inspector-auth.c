/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-auth-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a client may send before it is authenticated, in one line and at all. */
#define MAX_LINE 512
#define MAX_BYTES 4096

/* Whether the process at the other end runs as our own user: asked of the kernel, before a byte is read. */
gboolean
loop_inspector_auth_check_peer (int fd)
{
  struct ucred credentials;
  socklen_t length = sizeof credentials;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 && length == sizeof credentials &&
         credentials.uid == geteuid ();
}

void
loop_inspector_auth_init (LoopInspectorAuth *self, int fd)
{
  *self = (LoopInspectorAuth) {
    .fd = fd,
    .guid = g_dbus_generate_guid (),
    .line = g_string_new (NULL),
  };
}

void
loop_inspector_auth_clear (LoopInspectorAuth *self)
{
  g_clear_pointer (&self->guid, g_free);
  if (self->line != NULL)
    g_string_free (g_steal_pointer (&self->line), TRUE);
}

/* A client whose socket takes no few bytes is not one that authenticates in earnest. */
static LoopInspectorAuthResult
reply (LoopInspectorAuth *self, const char *text)
{
  gsize length = strlen (text);

  return send (self->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) length ? LOOP_INSPECTOR_AUTH_PENDING
                                                                                       : LOOP_INSPECTOR_AUTH_FAILED;
}

static LoopInspectorAuthResult
reject (LoopInspectorAuth *self)
{
  self->awaits_data = FALSE;
  self->is_authenticated = FALSE;

  return reply (self, "REJECTED EXTERNAL\r\n");
}

/* @identity is the user id in decimal, in hexadecimal digits; empty for the one that the kernel told. */
static gboolean
is_own_identity (const char *identity)
{
  g_autofree char *expected = g_strdup_printf ("%u", geteuid ());
  g_autoptr (GString) decoded = g_string_new (NULL);

  for (gsize i = 0; identity[i] != '\0' && identity[i + 1] != '\0'; i += 2)
    {
      int high = g_ascii_xdigit_value (identity[i]);
      int low = g_ascii_xdigit_value (identity[i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      g_string_append_c (decoded, (char) (high << 4 | low));
    }

  return *identity == '\0' ||
         (strlen (identity) % 2 == 0 && decoded->len == strlen (expected) && g_str_equal (decoded->str, expected));
}

static LoopInspectorAuthResult
accept_identity (LoopInspectorAuth *self, const char *identity)
{
  g_autofree char *ok = g_strdup_printf ("OK %s\r\n", self->guid);

  self->awaits_data = FALSE;
  if (!is_own_identity (identity))
    return reject (self);

  self->is_authenticated = TRUE;

  return reply (self, ok);
}

static LoopInspectorAuthResult
handle_line (LoopInspectorAuth *self, const char *line)
{
  if (g_str_equal (line, "BEGIN"))
    return self->is_authenticated ? LOOP_INSPECTOR_AUTH_DONE : LOOP_INSPECTOR_AUTH_FAILED;

  if (g_str_has_prefix (line, "AUTH EXTERNAL ") && !self->is_authenticated)
    return accept_identity (self, line + strlen ("AUTH EXTERNAL "));

  if (g_str_equal (line, "AUTH EXTERNAL") && !self->is_authenticated)
    {
      self->awaits_data = TRUE;
      return reply (self, "DATA\r\n");
    }

  if (self->awaits_data && (g_str_equal (line, "DATA") || g_str_has_prefix (line, "DATA ")))
    return accept_identity (self, line[4] == ' ' ? line + 5 : "");

  if (g_str_has_prefix (line, "AUTH") || g_str_equal (line, "CANCEL") || g_str_has_prefix (line, "ERROR"))
    return reject (self);

  /* NEGOTIATE_UNIX_FD among others: descriptors are not passed. */
  return reply (self, "ERROR\r\n");
}

static LoopInspectorAuthResult
handle_bytes (LoopInspectorAuth *self, const char *bytes, gsize n)
{
  g_autofree char *line = NULL;

  if (!self->has_nul)
    {
      if (n == 0 || bytes[0] != '\0')
        return LOOP_INSPECTOR_AUTH_FAILED;
      self->has_nul = TRUE;
      bytes++;
      n--;
    }

  g_string_append_len (self->line, bytes, (gssize) n);
  if (self->line->len > MAX_LINE || memchr (self->line->str, '\0', self->line->len) != NULL)
    return LOOP_INSPECTOR_AUTH_FAILED;

  if (!g_str_has_suffix (self->line->str, "\r\n"))
    return strchr (self->line->str, '\n') != NULL ? LOOP_INSPECTOR_AUTH_FAILED : LOOP_INSPECTOR_AUTH_PENDING;

  line = g_strndup (self->line->str, self->line->len - 2);
  g_string_truncate (self->line, 0);

  return handle_line (self, line);
}

/* Reads the lines that have come, up to and including BEGIN. */
LoopInspectorAuthResult
loop_inspector_auth_readable (LoopInspectorAuth *self)
{
  for (;;)
    {
      char bytes[MAX_LINE];
      const char *newline;
      LoopInspectorAuthResult result;
      gssize n = recv (self->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        return LOOP_INSPECTOR_AUTH_PENDING;
      if (n <= 0)
        return LOOP_INSPECTOR_AUTH_FAILED;

      newline = memchr (bytes, '\n', (gsize) n);
      if (newline != NULL)
        n = newline + 1 - bytes;

      self->n_bytes += (guint) n;
      if (self->n_bytes > MAX_BYTES || recv (self->fd, bytes, (gsize) n, MSG_DONTWAIT) != n)
        return LOOP_INSPECTOR_AUTH_FAILED;

      result = handle_bytes (self, bytes, (gsize) n);
      if (result != LOOP_INSPECTOR_AUTH_PENDING)
        return result;
    }
}
