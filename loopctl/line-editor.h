/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "session.h"

G_BEGIN_DECLS

typedef struct _CtlLineEditor CtlLineEditor;

CtlLineEditor *ctl_line_editor_new (CtlSession *session);
void ctl_line_editor_free (CtlLineEditor *self);

char *ctl_line_editor_read (CtlLineEditor *self, const char *prompt);
void ctl_line_editor_print_above (CtlLineEditor *self, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlLineEditor, ctl_line_editor_free)

G_END_DECLS
