/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

G_GNUC_INTERNAL
void loop_process_worker_main (int fd) G_GNUC_NORETURN;

G_END_DECLS
