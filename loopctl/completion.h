/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "session.h"

G_BEGIN_DECLS

typedef struct
{
  char *text; /* what the word becomes */
  char *hint; /* what it is, for the list; may be NULL */
} CtlCandidate;

GPtrArray *ctl_completion_get (CtlSession *session, const char *typed, char **word);
char *ctl_completion_get_common (GPtrArray *candidates);

G_END_DECLS
