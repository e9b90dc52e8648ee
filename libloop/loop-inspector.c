/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-interpreter-private.h"
#include "loop-inspector-private.h"

#include "loop-fiber.h"
#include "loop-fork-private.h"
#include "loop-socket-private.h"

#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/**
 * LoopInspector:
 *
 * Lets other processes of the same user look at the loops of this one, and act on them,
 * even while a callback blocks a loop: `loopctl` is such a process. The inspector has a
 * thread of its own. There is one for a process; it is off unless it is started, or
 * unless the environment variable `LOOP_INSPECT` is `1` when the first loop is made
 * (`read` for an inspector that may only look).
 *
 * Payloads, keys, environment and arguments are never shown.
 */
G_DEFINE_FINAL_TYPE (LoopInspector, loop_inspector, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LoopInspectorAccess,
                    loop_inspector_access,
                    G_DEFINE_ENUM_VALUE (LOOP_INSPECTOR_ACCESS_READ, "read"),
                    G_DEFINE_ENUM_VALUE (LOOP_INSPECTOR_ACCESS_CONTROL, "control"));

static pthread_mutex_t the_inspector_mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopInspector *the_inspector;

/* The process forked when GDBus had its thread, which the child does not have and cannot start. */
static gboolean is_served_by_parent;

static void
extension_free (gpointer data)
{
  LoopInspectorExtension *self = data;

  loop_destroy_user_data (self->user_data, self->notify);
  g_dbus_interface_info_unref (self->info);
  g_free (self);
}

static void
loop_inspector_finalize (GObject *object)
{
  LoopInspector *self = LOOP_INSPECTOR (object);

  g_assert (self->thread == NULL);

  g_clear_pointer (&self->extensions, g_ptr_array_unref);
  g_clear_pointer (&self->clients, g_ptr_array_unref);
  g_clear_pointer (&self->actions, g_ptr_array_unref);
  g_clear_pointer (&self->main_loop, g_main_loop_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  pthread_mutex_destroy (&self->mutex);

  G_OBJECT_CLASS (loop_inspector_parent_class)->finalize (object);
}

static void
loop_inspector_class_init (LoopInspectorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_inspector_finalize;
}

static void
loop_inspector_init (LoopInspector *self)
{
  self->socket.fd = -1;
  self->spare_fd = -1;
  self->context = g_main_context_new ();
  self->main_loop = g_main_loop_new (self->context, FALSE);
  self->extensions = g_ptr_array_new_with_free_func (extension_free);
  self->clients = g_ptr_array_new_with_free_func (g_object_unref);
  self->actions = g_ptr_array_new ();
  g_queue_init (&self->pending);
  pthread_mutex_init (&self->mutex, NULL);
}

static gpointer
inspector_thread (gpointer data)
{
  LoopInspector *self = data;

  g_main_context_push_thread_default (self->context);
  loop_inspector_listen (self);

  g_main_loop_run (self->main_loop);

  loop_inspector_stop_listening (self);
  loop_inspector_give_up_actions (self);
  loop_inspector_drop_clients (self);

  pthread_mutex_lock (&self->mutex);
  self->is_over = TRUE;
  pthread_mutex_unlock (&self->mutex);
  while (g_main_context_iteration (self->context, FALSE))
    ;
  loop_inspector_forget_interpreter ();
  g_main_context_pop_thread_default (self->context);

  return NULL;
}

/*
 * GLib deadlocks when one thread registers a type with interfaces while another, in the
 * initialization of a class, waits for just that type: so all that the thread will need
 * is registered before it is there.
 */
static void
register_types (void)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) stream = NULL;
  int fds[2];

  g_type_ensure (LOOP_TYPE_FIBER);
  g_type_ensure (G_TYPE_CANCELLABLE);
  g_type_ensure (G_TYPE_TASK);
  g_type_ensure (G_TYPE_CREDENTIALS);
  g_type_ensure (G_TYPE_DBUS_CONNECTION);
  g_type_ensure (G_TYPE_DBUS_MESSAGE);
  g_type_ensure (G_TYPE_DBUS_METHOD_INVOCATION);
  g_type_ensure (G_TYPE_UNIX_SOCKET_ADDRESS);
  g_type_ensure (G_TYPE_INET_SOCKET_ADDRESS);

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    return;

  /* The types of the streams are not public. */
  close (fds[1]);
  socket = loop_socket_wrap (fds[0], NULL);
  if (socket == NULL)
    return;

  stream = g_socket_connection_factory_create_connection (socket);
  g_io_stream_get_input_stream (G_IO_STREAM (stream));
  g_io_stream_get_output_stream (G_IO_STREAM (stream));
}

static void
lock_inspector (void)
{
  if (the_inspector != NULL)
    pthread_mutex_lock (&the_inspector->mutex);
}

static void
unlock_inspector (void)
{
  if (the_inspector != NULL)
    pthread_mutex_unlock (&the_inspector->mutex);
}

/*
 * The child of a fork has no thread of the inspector, and cannot know what that was doing:
 * it leaves to its parent all but the descriptors.
 */
static void
forget_inspector (void)
{
  LoopInspector *self;

  unlock_inspector ();
  self = g_steal_pointer (&the_inspector);
  if (self != NULL)
    {
      self->thread = NULL;
      loop_inspector_socket_close (&self->socket);
      loop_inspector_drop_spare (self);
      loop_event_loop_n_observers--;
    }

  is_served_by_parent = __atomic_load_n (&loop_inspector_has_served, __ATOMIC_RELAXED);
}

LOOP_FORK_WATCH (LOOP_FORK_INSPECTOR,
                 .mutex = &the_inspector_mutex,
                 .prepare = lock_inspector,
                 .go_on_in_parent = unlock_inspector,
                 .go_on_in_child = forget_inspector)

static gboolean
check_process (GError **error)
{
  if (is_served_by_parent)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                           "The child of a process that was inspected before it forked cannot be inspected");
      return FALSE;
    }

  if (getauxval (AT_SECURE) != 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                           "A program that runs with the privileges of its file cannot be inspected");
      return FALSE;
    }

  if (prctl (PR_GET_DUMPABLE) != 1)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                           "A process that is not dumpable cannot be inspected");
      return FALSE;
    }

  return TRUE;
}

/* With the mutex. */
static LoopInspector *
start (LoopInspectorAccess access, GError **error)
{
  g_autoptr (LoopInspector) self = NULL;

  if (the_inspector != NULL)
    return g_object_ref (the_inspector);

  if (!check_process (error))
    return NULL;

  self = g_object_new (LOOP_TYPE_INSPECTOR, NULL);
  self->access = access;
  if (!loop_inspector_socket_open (&self->socket, error))
    return NULL;

  register_types ();
  self->thread = g_thread_try_new ("loop-inspector", inspector_thread, self, error);
  if (self->thread == NULL)
    {
      loop_inspector_socket_close (&self->socket);
      return NULL;
    }

  __atomic_fetch_add (&loop_event_loop_n_observers, 1, __ATOMIC_RELAXED);

  /* One reference for the process, one for the caller. */
  the_inspector = g_object_ref (self);

  return g_steal_pointer (&self);
}

/**
 * loop_inspector_start:
 * @access: what clients may do
 * @error: return location for an error
 *
 * Starts the inspector of this process, which listens on a socket in
 * `$XDG_RUNTIME_DIR/libloop`. If it is on already, it is left as it is. The child of a fork
 * may start one of its own.
 *
 * Returns: (transfer full): the inspector, which stays on until [method@Inspector.stop];
 *   or %NULL with %G_IO_ERROR_NOT_FOUND when XDG_RUNTIME_DIR is not set, with
 *   %G_IO_ERROR_PERMISSION_DENIED when the directory is not private or the process not
 *   dumpable, with %G_IO_ERROR_NOT_SUPPORTED in the child of a process that had clients
 *   before it forked, or with another I/O error
 */
LoopInspector *
loop_inspector_start (LoopInspectorAccess access, GError **error)
{
  LoopInspector *self;

  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  pthread_mutex_lock (&the_inspector_mutex);
  self = start (access, error);
  pthread_mutex_unlock (&the_inspector_mutex);

  return self;
}

static gboolean
quit (gpointer user_data)
{
  g_main_loop_quit (user_data);

  return G_SOURCE_REMOVE;
}

/**
 * loop_inspector_stop:
 * @self: the inspector
 *
 * Stops the inspector: disconnects its clients and removes its socket. Stopping it again
 * does nothing. Not to be called on the inspector's own thread.
 */
void
loop_inspector_stop (LoopInspector *self)
{
  g_autoptr (LoopInspector) owned = NULL;
  GThread *thread;

  g_return_if_fail (LOOP_IS_INSPECTOR (self));
  g_return_if_fail (self->thread != g_thread_self ());

  pthread_mutex_lock (&the_inspector_mutex);
  thread = g_steal_pointer (&self->thread);
  if (the_inspector == self)
    owned = g_steal_pointer (&the_inspector);
  pthread_mutex_unlock (&the_inspector_mutex);

  if (thread == NULL)
    return;

  /* As a source: a quit before the loop runs would be lost. */
  g_main_context_invoke (self->context, quit, self->main_loop);
  g_thread_join (thread);
  loop_inspector_socket_close (&self->socket);
  __atomic_fetch_sub (&loop_event_loop_n_observers, 1, __ATOMIC_RELAXED);
}

/**
 * loop_inspector_get_path:
 * @self: the inspector
 *
 * Gets the path of the inspector's socket.
 *
 * Returns: (nullable): the path; %NULL once it is stopped
 */
const char *
loop_inspector_get_path (LoopInspector *self)
{
  g_return_val_if_fail (LOOP_IS_INSPECTOR (self), NULL);

  return self->socket.path;
}

/**
 * loop_inspector_get_access:
 * @self: the inspector
 *
 * Gets what clients may do.
 *
 * Returns: the access
 */
LoopInspectorAccess
loop_inspector_get_access (LoopInspector *self)
{
  g_return_val_if_fail (LOOP_IS_INSPECTOR (self), LOOP_INSPECTOR_ACCESS_READ);

  return self->access;
}

/**
 * loop_inspector_add_interface: (skip)
 * @self: the inspector
 * @info: the interface
 * @method: answers its methods
 * @user_data: data for @method
 * @notify: (nullable): frees @user_data together with the inspector
 *
 * Adds a D-Bus interface to the objects of all loops, for clients that may control. Its
 * properties and signals are not served.
 */
void
loop_inspector_add_interface (LoopInspector *self,
                              GDBusInterfaceInfo *info,
                              LoopInspectorMethodFunc method,
                              gpointer user_data,
                              GDestroyNotify notify)
{
  LoopInspectorExtension *extension;

  g_return_if_fail (LOOP_IS_INSPECTOR (self));
  g_return_if_fail (info != NULL);
  g_return_if_fail (method != NULL);

  extension = g_new (LoopInspectorExtension, 1);
  *extension = (LoopInspectorExtension) { g_dbus_interface_info_ref (info), method, user_data, notify };

  pthread_mutex_lock (&self->mutex);
  g_ptr_array_add (self->extensions, extension);
  pthread_mutex_unlock (&self->mutex);
}

LoopInspectorExtension *
loop_inspector_find_extension (LoopInspector *self, const char *interface_name)
{
  LoopInspectorExtension *found = NULL;

  pthread_mutex_lock (&self->mutex);
  for (guint i = 0; i < self->extensions->len && found == NULL; i++)
    {
      LoopInspectorExtension *extension = g_ptr_array_index (self->extensions, i);

      if (g_str_equal (extension->info->name, interface_name))
        found = extension;
    }
  pthread_mutex_unlock (&self->mutex);

  return found;
}

/* Called when the first loop is made: starts the inspector if the environment asks for it. */
static void
start_if_asked_for (void)
{
  const char *wish = g_getenv ("LOOP_INSPECT");
  g_autoptr (LoopInspector) inspector = NULL;
  g_autoptr (GError) error = NULL;

  /* An environment that somebody less privileged may have written is not listened to. */
  if (wish == NULL || *wish == '\0' || g_str_equal (wish, "0") || getauxval (AT_SECURE) != 0)
    return;

  inspector = loop_inspector_start (
      g_str_equal (wish, "read") ? LOOP_INSPECTOR_ACCESS_READ : LOOP_INSPECTOR_ACCESS_CONTROL, &error);
  if (inspector == NULL)
    g_warning ("LOOP_INSPECT is set, but the inspector could not be started: %s", error->message);
}

__attribute__ ((constructor)) static void
set_up_hook (void)
{
  loop_event_loop_first_made = start_if_asked_for;
}

/* A process that ends without stopping its inspector leaves no file behind. */
__attribute__ ((destructor)) static void
unlink_socket (void)
{
  if (the_inspector != NULL)
    loop_inspector_socket_unlink (&the_inspector->socket);
}
