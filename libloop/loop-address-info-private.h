/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-address-info.h"

#include <netdb.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* Does not change, and is referenced from any thread. */
struct _LoopAddressInfo
{
  int family;
  int type;
  int proto;
  socklen_t length;
  char *canonname; /* or NULL */
  struct sockaddr_storage address;
};

struct _LoopAddressInfoResult
{
  GPtrArray *addresses; /* LoopAddressInfo */
};

struct _LoopNameInfoResult
{
  char *host;
  char *service;
};

G_GNUC_INTERNAL
LoopAddressInfoResult *loop_address_info_result_new (const struct addrinfo *addresses);
G_GNUC_INTERNAL
LoopNameInfoResult *loop_name_info_result_new (const char *host, const char *service);

G_END_DECLS
