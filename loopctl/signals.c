/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "signals.h"

#include <signal.h>
#include <string.h>

/* Signals as people write them: “SIGUSR1”, “usr1”, “10”, “RTMIN+3”. */

static const struct
{
  const char *name;
  int signum;
} aliases[] = { { "IOT", SIGIOT }, { "CLD", SIGCLD }, { "IO", SIGIO } };

/* Of one that there is not, its number. */
char *
ctl_signal_get_name (int signum)
{
  const char *abbreviation = sigabbrev_np (signum);

  if (abbreviation != NULL)
    return g_strconcat ("SIG", abbreviation, NULL);
  if (signum == SIGRTMIN)
    return g_strdup ("SIGRTMIN");
  if (signum > SIGRTMIN && signum <= SIGRTMAX)
    return g_strdup_printf ("SIGRTMIN+%d", signum - SIGRTMIN);

  return g_strdup_printf ("%d", signum);
}

static int
find_name (const char *name)
{
  for (int signum = 1; signum < NSIG; signum++)
    {
      const char *abbreviation = sigabbrev_np (signum);

      if (abbreviation != NULL && g_ascii_strcasecmp (abbreviation, name) == 0)
        return signum;
    }

  for (guint i = 0; i < G_N_ELEMENTS (aliases); i++)
    {
      if (g_ascii_strcasecmp (aliases[i].name, name) == 0)
        return aliases[i].signum;
    }

  return 0;
}

/* “RTMIN”, “RTMIN+N” and “RTMAX-N”. */
static int
find_real_time (const char *name)
{
  gboolean is_max = g_ascii_strncasecmp (name, "RTMAX", 5) == 0;
  guint64 distance = 0;
  const char *rest;

  if (!is_max && g_ascii_strncasecmp (name, "RTMIN", 5) != 0)
    return 0;

  rest = name + 5;
  if (*rest != '\0' && (*rest != (is_max ? '-' : '+') ||
                        !g_ascii_string_to_unsigned (rest + 1, 10, 0, SIGRTMAX - SIGRTMIN, &distance, NULL)))
    return 0;

  return is_max ? SIGRTMAX - (int) distance : SIGRTMIN + (int) distance;
}

/* Of a number it is not checked whether there is such a signal. */
gboolean
ctl_signal_parse (const char *text, int *signum, GError **error)
{
  const char *name = g_ascii_strncasecmp (text, "SIG", 3) == 0 ? text + 3 : text;
  guint64 number;

  if (g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &number, NULL))
    {
      *signum = (int) number;
      return TRUE;
    }

  *signum = find_name (name);
  if (*signum == 0)
    *signum = find_real_time (name);
  if (*signum != 0)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "“%s” is not a signal: write a name such as SIGUSR1 or SIGRTMIN+1, or a number", text);

  return FALSE;
}

/* Of all, or those that can be caught; of the real-time ones, the first. */
void
ctl_signal_foreach_name (gboolean can_be_caught, CtlSignalFunc function, gpointer user_data)
{
  for (int signum = 1; signum < NSIG; signum++)
    {
      g_autofree char *name = ctl_signal_get_name (signum);

      if (sigabbrev_np (signum) != NULL && (!can_be_caught || (signum != SIGKILL && signum != SIGSTOP)))
        function (name, user_data);
    }

  function ("SIGRTMIN", user_data);
}
