/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "error.h"

#include <gio/gio.h>

G_DEFINE_QUARK (ctl_error, ctl_error)

/* What loopctl exits with when this is how it ended. */
CtlExit
ctl_error_get_exit (const GError *error)
{
  if (error == NULL)
    return CTL_EXIT_OK;

  return error->domain == CTL_ERROR ? (CtlExit) error->code : CTL_EXIT_FAILED;
}

/* What kind of error it is, for programs: a word of docs/rpc.md, or one of three of our own. */
const char *
ctl_error_get_name (const GError *error)
{
  static const char prefix[] = "org.libloop.Error.";
  g_autofree char *remote = NULL;

  if (error->domain == CTL_ERROR)
    {
      switch ((CtlExit) error->code)
        {
        case CTL_EXIT_USAGE:
          return "Usage";
        case CTL_EXIT_CONNECTION:
          return "Connection";
        default:
          return "Failed";
        }
    }

  remote = g_dbus_error_get_remote_error (error);
  if (remote != NULL && g_str_has_prefix (remote, prefix))
    return g_intern_string (remote + strlen (prefix));

  return "Failed";
}

char *
ctl_error_get_message (const GError *error)
{
  g_autoptr (GError) copy = g_error_copy (error);

  g_dbus_error_strip_remote_error (copy);

  /* It may quote what came from a command line. */
  return g_utf8_make_valid (copy->message, -1);
}

gboolean
ctl_usage_error (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (CTL_ERROR, CTL_EXIT_USAGE, format, args);
  va_end (args);

  return FALSE;
}
