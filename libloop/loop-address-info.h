/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-future.h>

G_BEGIN_DECLS

typedef struct _LoopAddressInfo LoopAddressInfo;

#define LOOP_TYPE_ADDRESS_INFO (loop_address_info_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_address_info_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopAddressInfo *loop_address_info_ref (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
void loop_address_info_unref (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
int loop_address_info_get_family (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
int loop_address_info_get_socktype (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
int loop_address_info_get_proto (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_address_info_get_canonname (LoopAddressInfo *self);
LOOP_AVAILABLE_IN_1_0
GSocketAddress *loop_address_info_get_address (LoopAddressInfo *self);

typedef struct _LoopAddressInfoResult LoopAddressInfoResult;

#define LOOP_TYPE_ADDRESS_INFO_RESULT (loop_address_info_result_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_address_info_result_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopAddressInfoResult *loop_address_info_result_ref (LoopAddressInfoResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_address_info_result_unref (LoopAddressInfoResult *self);
LOOP_AVAILABLE_IN_1_0
GPtrArray *loop_address_info_result_get_addresses (LoopAddressInfoResult *self);

typedef struct _LoopNameInfoResult LoopNameInfoResult;

#define LOOP_TYPE_NAME_INFO_RESULT (loop_name_info_result_get_type ())
LOOP_AVAILABLE_IN_1_0
GType loop_name_info_result_get_type (void) G_GNUC_CONST;
LOOP_AVAILABLE_IN_1_0
LoopNameInfoResult *loop_name_info_result_ref (LoopNameInfoResult *self);
LOOP_AVAILABLE_IN_1_0
void loop_name_info_result_unref (LoopNameInfoResult *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_name_info_result_get_host (LoopNameInfoResult *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_name_info_result_get_service (LoopNameInfoResult *self);

LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_getaddrinfo (LoopEventLoop *self,
                                         const char *host,
                                         guint16 port,
                                         int family,
                                         int type,
                                         int proto,
                                         int flags);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_getaddrinfo_service (LoopEventLoop *self,
                                                 const char *host,
                                                 const char *service,
                                                 int family,
                                                 int type,
                                                 int proto,
                                                 int flags);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_event_loop_getnameinfo (LoopEventLoop *self, GSocketAddress *address, int flags);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopAddressInfo, loop_address_info_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopAddressInfoResult, loop_address_info_result_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopNameInfoResult, loop_name_info_result_unref)

G_END_DECLS
