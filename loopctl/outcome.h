/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "session.h"

G_BEGIN_DECLS

gboolean ctl_outcome_call (CtlSession *session, const char *method, GVariant *parameters, GError **error);
void ctl_outcome_print (CtlSession *session, const char *outcome, GVariant *state);

G_END_DECLS
