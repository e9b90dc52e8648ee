/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-result-private.h"

/**
 * LoopSubprocessResult:
 *
 * What a process has left behind: see [method@EventLoop.subprocess_communicate].
 */
G_DEFINE_FINAL_TYPE (LoopSubprocessResult, loop_subprocess_result, G_TYPE_OBJECT)

static void
loop_subprocess_result_finalize (GObject *object)
{
  LoopSubprocessResult *self = LOOP_SUBPROCESS_RESULT (object);

  g_clear_pointer (&self->output[0], g_bytes_unref);
  g_clear_pointer (&self->output[1], g_bytes_unref);

  G_OBJECT_CLASS (loop_subprocess_result_parent_class)->finalize (object);
}

static void
loop_subprocess_result_class_init (LoopSubprocessResultClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_subprocess_result_finalize;
}

static void
loop_subprocess_result_init (LoopSubprocessResult *self)
{
}

/**
 * loop_subprocess_result_get_returncode:
 * @self: a result
 *
 * Gets how the process has ended.
 *
 * Returns: the exit code, or the negative number of the signal that has ended it
 */
int
loop_subprocess_result_get_returncode (LoopSubprocessResult *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_RESULT (self), -1);

  return self->returncode;
}

/**
 * loop_subprocess_result_get_stdout:
 * @self: a result
 *
 * Gets what the process has written.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL if that was not a pipe
 */
GBytes *
loop_subprocess_result_get_stdout (LoopSubprocessResult *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_RESULT (self), NULL);

  return self->output[0];
}

/**
 * loop_subprocess_result_get_stderr:
 * @self: a result
 *
 * Gets what the process has written of errors.
 *
 * Returns: (transfer none) (nullable): the bytes, or %NULL if that was not a pipe
 */
GBytes *
loop_subprocess_result_get_stderr (LoopSubprocessResult *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_RESULT (self), NULL);

  return self->output[1];
}
