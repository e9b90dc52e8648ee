/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "io-check.h"

G_BEGIN_DECLS

/* The streams that transports are made of, as they differ in what they can do. */
typedef enum
{
  IO_END_SOCKET,
  IO_END_PIPES,
  IO_END_BUFFERED, /* neither pollable, nor without a flush */
  IO_END_TRANSPORT,
  IO_END_N_KINDS
} IOEndKind;

/* A stream, and what is at its other end. */
typedef struct
{
  GIOStream *stream;
  int in;
  int out;
  Tcp *owner; /* of the descriptor, if not we */
} IOEnd;

IOEnd io_end_new (Tcp *tcp, IOEndKind kind);
void io_end_close (IOEnd *self);
/* Of the other side: no more will come. */
void io_end_shut_down (IOEnd *self);
void io_end_clear (IOEnd *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IOEnd, io_end_clear)

/* A client of @tcp's whose transport has the stream. */
TcpPeer *io_connect (Tcp *tcp, GIOStream *stream);

G_END_DECLS
