/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop.h>

/* What the target does with servers, transports and subprocesses. Returns: an answer, or NULL if it comes later */
char *command_serve (LoopEventLoop *loop, char **arguments);
char *command_write (LoopEventLoop *loop, char **arguments);
char *command_limits (LoopEventLoop *loop, char **arguments);
char *command_spawn (LoopEventLoop *loop, char **arguments);

static inline double
number (char **arguments, guint index, double otherwise)
{
  return g_strv_length (arguments) > index ? g_ascii_strtod (arguments[index], NULL) : otherwise;
}
