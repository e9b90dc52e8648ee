/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-options-private.h"

/* Options that are lists of numbers, of which no binding could make a property. */

/**
 * loop_subprocess_options_get_pass_fds:
 * @self: the options
 * @n_fds: (out): return location for their number
 *
 * Gets the descriptors that the process has under the same numbers.
 *
 * Returns: (transfer none) (array length=n_fds): the descriptors
 */
const int *
loop_subprocess_options_get_pass_fds (LoopSubprocessOptions *self, gsize *n_fds)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), NULL);
  g_return_val_if_fail (n_fds != NULL, NULL);

  *n_fds = self->pass_fds->len;

  return (const int *) self->pass_fds->data;
}

/**
 * loop_subprocess_options_set_pass_fds:
 * @self: the options
 * @fds: (array length=n_fds) (nullable): descriptors
 * @n_fds: their number
 *
 * Sets which descriptors the process has besides its first three, under the same
 * numbers. They stay the caller's.
 */
void
loop_subprocess_options_set_pass_fds (LoopSubprocessOptions *self, const int *fds, gsize n_fds)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (fds != NULL || n_fds == 0);

  g_array_set_size (self->pass_fds, 0);
  if (n_fds > 0)
    g_array_append_vals (self->pass_fds, fds, (guint) n_fds);
}

/**
 * loop_subprocess_options_get_extra_groups:
 * @self: the options
 * @n_groups: (out): return location for their number
 *
 * Gets the supplementary groups of the process.
 *
 * Returns: (transfer none) (array length=n_groups) (nullable): the groups, or %NULL for
 *   those of this process
 */
const guint32 *
loop_subprocess_options_get_extra_groups (LoopSubprocessOptions *self, gsize *n_groups)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), NULL);
  g_return_val_if_fail (n_groups != NULL, NULL);

  *n_groups = self->extra_groups != NULL ? self->extra_groups->len : 0;

  return self->extra_groups != NULL ? (const guint32 *) self->extra_groups->data : NULL;
}

/**
 * loop_subprocess_options_set_extra_groups:
 * @self: the options
 * @groups: (array length=n_groups) (nullable): ids of groups
 * @n_groups: their number; 0 for none, -1 for those of this process, which is the default
 *
 * Sets the supplementary groups of the process.
 */
void
loop_subprocess_options_set_extra_groups (LoopSubprocessOptions *self, const guint32 *groups, gssize n_groups)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (groups != NULL || n_groups <= 0);

  g_clear_pointer (&self->extra_groups, g_array_unref);
  if (n_groups < 0)
    return;

  /* There is memory for a list of none, too: its address tells it from no list. */
  self->extra_groups = g_array_sized_new (FALSE, FALSE, sizeof (guint32), (guint) MAX (n_groups, 1));
  if (n_groups > 0)
    g_array_append_vals (self->extra_groups, groups, (guint) n_groups);
}
