/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_listen_fds (char ***names, GError **error);

G_END_DECLS
