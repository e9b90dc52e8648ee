/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(LOOP_INSIDE) && !defined(LOOP_COMPILATION)
#error "Only <libloop/loop.h> can be included directly."
#endif

#include <gio/gio.h>

#include <libloop/loop-version.h>
#include <libloop/loop-visibility.h>

G_BEGIN_DECLS

/*
 * Declares a GObject type whose instance and class structures stay private to
 * the library: code outside can use and reference it, but not subclass it.
 */
#define LOOP_DECLARE_OPAQUE_TYPE(TypeName, type_name, MODULE, NAME, ParentName)                                        \
  LOOP_AVAILABLE_IN_1_0                                                                                                \
  GType type_name##_get_type (void) G_GNUC_CONST;                                                                      \
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS                                                                                     \
  typedef struct _##TypeName##Class TypeName##Class;                                                                   \
  _GLIB_DEFINE_AUTOPTR_CHAINUP (TypeName, ParentName)                                                                  \
  G_GNUC_UNUSED static inline TypeName *MODULE##_##NAME (gpointer ptr)                                                 \
  {                                                                                                                    \
    return G_TYPE_CHECK_INSTANCE_CAST (ptr, type_name##_get_type (), TypeName);                                        \
  }                                                                                                                    \
  G_GNUC_UNUSED static inline gboolean MODULE##_IS_##NAME (gpointer ptr)                                               \
  {                                                                                                                    \
    return G_TYPE_CHECK_INSTANCE_TYPE (ptr, type_name##_get_type ());                                                  \
  }                                                                                                                    \
  G_GNUC_UNUSED static inline TypeName##Class *MODULE##_##NAME##_GET_CLASS (gpointer ptr)                              \
  {                                                                                                                    \
    return G_TYPE_INSTANCE_GET_CLASS (ptr, type_name##_get_type (), TypeName##Class);                                  \
  }                                                                                                                    \
  G_GNUC_END_IGNORE_DEPRECATIONS

typedef struct _LoopEventLoop LoopEventLoop;
typedef struct _LoopExceptionContext LoopExceptionContext;
typedef struct _LoopHandle LoopHandle;
typedef struct _LoopTimerHandle LoopTimerHandle;
typedef struct _LoopMetrics LoopMetrics;
typedef struct _LoopFuture LoopFuture;
typedef struct _LoopTask LoopTask;
typedef struct _LoopProtocol LoopProtocol;
typedef struct _LoopTransport LoopTransport;
typedef struct _LoopDatagramOptions LoopDatagramOptions;
typedef struct _LoopDatagramProtocol LoopDatagramProtocol;
typedef struct _LoopDatagramTransport LoopDatagramTransport;
typedef struct _LoopConnectionOptions LoopConnectionOptions;
typedef struct _LoopServerOptions LoopServerOptions;
typedef struct _LoopServer LoopServer;
typedef struct _LoopSubprocessOptions LoopSubprocessOptions;
typedef struct _LoopSubprocessProtocol LoopSubprocessProtocol;
typedef struct _LoopSubprocessTransport LoopSubprocessTransport;
typedef struct _LoopInspector LoopInspector;

/**
 * LoopCallback:
 * @user_data: the data given when the callback was scheduled
 *
 * A function that the loop calls, always on the thread that runs the loop.
 */
typedef void (*LoopCallback) (gpointer user_data);

/**
 * LoopProtocolFactory:
 * @user_data: the data given with the factory
 *
 * Makes the protocol for one new connection. It is called on the loop's thread,
 * once for each connection.
 *
 * Returns: (transfer full) (nullable): an object that implements [iface@Protocol], or
 *   [iface@DatagramProtocol] for datagrams and [iface@SubprocessProtocol] for processes;
 *   %NULL refuses the connection, which is then closed and reported
 */
typedef GObject *(*LoopProtocolFactory) (gpointer user_data);

G_END_DECLS
