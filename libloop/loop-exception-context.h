/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

#define LOOP_TYPE_EXCEPTION_CONTEXT (loop_exception_context_get_type ())

/**
 * LoopExceptionHandler:
 * @loop: the event loop
 * @context: what happened
 * @user_data: the data given with the handler
 *
 * Is told of an error that nobody is there to receive, on the loop's thread.
 */
typedef void (*LoopExceptionHandler) (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data);

LOOP_AVAILABLE_IN_1_0
GType loop_exception_context_get_type (void) G_GNUC_CONST;

LOOP_AVAILABLE_IN_1_0
LoopExceptionContext *loop_exception_context_new (const char *message, const GError *exception);
LOOP_AVAILABLE_IN_1_0
LoopExceptionContext *loop_exception_context_ref (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_unref (LoopExceptionContext *self);

LOOP_AVAILABLE_IN_1_0
const char *loop_exception_context_get_message (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
const GError *loop_exception_context_get_exception (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
LoopHandle *loop_exception_context_get_handle (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
LoopFuture *loop_exception_context_get_future (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
GObject *loop_exception_context_get_protocol (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
LoopTransport *loop_exception_context_get_transport (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
GSocket *loop_exception_context_get_socket (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
GObject *loop_exception_context_get_async_generator (LoopExceptionContext *self);
LOOP_AVAILABLE_IN_1_0
const char *loop_exception_context_get_source_traceback (LoopExceptionContext *self);

LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_handle (LoopExceptionContext *self, LoopHandle *handle);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_future (LoopExceptionContext *self, LoopFuture *future);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_protocol (LoopExceptionContext *self, GObject *protocol);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_transport (LoopExceptionContext *self, LoopTransport *transport);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_socket (LoopExceptionContext *self, GSocket *socket);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_async_generator (LoopExceptionContext *self, GObject *generator);
LOOP_AVAILABLE_IN_1_0
void loop_exception_context_set_source_traceback (LoopExceptionContext *self, const char *traceback);

LOOP_AVAILABLE_IN_1_0
void loop_event_loop_set_exception_handler (LoopEventLoop *self,
                                            LoopExceptionHandler handler,
                                            gpointer user_data,
                                            GDestroyNotify notify);
LOOP_AVAILABLE_IN_1_0
LoopExceptionHandler loop_event_loop_get_exception_handler (LoopEventLoop *self, gpointer *user_data);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_default_exception_handler (LoopEventLoop *self, LoopExceptionContext *context);
LOOP_AVAILABLE_IN_1_0
void loop_event_loop_call_exception_handler (LoopEventLoop *self, LoopExceptionContext *context);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopExceptionContext, loop_exception_context_unref)

G_END_DECLS
