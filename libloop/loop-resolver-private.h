/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-address-info-private.h"
#include "loop-executor-job-private.h"
#include "loop-future-private.h"

G_BEGIN_DECLS

/* One address that a host name stands for. */
typedef LoopAddressInfo LoopResolvedAddress;

G_GNUC_INTERNAL
LoopFuture *loop_resolver_lookup (LoopEventLoop *loop,
                                  const char *host,
                                  guint16 port,
                                  int family,
                                  int type,
                                  int proto,
                                  int flags);
G_GNUC_INTERNAL
void loop_resolver_abandon (LoopFuture **lookup, guint64 callback);
G_GNUC_INTERNAL
GPtrArray *loop_resolver_dup_result (LoopFuture *future, GError **error);
G_GNUC_INTERNAL
char *loop_resolved_address_to_string (const struct sockaddr *address, socklen_t length);

/* For an inspector. */
typedef struct
{
  const char *host; /* as long as the job is in the loop's list */
  const char *service;
  gint64 since;
} LoopLookupDescription;

/* Returns: %FALSE if the job is no lookup */
G_GNUC_INTERNAL
gboolean loop_resolver_describe_job (const LoopExecutorJob *job, LoopLookupDescription *description);

G_END_DECLS
