/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "error.h"
#include "session.h"

G_BEGIN_DECLS

/* These report what fails and go on with the next command, unless the connection is lost. */
CtlExit ctl_script_run_text (CtlSession *session, const char *text);
CtlExit ctl_script_run_file (CtlSession *session, const char *name);
CtlExit ctl_script_run_all (CtlSession *session, GPtrArray *scripts);

G_END_DECLS
