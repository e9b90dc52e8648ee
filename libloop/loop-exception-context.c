/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

/**
 * LoopExceptionContext:
 *
 * What is known of an error that nobody is there to receive. All but the message may be
 * missing.
 */
struct _LoopExceptionContext
{
  gatomicrefcount ref_count;
  char *message;
  GError *exception;
  LoopHandle *handle;
  GObject *future;
  GObject *protocol;
  GObject *transport;
  GSocket *socket;
  GObject *async_generator;
  char *source_traceback;
};

G_DEFINE_BOXED_TYPE (LoopExceptionContext,
                     loop_exception_context,
                     loop_exception_context_ref,
                     loop_exception_context_unref)

/**
 * loop_exception_context_new:
 * @message: what happened
 * @exception: (nullable): the error
 *
 * Makes a context for [method@EventLoop.call_exception_handler].
 *
 * Returns: (transfer full): the context
 */
LoopExceptionContext *
loop_exception_context_new (const char *message, const GError *exception)
{
  LoopExceptionContext *self;

  g_return_val_if_fail (message != NULL, NULL);

  self = g_new0 (LoopExceptionContext, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->message = g_strdup (message);
  self->exception = exception != NULL ? g_error_copy (exception) : NULL;

  return self;
}

/**
 * loop_exception_context_ref:
 * @self: a context
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 */
LoopExceptionContext *
loop_exception_context_ref (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

/**
 * loop_exception_context_unref:
 * @self: (transfer full): a context
 *
 * Drops a reference.
 */
void
loop_exception_context_unref (LoopExceptionContext *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->handle, loop_handle_unref);
  g_clear_object (&self->future);
  g_clear_object (&self->protocol);
  g_clear_object (&self->transport);
  g_clear_object (&self->socket);
  g_clear_object (&self->async_generator);
  g_free (self->source_traceback);
  g_clear_error (&self->exception);
  g_free (self->message);
  g_free (self);
}

/**
 * loop_exception_context_get_message:
 * @self: a context
 *
 * Gets what happened.
 *
 * Returns: the message
 */
const char *
loop_exception_context_get_message (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->message;
}

/**
 * loop_exception_context_get_exception:
 * @self: a context
 *
 * Gets the error.
 *
 * Returns: (transfer none) (nullable): the error
 */
const GError *
loop_exception_context_get_exception (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->exception;
}

/**
 * loop_exception_context_get_handle:
 * @self: a context
 *
 * Gets the handle whose callback failed.
 *
 * Returns: (transfer none) (nullable): the handle
 */
LoopHandle *
loop_exception_context_get_handle (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->handle;
}

/**
 * loop_exception_context_set_handle:
 * @self: a context
 * @handle: (nullable): a handle
 *
 * Sets the handle whose callback failed. While that runs, it is known in debug mode who
 * has scheduled it, and unless another one is set, this is the source traceback.
 */
void
loop_exception_context_set_handle (LoopExceptionContext *self, LoopHandle *handle)
{
  g_return_if_fail (self != NULL);

  if (handle != NULL)
    {
      loop_handle_ref (handle);
      if (self->source_traceback == NULL)
        self->source_traceback = loop_traceback_to_string (loop_handle_get_id (handle));
    }
  g_clear_pointer (&self->handle, loop_handle_unref);
  self->handle = handle;
}

/**
 * loop_exception_context_get_future:
 * @self: a context
 *
 * Gets the future that is concerned.
 *
 * Returns: (transfer none) (nullable): the future
 */
LoopFuture *
loop_exception_context_get_future (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (LoopFuture *) self->future;
}

/**
 * loop_exception_context_set_future:
 * @self: a context
 * @future: (nullable): a future
 *
 * Sets the future that is concerned.
 */
void
loop_exception_context_set_future (LoopExceptionContext *self, LoopFuture *future)
{
  g_return_if_fail (self != NULL);

  g_set_object (&self->future, (GObject *) future);
}

/**
 * loop_exception_context_get_protocol:
 * @self: a context
 *
 * Gets the protocol that is concerned.
 *
 * Returns: (transfer none) (nullable): the protocol
 */
GObject *
loop_exception_context_get_protocol (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->protocol;
}

/**
 * loop_exception_context_set_protocol:
 * @self: a context
 * @protocol: (nullable): a protocol
 *
 * Sets the protocol that is concerned.
 */
void
loop_exception_context_set_protocol (LoopExceptionContext *self, GObject *protocol)
{
  g_return_if_fail (self != NULL);

  g_set_object (&self->protocol, protocol);
}

/**
 * loop_exception_context_get_transport:
 * @self: a context
 *
 * Gets the transport that is concerned.
 *
 * Returns: (transfer none) (nullable): the transport
 */
LoopTransport *
loop_exception_context_get_transport (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return (LoopTransport *) self->transport;
}

/**
 * loop_exception_context_set_transport:
 * @self: a context
 * @transport: (nullable): a transport
 *
 * Sets the transport that is concerned.
 */
void
loop_exception_context_set_transport (LoopExceptionContext *self, LoopTransport *transport)
{
  g_return_if_fail (self != NULL);

  g_set_object (&self->transport, (GObject *) transport);
}

/**
 * loop_exception_context_get_socket:
 * @self: a context
 *
 * Gets the socket that is concerned.
 *
 * Returns: (transfer none) (nullable): the socket
 */
GSocket *
loop_exception_context_get_socket (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->socket;
}

/**
 * loop_exception_context_set_socket:
 * @self: a context
 * @socket: (nullable): a socket
 *
 * Sets the socket that is concerned.
 */
void
loop_exception_context_set_socket (LoopExceptionContext *self, GSocket *socket)
{
  g_return_if_fail (self != NULL);

  g_set_object (&self->socket, socket);
}

/**
 * loop_exception_context_get_async_generator:
 * @self: an exception context
 *
 * Gets the asynchronous generator that the error is about.
 *
 * Returns: (transfer none) (nullable): a [iface@AsyncGenerator], or %NULL if there is none
 */
GObject *
loop_exception_context_get_async_generator (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->async_generator;
}

/**
 * loop_exception_context_set_async_generator:
 * @self: an exception context
 * @generator: (nullable): a [iface@AsyncGenerator]
 *
 * Sets the asynchronous generator that the error is about.
 */
void
loop_exception_context_set_async_generator (LoopExceptionContext *self, GObject *generator)
{
  g_return_if_fail (self != NULL);

  g_set_object (&self->async_generator, generator);
}

/**
 * loop_exception_context_get_source_traceback:
 * @self: an exception context
 *
 * Gets where what the error is about was made, such as the future: a line for each
 * function on the way there, the innermost last. It is there in debug mode only.
 *
 * Returns: (nullable): the traceback
 */
const char *
loop_exception_context_get_source_traceback (LoopExceptionContext *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->source_traceback;
}

/* Takes @traceback, which may be NULL. */
void
loop_exception_context_take_source_traceback (LoopExceptionContext *self, char *traceback)
{
  g_free (self->source_traceback);
  self->source_traceback = traceback;
}

/**
 * loop_exception_context_set_source_traceback:
 * @self: an exception context
 * @traceback: (nullable): a line for each function, the innermost last
 *
 * Sets where what the error is about was made.
 */
void
loop_exception_context_set_source_traceback (LoopExceptionContext *self, const char *traceback)
{
  g_return_if_fail (self != NULL);

  loop_exception_context_take_source_traceback (self, g_strdup (traceback));
}

static void
exception_closure_unref (LoopExceptionClosure *self)
{
  if (self == NULL || --self->ref_count > 0)
    return;

  loop_destroy_user_data (self->user_data, self->notify);
  g_free (self);
}

/**
 * loop_event_loop_set_exception_handler:
 * @self: an event loop
 * @handler: (nullable) (scope notified) (closure user_data) (destroy notify): a function, or %NULL for the default handler
 * @user_data: data for @handler
 * @notify: frees @user_data
 *
 * Sets who is told of errors that nobody is there to receive. Of those that come up while
 * @handler runs, the default handler is.
 */
void
loop_event_loop_set_exception_handler (LoopEventLoop *self,
                                       LoopExceptionHandler handler,
                                       gpointer user_data,
                                       GDestroyNotify notify)
{
  LoopExceptionClosure *old_closure;
  LoopExceptionClosure *closure = NULL;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));

  if (handler != NULL || notify != NULL)
    {
      closure = g_new (LoopExceptionClosure, 1);
      *closure = (LoopExceptionClosure) { handler, user_data, notify, .ref_count = 1 };
    }

  old_closure = self->exception_closure;
  self->exception_closure = closure;
  exception_closure_unref (old_closure);
}

/**
 * loop_event_loop_get_exception_handler: (skip)
 * @self: an event loop
 * @user_data: (out) (optional): return location for the handler's data
 *
 * Gets the handler that [method@EventLoop.set_exception_handler] set.
 *
 * Returns: (nullable): the handler, or %NULL if the default one is in use
 */
LoopExceptionHandler
loop_event_loop_get_exception_handler (LoopEventLoop *self, gpointer *user_data)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (user_data != NULL)
    *user_data = self->exception_closure != NULL ? self->exception_closure->user_data : NULL;

  return self->exception_closure != NULL ? self->exception_closure->handler : NULL;
}

/**
 * loop_event_loop_default_exception_handler:
 * @self: an event loop
 * @context: what happened
 *
 * Logs @context as a warning. A handler of one's own may call it to defer to it.
 */
void
loop_event_loop_default_exception_handler (LoopEventLoop *self, LoopExceptionContext *context)
{
  g_autoptr (GString) text = NULL;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));
  g_return_if_fail (context != NULL);

  text = g_string_new (context->message);

  if (context->exception != NULL)
    g_string_append_printf (text, ": %s (%s %d)", context->exception->message,
                            g_quark_to_string (context->exception->domain), context->exception->code);

  if (context->handle != NULL)
    {
      g_autofree char *handle = loop_handle_describe (context->handle);

      g_string_append_printf (text, "; %s", handle);
    }

  if (context->future != NULL)
    g_string_append_printf (text, "; future %s %p", G_OBJECT_TYPE_NAME (context->future), context->future);
  if (context->transport != NULL)
    g_string_append_printf (text, "; transport %s %p", G_OBJECT_TYPE_NAME (context->transport), context->transport);
  if (context->protocol != NULL)
    g_string_append_printf (text, "; protocol %s %p", G_OBJECT_TYPE_NAME (context->protocol), context->protocol);
  if (context->socket != NULL)
    g_string_append_printf (text, "; socket with descriptor %d", g_socket_get_fd (context->socket));

  if (context->async_generator != NULL)
    g_string_append_printf (text, "; asynchronous generator %s %p", G_OBJECT_TYPE_NAME (context->async_generator),
                            context->async_generator);
  if (context->source_traceback != NULL)
    g_string_append_printf (text, "\nCreated at (most recent call last):\n%s", context->source_traceback);

  g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "CODE_FUNC", G_STRFUNC, "MESSAGE", "%s", text->str);
}

/**
 * loop_event_loop_call_exception_handler:
 * @self: an event loop
 * @context: what happened
 *
 * Calls the loop's exception handler.
 */
void
loop_event_loop_call_exception_handler (LoopEventLoop *self, LoopExceptionContext *context)
{
  LoopExceptionClosure *closure;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));
  g_return_if_fail (context != NULL);

  closure = self->exception_closure;
  /* What goes wrong in the handler is not for the handler. */
  if (closure == NULL || closure->handler == NULL || closure->is_running)
    {
      loop_event_loop_default_exception_handler (self, context);
      return;
    }

  closure->ref_count++;
  closure->is_running = TRUE;
  closure->handler (self, context, closure->user_data);
  closure->is_running = FALSE;
  exception_closure_unref (closure);
}

/* Calls the exception handler and drops @context. */
void
loop_event_loop_report (LoopEventLoop *self, LoopExceptionContext *context)
{
  loop_event_loop_call_exception_handler (self, context);
  loop_exception_context_unref (context);
}

typedef struct
{
  LoopEventLoop *loop;
  LoopExceptionContext *context; /* until it is reported */
} DeferredReport;

static void
deferred_report_run (gpointer data)
{
  DeferredReport *self = data;

  loop_event_loop_report (self->loop, g_steal_pointer (&self->context));
}

static void
deferred_report_free (gpointer data)
{
  DeferredReport *self = data;

  /* The loop was closed before. */
  if (self->context != NULL)
    {
      loop_event_loop_default_exception_handler (self->loop, self->context);
      loop_exception_context_unref (self->context);
    }
  g_free (self);
}

/* As loop_event_loop_report(), of what is being freed: @future, of which only the message remains if that is deferred. */
void
loop_event_loop_report_freed (LoopEventLoop *self, LoopExceptionContext *context, LoopFuture *future)
{
  DeferredReport *report;

  if (!self->defer_finalization)
    {
      loop_exception_context_set_future (context, future);
      loop_event_loop_report (self, context);
      return;
    }

  report = g_new (DeferredReport, 1);
  *report = (DeferredReport) { self, context };
  if (self->is_closed)
    deferred_report_free (report);
  else
    loop_event_loop_schedule (self, deferred_report_run, report, deferred_report_free, "report");
}
