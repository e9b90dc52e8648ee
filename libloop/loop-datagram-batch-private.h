/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-address-cache-private.h"
#include "loop-write-buffer-private.h"

G_BEGIN_DECLS

/* How many datagrams, or trains of them, are received by one call ... */
#define LOOP_DATAGRAM_BATCH_N_SLOTS 32
/* ... with room for what a unix socket may send, so that there are fewer of these. */
#define LOOP_DATAGRAM_BATCH_N_LARGE_SLOTS 4
/* How many are sent by one call. */
#define LOOP_DATAGRAM_BATCH_N_SENT 64
#define LOOP_DATAGRAM_BATCH_N_COLLECTED 128

/*
 * The memory into which datagrams are received, and what is sent while they are handed over.
 * The endpoints of a loop take turns at one.
 */
typedef struct
{
  struct mmsghdr messages[LOOP_DATAGRAM_BATCH_N_SLOTS];
  struct iovec iov[LOOP_DATAGRAM_BATCH_N_SLOTS];
  struct sockaddr_storage names[LOOP_DATAGRAM_BATCH_N_SLOTS];
  struct
  {
    _Alignas(struct cmsghdr) guint8 bytes[256];
  } controls[LOOP_DATAGRAM_BATCH_N_SLOTS];
  guint8 *memory;

  /* What was received, and is not yet handed over. */
  guint n_messages;
  guint next;
  gsize offset; /* in a train */

  LoopDatagram collected[LOOP_DATAGRAM_BATCH_N_COLLECTED];
  struct sockaddr_storage addresses[LOOP_DATAGRAM_BATCH_N_COLLECTED];
  guint n_collected;
  guint8 *copies;
  gsize n_copied;
  gint64 begun; /* when the first was collected, by a clock that is cheap to read */
} LoopDatagramBatch;

/* What the datagram endpoints of a loop have in common; it lives until the loop is closed. */
typedef struct
{
  LoopCloseHook hook;
  LoopEventLoop *loop;
  LoopDatagramBatch *batch; /* or NULL: it is in use, or there never was one */
  LoopAddressCache addresses;
} LoopDatagramShare;

G_GNUC_INTERNAL
LoopDatagramShare *loop_datagram_share_get (LoopEventLoop *loop);
G_GNUC_INTERNAL
LoopDatagramBatch *loop_datagram_share_take (LoopDatagramShare *self);
G_GNUC_INTERNAL
void loop_datagram_share_give_back (LoopEventLoop *loop, LoopDatagramBatch *batch);

G_GNUC_INTERNAL
int loop_datagram_batch_receive (LoopDatagramBatch *self, int fd, gboolean is_large);
G_GNUC_INTERNAL
gboolean loop_datagram_batch_next (LoopDatagramBatch *self, LoopDatagram *datagram, int *flags);
G_GNUC_INTERNAL
gboolean loop_datagram_batch_collect (LoopDatagramBatch *self, const LoopDatagram *datagram);
G_GNUC_INTERNAL
gboolean loop_datagram_batch_is_old (const LoopDatagramBatch *self);

G_GNUC_INTERNAL
guint loop_datagram_send (int fd, const LoopDatagram *datagrams, guint n, guint *max_segment, guint64 *n_bytes);

G_END_DECLS
