/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "config.h"

/*
 * To be included by a program in which GLib works in threads of its own: GDBus's, GIO's pool for streams that block;
 * or in which threads make quarks, as that of a process pool does for the domains of errors. What it hands over between
 * them and the program is ordered in ways that ThreadSanitizer cannot see and tsan-glib.c cannot tell of. In such a
 * program the sanitizer does not look at what functions of the C library read and write, whoever calls them; it still
 * looks at all that libloop's own code does.
 */

#ifdef LOOP_WITH_TSAN
__attribute__ ((visibility ("default"))) const char *__tsan_default_options (void);

const char *
__tsan_default_options (void)
{
  return "ignore_noninstrumented_modules=1";
}
#endif
