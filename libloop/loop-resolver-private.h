/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"

#include <netdb.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* One address that a host name stands for. */
typedef struct
{
  int family;
  int type;
  int proto;
  socklen_t length;
  struct sockaddr_storage address;
} LoopResolvedAddress;

G_GNUC_INTERNAL
LoopFuture *loop_resolver_lookup (LoopEventLoop *loop,
                                  const char *host,
                                  guint16 port,
                                  int family,
                                  int type,
                                  int proto,
                                  int flags);
G_GNUC_INTERNAL
GPtrArray *loop_resolver_dup_result (LoopFuture *future, GError **error);
G_GNUC_INTERNAL
char *loop_resolved_address_to_string (const struct sockaddr *address, socklen_t length);

G_END_DECLS
