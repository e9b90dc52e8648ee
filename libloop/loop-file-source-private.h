/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/* How much is sent before others have their turn, some 2 ms. With less, the peer runs out of data in between. */
#define LOOP_FILE_TURN (4 * 1024 * 1024)

typedef struct _LoopFileSource LoopFileSource;
typedef struct _LoopFileRead LoopFileRead;

typedef enum
{
  LOOP_FILE_REGULAR, /* sendfile() */
  LOOP_FILE_PIPE,    /* splice() */
  LOOP_FILE_STREAM,  /* of GIO's, whatever it reads from */
} LoopFileKind;

typedef enum
{
  LOOP_FILE_DONE,          /* all that was asked for, or all that there is */
  LOOP_FILE_AGAIN,         /* the sink is full, or it is the turn of others */
  LOOP_FILE_EMPTY,         /* the source has nothing at the moment; its wake function is called */
  LOOP_FILE_BLOCK,         /* that is to be sent */
  LOOP_FILE_NOT_AVAILABLE, /* the kernel cannot do it with these two */
  LOOP_FILE_SOURCE_FAILED,
  LOOP_FILE_SINK_FAILED, /* with errno */
} LoopFileProgress;

/*
 * What is sent, from @offset on: by the kernel, with loop_file_source_send(), or, where that is not
 * possible, in blocks of loop_file_source_read(). Whoever has sent a block counts it.
 */
struct _LoopFileSource
{
  LoopEventLoop *loop;
  GInputStream *stream;
  void (*wake) (LoopFileSource *self);
  gint64 offset;
  gint64 remaining; /* of what was asked for */
  gint64 n_sent;
  gint64 size; /* of a regular file, as it was in the beginning */
  int fd;      /* or -1 */
  LoopFileKind kind;
  gboolean is_claimed; /* nobody else may use or close the stream, until it is read */
  gboolean has_begun;  /* the position in the file is ours to set, until all is sent */
  GSource *poll_source;
  LoopFileRead *read; /* in a thread, or back from there */
};

G_GNUC_INTERNAL
gboolean loop_file_source_init (LoopFileSource *self,
                                LoopEventLoop *loop,
                                GInputStream *stream,
                                gint64 offset,
                                gint64 count,
                                void (*wake) (LoopFileSource *self),
                                GError **error);
G_GNUC_INTERNAL
void loop_file_source_clear (LoopFileSource *self);

G_GNUC_INTERNAL
LoopFileProgress loop_file_source_send (LoopFileSource *self, int fd, gsize *n_sent, GError **error);
G_GNUC_INTERNAL
gboolean loop_file_source_begin_reading (LoopFileSource *self, GError **error);
G_GNUC_INTERNAL
LoopFileProgress loop_file_source_read (LoopFileSource *self, GBytes **block, GError **error);
G_GNUC_INTERNAL
void loop_file_source_fulfil (LoopFileSource *self, LoopFuture *future);
G_GNUC_INTERNAL
GError *loop_file_source_make_not_available (LoopFileSource *self);
G_GNUC_INTERNAL
void loop_file_source_count (LoopFileSource *self, gssize n);

/* Between loop-file-source.c and loop-file-source-read.c. */
G_GNUC_INTERNAL
void loop_file_source_wait (LoopFileSource *self);
G_GNUC_INTERNAL
gboolean loop_file_source_drop_read (LoopFileSource *self, gint64 position);
G_GNUC_INTERNAL
gboolean loop_file_set_position (GInputStream *stream, gint64 position, GError **error);

static inline gboolean
loop_file_source_can_poll (LoopFileSource *self)
{
  return G_IS_POLLABLE_INPUT_STREAM (self->stream) &&
         g_pollable_input_stream_can_poll (G_POLLABLE_INPUT_STREAM (self->stream));
}

G_END_DECLS
