/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess.h"

#include "loop-subprocess-transport-private.h"

static void
close_if_cancelled (LoopFuture *future, gpointer user_data)
{
  if (loop_future_cancelled (future))
    loop_subprocess_transport_close (user_data);
}

static LoopFuture *
start (LoopEventLoop *self,
       const char *name,
       const char *const *argv,
       LoopSubprocessOptions *options,
       LoopProtocolFactory factory,
       gpointer user_data,
       GDestroyNotify notify)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopSubprocessTransport) transport = NULL;
  g_autoptr (LoopSubprocessOptions) default_options = options == NULL ? loop_subprocess_options_new () : NULL;
  GError *error = NULL;

  if (loop_event_loop_check_usable (self, &error))
    {
      g_autoptr (GObject) protocol = factory (user_data);

      transport =
          loop_subprocess_transport_new (self, argv, options != NULL ? options : default_options, protocol, &error);
    }
  loop_destroy_user_data (user_data, notify);

  if (transport == NULL)
    return loop_future_new_failed (self, name, error);

  future = loop_future_new (self, name);
  loop_subprocess_transport_start (transport, future);
  loop_future_add_done_callback (future, close_if_cancelled, g_steal_pointer (&transport), g_object_unref);

  return g_steal_pointer (&future);
}

/**
 * loop_event_loop_subprocess_exec:
 * @self: an event loop
 * @argv: (array zero-terminated=1) (element-type filename): the program and its arguments
 * @options: (nullable): options; by default there are pipes to and from the process
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol, an
 *   object that implements [iface@SubprocessProtocol]
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Starts a process. The program is looked for in `PATH`, unless it has a slash in it.
 * @factory is called for a protocol, the protocol's `connection_made` is called, and the
 * future is fulfilled with the [class@SubprocessTransport].
 *
 * The loop's thread stands still until the program runs. Cancelling the future kills the
 * process.
 *
 * Returns: (transfer full): a future for the transport; it fails with an I/O error that
 *   names the program, or with %LOOP_ERROR_PROTOCOL_FACTORY
 */
LoopFuture *
loop_event_loop_subprocess_exec (LoopEventLoop *self,
                                 const char *const *argv,
                                 LoopSubprocessOptions *options,
                                 LoopProtocolFactory factory,
                                 gpointer user_data,
                                 GDestroyNotify notify)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (argv != NULL && argv[0] != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SUBPROCESS_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  return start (self, "subprocess_exec", argv, options, factory, user_data, notify);
}

/**
 * loop_event_loop_subprocess_shell:
 * @self: an event loop
 * @command: (type filename): a command for `/bin/sh`
 * @options: (nullable): options
 * @factory: (scope notified) (closure user_data) (destroy notify): makes the protocol
 * @user_data: data for @factory
 * @notify: frees @user_data
 *
 * Has a shell run a command: see [method@EventLoop.subprocess_exec]. Quote what comes
 * from others, with g_shell_quote().
 *
 * Returns: (transfer full): a future for the [class@SubprocessTransport]
 */
LoopFuture *
loop_event_loop_subprocess_shell (LoopEventLoop *self,
                                  const char *command,
                                  LoopSubprocessOptions *options,
                                  LoopProtocolFactory factory,
                                  gpointer user_data,
                                  GDestroyNotify notify)
{
  const char *argv[] = { "/bin/sh", "-c", command, NULL };

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (command != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SUBPROCESS_OPTIONS (options), NULL);
  g_return_val_if_fail (factory != NULL, NULL);

  return start (self, "subprocess_shell", argv, options, factory, user_data, notify);
}
