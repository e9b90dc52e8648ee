/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The longest parameters, result or error of a job, with what goes with them. */
#define LOOP_PROCESS_FRAME_MAX_SIZE (256 * 1024 * 1024)

/* What is sent between a process and its worker; each has a GVariant of a type of its own. */
typedef enum
{
  LOOP_PROCESS_FRAME_CALL = 0x4c6f4361,
  LOOP_PROCESS_FRAME_RESULT = 0x4c6f5265,
  LOOP_PROCESS_FRAME_ERROR = 0x4c6f4572,
} LoopProcessFrameKind;

typedef struct
{
  gsize size;
  guint8 *data;
} LoopProcessFrame;

typedef enum
{
  LOOP_PROCESS_FRAME_INCOMPLETE,
  LOOP_PROCESS_FRAME_COMPLETE,
  LOOP_PROCESS_FRAME_END,
  LOOP_PROCESS_FRAME_INVALID,
} LoopProcessFrameStatus;

/* One frame that comes in. Its sender waits for an answer before it sends another. */
typedef struct
{
  guint8 *data;
  gsize length;
  gsize capacity;
} LoopProcessFrameReader;

G_GNUC_INTERNAL
LoopProcessFrame *loop_process_frame_new (LoopProcessFrameKind kind, GVariant *content, GError **error);
G_GNUC_INTERNAL
LoopProcessFrame *loop_process_frame_new_error (const GError *error);
G_GNUC_INTERNAL
void loop_process_frame_free (LoopProcessFrame *self);
G_GNUC_INTERNAL
gssize loop_process_frame_send (const LoopProcessFrame *self, gsize offset, int fd);

G_GNUC_INTERNAL
LoopProcessFrameStatus loop_process_frame_reader_receive (LoopProcessFrameReader *self, int fd);
G_GNUC_INTERNAL
GVariant *loop_process_frame_reader_take (LoopProcessFrameReader *self, LoopProcessFrameKind *kind);
G_GNUC_INTERNAL
void loop_process_frame_reader_clear (LoopProcessFrameReader *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopProcessFrame, loop_process_frame_free)

G_END_DECLS
