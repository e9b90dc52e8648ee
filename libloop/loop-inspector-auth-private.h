/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * The server's side of D-Bus authentication, as far as one mechanism needs it: SASL
 * EXTERNAL, with the credentials that the kernel told (D-Bus Specification,
 * "Authentication Protocol"). It reads no byte beyond the line that ends it, for what
 * follows belongs to the D-Bus connection: clients may send it in one go.
 */
typedef struct
{
  int fd;
  char *guid;
  GString *line;
  guint n_bytes;
  gboolean has_nul;
  gboolean awaits_data;
  gboolean is_authenticated;
} LoopInspectorAuth;

typedef enum
{
  LOOP_INSPECTOR_AUTH_PENDING,
  LOOP_INSPECTOR_AUTH_DONE,
  LOOP_INSPECTOR_AUTH_FAILED,
} LoopInspectorAuthResult;

G_GNUC_INTERNAL
gboolean loop_inspector_auth_check_peer (int fd);
G_GNUC_INTERNAL
void loop_inspector_auth_init (LoopInspectorAuth *self, int fd);
G_GNUC_INTERNAL
void loop_inspector_auth_clear (LoopInspectorAuth *self);
G_GNUC_INTERNAL
LoopInspectorAuthResult loop_inspector_auth_readable (LoopInspectorAuth *self);

G_END_DECLS
