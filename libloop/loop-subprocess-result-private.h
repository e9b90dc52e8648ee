/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-subprocess-result.h"

G_BEGIN_DECLS

struct _LoopSubprocessResult
{
  GObject parent_instance;

  int returncode;
  GBytes *output[2]; /* or NULL: there was no pipe */
};

G_END_DECLS
