/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-event-loop-private.h"

#include <sys/socket.h>

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
} LoopInspectorError;

G_GNUC_INTERNAL
GQuark loop_inspector_error_quark (void);

/* How long to wait for the loop thread to leave a section: it is never in one for long. */
#define LOOP_INSPECTOR_HOLD_US (100 * 1000)

#define LOOP_INSPECTOR_MAX_ROWS 256

/* One object, as it was under the hold: copies, and pointers to what lives for ever. */
typedef struct
{
  guint64 id;
  gint64 key; /* by which the view is sorted */
  const char *kind;
  const char *state;
  const char *name; /* interned or static */
  gpointer function;
  gint64 when;
  int fd;
  guint8 events;
  gboolean is_reading;
  guint64 numbers[3];
  struct sockaddr_storage address;
  guint address_length;
} LoopRow;

/*
 * Gathers the rows of one page: the least @limit of those that come after a position.
 * What was made since the first page is on none, or there might be no end of pages. It is
 * a heap with the greatest row on top, which the next lesser one replaces.
 */
typedef struct
{
  gboolean has_after;
  gint64 after_key;
  guint64 after_id;
  guint64 last_id; /* the greatest there was when the first page was read; 0 until then */
  guint64 greatest_id;
  guint limit;
  guint n_rows;
  LoopRow rows[LOOP_INSPECTOR_MAX_ROWS + 1];
  gint64 now;
  int sort_column;
  gboolean is_descending;
  guint64 only_id; /* the one row that is wanted, or 0 for all */
} LoopRowPage;

typedef struct _LoopView LoopView;

G_GNUC_INTERNAL
const LoopView *loop_view_find (const char *kind);
G_GNUC_INTERNAL
gboolean loop_view_set_sort (const LoopView *self, LoopRowPage *page, const char *sort, GError **error);
G_GNUC_INTERNAL
gboolean loop_view_check_filter (const LoopView *self, GVariant *filter, GError **error);
G_GNUC_INTERNAL
void loop_view_collect (const LoopView *self, LoopEventLoop *loop, LoopRowPage *page);
G_GNUC_INTERNAL
GVariant *loop_view_row_to_variant (const LoopView *self, const LoopRow *row, const LoopRowPage *page);
G_GNUC_INTERNAL
void loop_row_page_sort (LoopRowPage *page);

/* What GetState tells, as it was under the hold. */
typedef struct
{
  guint64 id;
  const char *state;
  gboolean has_current;
  LoopDescription current;
  double seconds;
  gboolean debug;
  double slow_callback_duration;
  guint64 generation;
} LoopStateSnapshot;

G_GNUC_INTERNAL
void loop_state_snapshot_take (LoopStateSnapshot *self, LoopEventLoop *loop);
G_GNUC_INTERNAL
GVariant *loop_state_snapshot_to_variant (const LoopStateSnapshot *self);
G_GNUC_INTERNAL
GVariant *loop_metrics_to_variant (const LoopMetrics *metrics);

G_END_DECLS
