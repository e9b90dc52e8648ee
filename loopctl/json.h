/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

void ctl_json_append (GString *out, GVariant *value, gboolean pretty);

G_END_DECLS
