/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

/**
 * LOOP_SUBPROCESS_PIPE:
 *
 * A pipe between the loop and the process.
 */
#define LOOP_SUBPROCESS_PIPE -1

/**
 * LOOP_SUBPROCESS_STDOUT:
 *
 * For the errors of a process: where its output goes.
 */
#define LOOP_SUBPROCESS_STDOUT -2

/**
 * LOOP_SUBPROCESS_DEVNULL:
 *
 * Nothing: `/dev/null`.
 */
#define LOOP_SUBPROCESS_DEVNULL -3

/**
 * LOOP_SUBPROCESS_INHERIT:
 *
 * What this process has itself.
 */
#define LOOP_SUBPROCESS_INHERIT -4

#define LOOP_TYPE_SUBPROCESS_OPTIONS (loop_subprocess_options_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopSubprocessOptions, loop_subprocess_options, LOOP, SUBPROCESS_OPTIONS, GObject)

LOOP_AVAILABLE_IN_1_0
LoopSubprocessOptions *loop_subprocess_options_new (void);

LOOP_AVAILABLE_IN_1_0
int loop_subprocess_options_get_stdin (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_stdin (LoopSubprocessOptions *self, int value);
LOOP_AVAILABLE_IN_1_0
int loop_subprocess_options_get_stdout (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_stdout (LoopSubprocessOptions *self, int value);
LOOP_AVAILABLE_IN_1_0
int loop_subprocess_options_get_stderr (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_stderr (LoopSubprocessOptions *self, int value);
LOOP_AVAILABLE_IN_1_0
const char *loop_subprocess_options_get_executable (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_executable (LoopSubprocessOptions *self, const char *value);
LOOP_AVAILABLE_IN_1_0
const char *loop_subprocess_options_get_cwd (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_cwd (LoopSubprocessOptions *self, const char *value);
LOOP_AVAILABLE_IN_1_0
const char *const *loop_subprocess_options_get_env (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_env (LoopSubprocessOptions *self, const char *const *value);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_options_get_close_fds (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_close_fds (LoopSubprocessOptions *self, gboolean value);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_options_get_restore_signals (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_restore_signals (LoopSubprocessOptions *self, gboolean value);
LOOP_AVAILABLE_IN_1_0
gboolean loop_subprocess_options_get_start_new_session (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_start_new_session (LoopSubprocessOptions *self, gboolean value);
LOOP_AVAILABLE_IN_1_0
int loop_subprocess_options_get_process_group (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_process_group (LoopSubprocessOptions *self, int value);
LOOP_AVAILABLE_IN_1_0
int loop_subprocess_options_get_umask (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_umask (LoopSubprocessOptions *self, int value);
LOOP_AVAILABLE_IN_1_0
gint64 loop_subprocess_options_get_uid (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_uid (LoopSubprocessOptions *self, gint64 value);
LOOP_AVAILABLE_IN_1_0
gint64 loop_subprocess_options_get_gid (LoopSubprocessOptions *self);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_gid (LoopSubprocessOptions *self, gint64 value);

LOOP_AVAILABLE_IN_1_0
const int *loop_subprocess_options_get_pass_fds (LoopSubprocessOptions *self, gsize *n_fds);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_pass_fds (LoopSubprocessOptions *self, const int *fds, gsize n_fds);
LOOP_AVAILABLE_IN_1_0
const guint32 *loop_subprocess_options_get_extra_groups (LoopSubprocessOptions *self, gsize *n_groups);
LOOP_AVAILABLE_IN_1_0
void loop_subprocess_options_set_extra_groups (LoopSubprocessOptions *self, const guint32 *groups, gssize n_groups);

G_END_DECLS
