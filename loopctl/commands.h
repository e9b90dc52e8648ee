/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "command.h"

G_BEGIN_DECLS

/* The functions of the command table. */

#define CTL_DECLARE_COMMAND(name)                                                                                      \
  gboolean name (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error);

CTL_DECLARE_COMMAND (ctl_run_ls)
CTL_DECLARE_COMMAND (ctl_run_view)
CTL_DECLARE_COMMAND (ctl_run_tree)
CTL_DECLARE_COMMAND (ctl_run_loops)
CTL_DECLARE_COMMAND (ctl_run_loop)
CTL_DECLARE_COMMAND (ctl_run_metrics)
CTL_DECLARE_COMMAND (ctl_run_stack)
CTL_DECLARE_COMMAND (ctl_run_cancel)
CTL_DECLARE_COMMAND (ctl_run_id_action)
CTL_DECLARE_COMMAND (ctl_run_send_signal)
CTL_DECLARE_COMMAND (ctl_run_stop)
CTL_DECLARE_COMMAND (ctl_run_debug)
CTL_DECLARE_COMMAND (ctl_run_slow_callback_duration)
CTL_DECLARE_COMMAND (ctl_run_call_soon)
CTL_DECLARE_COMMAND (ctl_run_call_later)
CTL_DECLARE_COMMAND (ctl_run_create_task)
CTL_DECLARE_COMMAND (ctl_run_run_in_executor)
CTL_DECLARE_COMMAND (ctl_run_run_in_process)
CTL_DECLARE_COMMAND (ctl_run_add_signal_handler)
CTL_DECLARE_COMMAND (ctl_run_remove_signal_handler)
CTL_DECLARE_COMMAND (ctl_run_create_server)
CTL_DECLARE_COMMAND (ctl_run_create_connection)
CTL_DECLARE_COMMAND (ctl_run_create_unix)
CTL_DECLARE_COMMAND (ctl_run_create_datagram_endpoint)
CTL_DECLARE_COMMAND (ctl_run_getaddrinfo)
CTL_DECLARE_COMMAND (ctl_run_getnameinfo)
CTL_DECLARE_COMMAND (ctl_run_sendto)
CTL_DECLARE_COMMAND (ctl_run_write)
CTL_DECLARE_COMMAND (ctl_run_write_eof)
CTL_DECLARE_COMMAND (ctl_run_subprocess_exec)
CTL_DECLARE_COMMAND (ctl_run_subprocess_shell)
CTL_DECLARE_COMMAND (ctl_run_watch)
CTL_DECLARE_COMMAND (ctl_run_sleep)
CTL_DECLARE_COMMAND (ctl_run_help)
CTL_DECLARE_COMMAND (ctl_run_quit)

extern const char *const ctl_columns_handles[];
extern const char *const ctl_columns_timers[];
extern const char *const ctl_columns_watches[];
extern const char *const ctl_columns_transports[];
extern const char *const ctl_columns_servers[];
extern const char *const ctl_columns_futures[];
extern const char *const ctl_columns_tasks[];
extern const char *const ctl_columns_fibers[];
extern const char *const ctl_columns_executors[];
extern const char *const ctl_columns_workers[];
extern const char *const ctl_columns_jobs[];
extern const char *const ctl_columns_lookups[];
extern const char *const ctl_columns_subprocesses[];
extern const char *const ctl_columns_signals[];

G_END_DECLS
