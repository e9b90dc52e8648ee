/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-process-pool-executor.h"

G_BEGIN_DECLS

/* A function that was registered. It is never freed, and never changes. */
typedef struct
{
  const char *name;
  GVariantType *parameter_type; /* or NULL: any */
  LoopProcessFunc func;
  gpointer user_data;
} LoopProcessFunction;

G_GNUC_INTERNAL
const LoopProcessFunction *loop_process_function_lookup (const char *name, GError **error);
G_GNUC_INTERNAL
GVariant *loop_process_function_call (const char *name, GVariant *parameters, GError **error);

G_END_DECLS
