/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"
#include "loop-inspector-page-private.h"

G_BEGIN_DECLS

#define LOOP_INSPECTOR_ERROR (loop_inspector_error_quark ())

/* The errors of the RPC: see docs/rpc.md. */
typedef enum
{
  LOOP_INSPECTOR_ERROR_NOT_FOUND,
  LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT,
  LOOP_INSPECTOR_ERROR_ACCESS_DENIED,
  LOOP_INSPECTOR_ERROR_CLOSED,
  LOOP_INSPECTOR_ERROR_BUSY,
  LOOP_INSPECTOR_ERROR_FAILED,
} LoopInspectorError;

G_GNUC_INTERNAL
GQuark loop_inspector_error_quark (void);

/* How long to wait for the loop thread to leave a section: it is never in one for long. */
#define LOOP_INSPECTOR_HOLD_US (100 * 1000)

typedef struct _LoopView LoopView;

G_GNUC_INTERNAL
const LoopView *loop_view_find (const char *kind);
G_GNUC_INTERNAL
gboolean loop_view_set_sort (const LoopView *self, LoopRowPage *page, const char *sort, GError **error);
G_GNUC_INTERNAL
gboolean loop_view_check_filter (const LoopView *self, GVariant *filter, GError **error);
G_GNUC_INTERNAL
gboolean loop_view_has_foreign_rows (const LoopView *self);
G_GNUC_INTERNAL
GArray *loop_view_parse_foreign_rows (const LoopView *self, GVariant *rows);
G_GNUC_INTERNAL
void loop_view_collect (const LoopView *self, LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
GVariant *loop_view_row_to_variant (const LoopView *self, const LoopRow *row, const LoopRowPage *page);

/* Under a hold, and only through loop_view_collect(). */
G_GNUC_INTERNAL
void loop_view_complete_transport (LoopRow *row);
G_GNUC_INTERNAL
void loop_view_complete_server (LoopRow *row);
G_GNUC_INTERNAL
void loop_view_collect_handles (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_timers (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_watches (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_transports (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_servers (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_futures (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_tasks (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_fibers (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_awaits (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_executors (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_workers (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_jobs (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_lookups (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_subprocesses (LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
void loop_view_collect_signals (LoopEventLoop *loop, LoopRowPage *page);

G_END_DECLS
