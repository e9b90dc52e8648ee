/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_TRANSPORT (loop_transport_get_type ())

LOOP_DECLARE_OPAQUE_TYPE (LoopTransport, loop_transport, LOOP, TRANSPORT, GObject)

LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_transport_get_loop (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_transport_get_id (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
int loop_transport_get_fd (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
int loop_transport_steal_fd (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
void loop_transport_close (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
void loop_transport_abort (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_transport_is_closing (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_transport_get_extra_info (LoopTransport *self, const char *name, GValue *value);
LOOP_AVAILABLE_IN_1_0
void loop_transport_set_protocol (LoopTransport *self, GObject *protocol);
LOOP_AVAILABLE_IN_1_0
GObject *loop_transport_get_protocol (LoopTransport *self);

LOOP_AVAILABLE_IN_1_0
void loop_transport_pause_reading (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
void loop_transport_resume_reading (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_transport_is_reading (LoopTransport *self);

LOOP_AVAILABLE_IN_1_0
void loop_transport_write (LoopTransport *self, const guint8 *data, gsize length);
LOOP_AVAILABLE_IN_1_0
void loop_transport_write_bytes (LoopTransport *self, GBytes *bytes);
LOOP_AVAILABLE_IN_1_0
void loop_transport_writelines (LoopTransport *self, GBytes **lines, gsize n_lines);
LOOP_AVAILABLE_IN_1_0
void loop_transport_write_eof (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_transport_can_write_eof (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gsize loop_transport_get_write_buffer_size (LoopTransport *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_transport_set_write_buffer_limits (LoopTransport *self, gssize high, gssize low, GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_transport_get_write_buffer_limits (LoopTransport *self, gsize *low, gsize *high);

G_END_DECLS
