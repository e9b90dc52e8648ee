/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-error-private.h"

#include <string.h>

/**
 * loop_error_quark:
 *
 * Gets the quark of the %LOOP_ERROR domain.
 *
 * Returns: the quark
 */
/* clang-format off */
G_DEFINE_QUARK (loop-error-quark, loop_error)
/* clang-format on */

G_DEFINE_ENUM_TYPE (LoopError,
                    loop_error,
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_CLOSED, "closed"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_RUNNING, "running"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_STOPPED, "stopped"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_INVALID_STATE, "invalid-state"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_WRONG_THREAD, "wrong-thread"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_DESCRIPTOR_IN_USE, "descriptor-in-use"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_PROTOCOL_FACTORY, "protocol-factory"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_SENDFILE_NOT_AVAILABLE, "sendfile-not-available"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_BROKEN_BARRIER, "broken-barrier"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_QUEUE_EMPTY, "queue-empty"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_QUEUE_FULL, "queue-full"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_QUEUE_SHUT_DOWN, "queue-shut-down"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_FORKED, "forked"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_BROKEN_PROCESS_POOL, "broken-process-pool"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_NO_BUFFER, "no-buffer"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_INCOMPLETE_READ, "incomplete-read"),
                    G_DEFINE_ENUM_VALUE (LOOP_ERROR_LIMIT_OVERRUN, "limit-overrun"))

void
loop_set_error_from_errno (GError **error, int saved_errno, const char *format, ...)
{
  g_autofree char *formatted = NULL;
  g_autofree char *message = NULL;
  va_list args;

  /* Of each connection that is reset there is one of these, with nothing to format. */
  if (strchr (format, '%') != NULL)
    {
      va_start (args, format);
      formatted = g_strdup_vprintf (format, args);
      va_end (args);
    }

  message = g_strconcat (formatted != NULL ? formatted : format, ": ", g_strerror (saved_errno), NULL);
  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), message);
}

void
loop_report_misuse (const char *function, GError *error)
{
  g_critical ("%s: %s", function, error->message);
  g_error_free (error);
}
