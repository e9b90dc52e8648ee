/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "error.h"
#include "session.h"

G_BEGIN_DECLS

CtlExit ctl_repl_run (CtlSession *session);

G_END_DECLS
