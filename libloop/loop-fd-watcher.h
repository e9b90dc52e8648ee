/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_add_reader (LoopEventLoop *self,
                                     int fd,
                                     LoopCallback callback,
                                     gpointer user_data,
                                     GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_add_reader_full (LoopEventLoop *self,
                                          int fd,
                                          LoopCallback callback,
                                          gpointer user_data,
                                          GDestroyNotify notify,
                                          GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_remove_reader (LoopEventLoop *self, int fd);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_name_reader (LoopEventLoop *self, int fd, const char *name);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_add_writer (LoopEventLoop *self,
                                     int fd,
                                     LoopCallback callback,
                                     gpointer user_data,
                                     GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_add_writer_full (LoopEventLoop *self,
                                          int fd,
                                          LoopCallback callback,
                                          gpointer user_data,
                                          GDestroyNotify notify,
                                          GError **error);
LOOP_AVAILABLE_IN_1_0
gboolean loop_event_loop_remove_writer (LoopEventLoop *self, int fd);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_name_writer (LoopEventLoop *self, int fd, const char *name);

G_END_DECLS
