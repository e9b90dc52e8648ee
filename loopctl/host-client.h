/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "session.h"

G_BEGIN_DECLS

/* Calls of Host1. Take @parameters if they are floating. */

/* One that an id comes of, of what is called @kind. */
gboolean ctl_host_call (CtlSession *session,
                        const char *method,
                        const char *kind,
                        GVariant *parameters,
                        GError **error);

/* One that an id and a number @key come of, which @describe makes a line of, for people. */
gboolean ctl_host_call_for_number (CtlSession *session,
                                   const char *method,
                                   const char *key,
                                   char *(*describe) (guint64 id, guint number),
                                   GVariant *parameters,
                                   const char *reply_type,
                                   GError **error);

G_END_DECLS
