/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "command.h"

G_BEGIN_DECLS

/* What is made of the command table and the list of options. */

void ctl_docs_append_commands (CtlOutput *output, gboolean for_shell);
void ctl_docs_append_command (CtlOutput *output, const CtlCommand *command);
char *ctl_docs_option_to_string (const CtlArgumentOption *option);

const char *ctl_docs_get_view_help (void);
char *ctl_docs_get_description (void);
char *ctl_docs_get_manual (const GOptionEntry *const *entries);
char *ctl_docs_get_bash_completion (const GOptionEntry *const *entries);

G_END_DECLS
