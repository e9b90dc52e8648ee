/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <histedit.h>

G_BEGIN_DECLS

typedef struct _CtlHistory CtlHistory;

CtlHistory *ctl_history_new (void);
void ctl_history_free (CtlHistory *self);

History *ctl_history_get (CtlHistory *self);
void ctl_history_add (CtlHistory *self, const char *line);

G_END_DECLS
