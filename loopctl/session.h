/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

#include "output.h"

G_BEGIN_DECLS

typedef void (*CtlAnnounceFunc) (const char *text, gpointer user_data);

/* A conversation with one process, which may go and come back meanwhile. */
typedef struct
{
  char *target; /* as the user gave it; NULL: nobody */
  double timeout;
  CtlOutput *output;
  GCancellable *interrupt; /* by Ctrl-C; stays cancelled until it is reset */
  GDBusConnection *connection;
  char *path;
  char *program;
  char *version;
  char *access;
  guint pid;
  guint64 loop_id;        /* as the user chose it; 0: the first */
  gboolean is_over;       /* "quit" was said */
  guint depth;            /* of commands within commands */
  gboolean error_is_told; /* to who reads JSON */
  CtlAnnounceFunc announce;
  gpointer announce_data;
} CtlSession;

CtlSession *ctl_session_new (const char *target, double timeout, CtlOutput *output);
void ctl_session_free (CtlSession *self);

gboolean ctl_session_connect (CtlSession *self, GError **error);
GVariant *ctl_session_list_loops (CtlSession *self, GError **error);
GVariant *ctl_session_call (CtlSession *self,
                            const char *interface,
                            const char *method,
                            GVariant *parameters,
                            const char *reply_type,
                            GError **error);
char *ctl_session_describe (CtlSession *self);
void ctl_session_announce (CtlSession *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* What a view has to say of the loop before its rows. */
void ctl_session_show_state (CtlSession *self, GVariant *state);
char *ctl_state_describe (GVariant *state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlSession, ctl_session_free)

G_END_DECLS
