/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "error.h"
#include "options.h"
#include "session.h"

#include <libloop/loop.h>

G_BEGIN_DECLS

CtlExit ctl_host_run (CtlOptions *options);

/* --- What the parts of the host share ------------------------------------------------------- */

typedef struct
{
  LoopEventLoop *loop;
  GThread *thread;
  LoopProcessPoolExecutor *processes; /* from its first job on; the loop thread's */
  LoopInspector *inspector;
  CtlSession *session;      /* the shell's, on the main thread */
  GMainLoop *service;       /* without a shell: runs until a signal comes */
  GHashTable *connections;  /* that can be written to, by their ids; the loop thread's */
  char *private_directory;  /* made because there was no XDG_RUNTIME_DIR */
  gboolean prints_directly; /* there is no prompt to spoil */

  GMutex mutex;
  GCond ending;
  gboolean is_ending;
} CtlHost;

/* On the loop's thread. */
typedef struct _CtlAction CtlAction;

CtlAction *ctl_action_new (CtlHost *host, const char *const *words, GError **error);
void ctl_action_free (gpointer data);
void ctl_action_run (gpointer data);
const char *ctl_action_get_name (CtlAction *self);

gboolean ctl_action_run_in_thread (GValue *result, gpointer action, GError **error);
gboolean ctl_action_can_run_in_process (CtlAction *self, GError **error);

void ctl_host_prepare_processes (void);
guint64 ctl_host_run_in_process (CtlHost *self, const char *const *words, GError **error);
void ctl_host_end_processes (CtlHost *self);

/* What a task is to do. */
typedef struct _CtlWork CtlWork;

CtlWork *ctl_work_new (CtlHost *host, const char *const *words, GError **error);
void ctl_work_free (gpointer work);
gboolean ctl_work_run (GValue *result, gpointer work, GError **error);
guint64 ctl_work_spawn (CtlWork *self, GError **error);
void ctl_host_end_work (CtlHost *self);

/* Exported, for they are shown as the names of protocols. */
void echo_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer service);
void print_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer service);
void discard_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer service);
void echo_datagram_received (LoopDatagramTransport *transport,
                             const guint8 *data,
                             gsize length,
                             GSocketAddress *address,
                             gpointer service);
void print_datagram_received (LoopDatagramTransport *transport,
                              const guint8 *data,
                              gsize length,
                              GSocketAddress *address,
                              gpointer service);
void discard_datagram_received (LoopDatagramTransport *transport,
                                const guint8 *data,
                                gsize length,
                                GSocketAddress *address,
                                gpointer service);
LoopProtocolFactory ctl_service_find (const char *name, gboolean is_server, GError **error);
LoopProtocolFactory ctl_datagram_service_find (const char *name, GError **error);
GObject *ctl_child_new (gpointer host);

void ctl_host_add_connection (CtlHost *self, LoopTransport *transport, guint64 alias);
void ctl_host_remove_connection (CtlHost *self, guint64 id);
guint64 ctl_host_write (CtlHost *self, guint64 id, GBytes *data, GError **error);
guint64 ctl_host_sendto (CtlHost *self, guint64 id, GSocketConnectable *address, GBytes *data, GError **error);
guint64 ctl_host_write_eof (CtlHost *self, guint64 id, GError **error);

GDBusInterfaceInfo *ctl_host_rpc_get_info (void);
void ctl_host_rpc_method (guint64 loop_id, GDBusMethodInvocation *invocation, gpointer user_data);

/* From any thread; does not spoil the prompt. */
void ctl_host_print (CtlHost *self, const char *text);
gboolean ctl_host_print_received (CtlHost *self,
                                  guint64 id,
                                  const char *what,
                                  const guint8 *data,
                                  gsize length,
                                  LoopCallback printed,
                                  gpointer user_data,
                                  GDestroyNotify notify);

gboolean ctl_host_start_loop (CtlHost *self, GError **error);
void ctl_host_stop_loop (CtlHost *self);
guint16 ctl_host_serve (CtlHost *self, const char *host, guint16 port, const char *service, GError **error);
guint16 ctl_host_get_port (LoopServer *server);

G_END_DECLS
