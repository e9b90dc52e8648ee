/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

#include <netinet/in.h>
#include <sys/un.h>

G_BEGIN_DECLS

/*
 * The addresses that the datagram endpoints of a loop have lately received from and sent to,
 * as objects and as the kernel has them: whoever sends a datagram is likely to send another.
 */
#define LOOP_ADDRESS_CACHE_SIZE 64

typedef struct
{
  GSocketAddress *object; /* or NULL: there is none */
  gsize length;
  union
  {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
  } native;
} LoopCachedAddress;

typedef struct
{
  LoopCachedAddress by_bytes[LOOP_ADDRESS_CACHE_SIZE];
  LoopCachedAddress by_object[LOOP_ADDRESS_CACHE_SIZE];
} LoopAddressCache;

G_GNUC_INTERNAL
void loop_address_cache_clear (LoopAddressCache *self);
G_GNUC_INTERNAL
GSocketAddress *loop_address_cache_get_object (LoopAddressCache *self,
                                               LoopEventLoop *loop,
                                               const struct sockaddr *native,
                                               gsize length);
G_GNUC_INTERNAL
const LoopCachedAddress *loop_address_cache_get_native (LoopAddressCache *self,
                                                        LoopEventLoop *loop,
                                                        GSocketAddress *object,
                                                        GError **error);

G_END_DECLS
