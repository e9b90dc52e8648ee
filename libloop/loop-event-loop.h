/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_EVENT_LOOP (loop_event_loop_get_type ())

LOOP_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (LoopEventLoop, loop_event_loop, LOOP, EVENT_LOOP, GObject)

LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_event_loop_new (void);
LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_event_loop_new_for_context (GMainContext *context);
LOOP_AVAILABLE_IN_1_0
LoopEventLoop *loop_event_loop_get_running (void);

LOOP_AVAILABLE_IN_1_0
GMainContext *loop_event_loop_get_context (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
guint64 loop_event_loop_get_id (LoopEventLoop *self);

LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_run_forever (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_run_forever_full (LoopEventLoop *self, GError **error);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_stop (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_is_running (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_close (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_close_full (LoopEventLoop *self, GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_is_closed (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
double loop_event_loop_time (LoopEventLoop *self);

LOOP_AVAILABLE_IN_1_0
LoopHandle *loop_event_loop_call_soon (LoopEventLoop *self,
                                       LoopCallback callback,
                                       gpointer user_data,
                                       GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopHandle *loop_event_loop_call_soon_full (LoopEventLoop *self,
                                            LoopCallback callback,
                                            gpointer user_data,
                                            GDestroyNotify notify,
                                            GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_call_soon_threadsafe (LoopEventLoop *self,
                                               LoopCallback callback,
                                               gpointer user_data,
                                               GDestroyNotify notify,
                                               LoopHandle **handle,
                                               GError **error);
LOOP_AVAILABLE_IN_1_0
LoopTimerHandle *loop_event_loop_call_later (LoopEventLoop *self,
                                             double delay,
                                             LoopCallback callback,
                                             gpointer user_data,
                                             GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopTimerHandle *loop_event_loop_call_later_full (LoopEventLoop *self,
                                                  double delay,
                                                  LoopCallback callback,
                                                  gpointer user_data,
                                                  GDestroyNotify notify,
                                                  GError **error);
LOOP_AVAILABLE_IN_1_0
LoopTimerHandle *loop_event_loop_call_at (LoopEventLoop *self,
                                          double when,
                                          LoopCallback callback,
                                          gpointer user_data,
                                          GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopTimerHandle *loop_event_loop_call_at_full (LoopEventLoop *self,
                                               double when,
                                               LoopCallback callback,
                                               gpointer user_data,
                                               GDestroyNotify notify,
                                               GError **error);

LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_get_debug (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_debug (LoopEventLoop *self, gboolean enabled);
LOOP_AVAILABLE_IN_1_0
double loop_event_loop_get_slow_callback_duration (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_slow_callback_duration (LoopEventLoop *self, double seconds);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_get_collect_metrics (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_collect_metrics (LoopEventLoop *self, gboolean enabled);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_get_defer_finalization (LoopEventLoop *self);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_defer_finalization (LoopEventLoop *self, gboolean enabled);

LOOP_AVAILABLE_IN_1_0
LoopMetrics *loop_event_loop_get_metrics (LoopEventLoop *self);

G_END_DECLS
