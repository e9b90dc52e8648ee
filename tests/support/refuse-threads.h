/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "config.h"

#include <glib.h>

G_BEGIN_DECLS

/* A program that uses this has a pthread_create() of its own. Whether it is to fail, as when the process has too many. */
void refuse_threads (gboolean is_refused);

G_END_DECLS
