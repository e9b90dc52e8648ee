/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Names of places in the program, for people. Never under a hold of the guard: they take locks and read files. */
G_GNUC_INTERNAL
char *loop_describe_function (gpointer function);
G_GNUC_INTERNAL
char *loop_describe_function_after_fault (gpointer function);
G_GNUC_INTERNAL
char *loop_describe_address (gpointer address);
G_GNUC_INTERNAL
gboolean loop_is_own_address (gpointer address);

G_END_DECLS
