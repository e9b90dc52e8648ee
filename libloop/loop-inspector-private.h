/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-inspector-auth-private.h"
#include "loop-inspector-socket-private.h"
#include "loop-inspector-state-private.h"
#include "loop-inspector-views-private.h"
#include "loop-inspector.h"

#include <pthread.h>

G_BEGIN_DECLS

#define LOOP_INSPECTOR_PROCESS_PATH "/org/libloop/Process1"
#define LOOP_INSPECTOR_LOOPS_PATH "/org/libloop/Loop1"

/* How many clients may be connected and not yet authenticated; one more drives out the oldest. */
#define LOOP_INSPECTOR_MAX_PENDING 4

/* How many clients may be connected at all. */
#define LOOP_INSPECTOR_MAX_CLIENTS 32

/* How long a client may take to authenticate. */
#define LOOP_INSPECTOR_AUTH_SECONDS 5

/* How many calls of a client may wait for their answers, and how many bytes of pages may wait to be sent. */
#define LOOP_INSPECTOR_MAX_CALLS 256
#define LOOP_INSPECTOR_MAX_UNSENT (1024 * 1024)

#define LOOP_INSPECTOR_PAGE_SIGNATURE "aa{sv}sta{sv}"

/* An interface that somebody else added. */
typedef struct
{
  GDBusInterfaceInfo *info;
  LoopInspectorMethodFunc method;
  gpointer user_data;
  GDestroyNotify notify;
} LoopInspectorExtension;

struct _LoopInspector
{
  GObject parent_instance;

  LoopInspectorAccess access;
  LoopInspectorSocket socket;
  GMainContext *context;
  GMainLoop *main_loop;
  GThread *thread;

  /* The thread's own. */
  GSource *listener;
  GQueue pending;     /* of PendingClient */
  GPtrArray *clients; /* of GDBusConnection */
  GPtrArray *actions; /* that have not been answered yet */
  int spare_fd;       /* for GDBus to start with, while nobody was served and there are pending clients; or -1 */

  pthread_mutex_t mutex;
  GPtrArray *extensions; /* of LoopInspectorExtension: added to, never removed from */
  gboolean is_over;      /* nothing more is dispatched in the context */
};

G_GNUC_INTERNAL
void loop_inspector_listen (LoopInspector *self);
G_GNUC_INTERNAL
void loop_inspector_stop_listening (LoopInspector *self);
G_GNUC_INTERNAL
extern gboolean loop_inspector_has_served;
G_GNUC_INTERNAL
void loop_inspector_drop_spare (LoopInspector *self);
G_GNUC_INTERNAL
void loop_inspector_drop_clients (LoopInspector *self);
G_GNUC_INTERNAL
gboolean loop_inspector_export (LoopInspector *self, GDBusConnection *connection, GError **error);
G_GNUC_INTERNAL
void loop_inspector_control (LoopInspector *self, guint64 loop_id, GDBusMethodInvocation *invocation);
G_GNUC_INTERNAL
void loop_inspector_give_up_actions (LoopInspector *self);
G_GNUC_INTERNAL
gboolean loop_inspector_is_served (GDBusConnection *connection);
G_GNUC_INTERNAL
void loop_inspector_count_page (GDBusConnection *connection, GVariant *page);

G_GNUC_INTERNAL
GVariant *loop_inspector_list (guint64 loop_id, GVariant *parameters, GError **error);

/* Calls @function, under a hold, for the loop of an id. */
typedef void (*LoopInspectorHoldFunc) (LoopEventLoop *loop, gpointer user_data);
G_GNUC_INTERNAL
gboolean loop_inspector_with_loop (guint64 id, LoopInspectorHoldFunc function, gpointer user_data, GError **error);
G_GNUC_INTERNAL
LoopInspectorExtension *loop_inspector_find_extension (LoopInspector *self, const char *interface_name);

G_END_DECLS
