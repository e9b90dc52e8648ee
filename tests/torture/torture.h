/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/*
 * A scenario is a program of its own: a function that uses the library, and TORTURE_MAIN(). The function is run again
 * and again, each time in a process of its own and with other calls of the C library failing, from torture_start() on
 * until torture_stop(). It has to come to its end each time: with all that it wanted, or with an error that it was told
 * of. It may not crash, hang, keep the processor busy, or leave descriptors or memory behind.
 */

typedef void (*TortureScenario) (void);

void torture_start (void);
void torture_stop (void);

void torture_report (const char *format, ...) G_GNUC_PRINTF (1, 2);
gboolean torture_has_reported (void);
void torture_fail (const char *format, ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;
void torture_expect (gboolean is_fine, const char *what);
void torture_count_iterations (guint64 n);

guint torture_count_fds (void);

/* What is open by now may stay so. */
void torture_keep_open (void);

/* In a process that was forked before: its calls do not fail. */
void torture_leave_alone (void);

int torture_main (const char *name, TortureScenario scenario, int argc, char **argv);

#define TORTURE_MAIN(name, scenario)                                                                                   \
  int main (int argc, char **argv) { return torture_main (name, scenario, argc, argv); }
