/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <libloop/loop.h>

/*
 * The hot path of the package libloop: the types of a loop's handles and transports, over
 * libloop's public interface. All of it runs with the interpreter's lock.
 */

/*
 * What libloop has a reference to on behalf of a loop. The garbage collector, which does not
 * see into libloop, is told of these, so that a loop that nobody has any more goes away with
 * all that is pending in it.
 */
typedef struct _PyOwned PyOwned;
struct _PyOwned
{
  PyOwned *prev;
  PyOwned *next;
  PyObject *object;
};

static inline void
py_owned_add (PyOwned *self, PyOwned *list, PyObject *object)
{
  self->object = object;
  self->prev = list;
  self->next = list->next;
  self->next->prev = self;
  list->next = self;
}

static inline void
py_owned_remove (PyOwned *self)
{
  self->prev->next = self->next;
  self->next->prev = self->prev;
}

/* What a loop in debug mode is running, or nothing. */
typedef struct
{
  PyObject *what; /* a handle, or a protocol */
  gint64 begun;   /* of g_get_monotonic_time() */
  unsigned long thread;
} PyTurn;

typedef struct _PyLoop PyLoop;
struct _PyLoop
{
  PyObject_HEAD LoopEventLoop *loop;
  PyLoop *prev; /* in the list of all loops */
  PyLoop *next;
  PyOwned owned;               /* the list's head */
  PyObject *interrupted_by;    /* what run_forever is to raise: SystemExit, KeyboardInterrupt */
  PyObject *task_factory;      /* or None */
  PyThreadState *thread_state; /* while the loop waits without the interpreter's lock */
  GArray *gil_states;          /* of the dispatches under way, while somebody else iterates the context */
  unsigned long thread;        /* that runs the loop, or 0 */
  PyTurn turn;
  char is_closed;
  char is_debug;
  char is_running; /* run_forever */
};

/* The names of what is called and asked for all the time. */
#define PY_STRINGS(STRING)                                                                                             \
  STRING (__qualname__)                                                                                                \
  STRING (__self__)                                                                                                    \
  STRING (_app_protocol)                                                                                               \
  STRING (_attach)                                                                                                     \
  STRING (_buffer)                                                                                                     \
  STRING (_call_eof_received)                                                                                          \
  STRING (_control_app_writing)                                                                                        \
  STRING (_control_ssl_reading)                                                                                        \
  STRING (_coro)                                                                                                       \
  STRING (_detach)                                                                                                     \
  STRING (_do_flush)                                                                                                   \
  STRING (_do_handshake)                                                                                               \
  STRING (_do_read__buffered)                                                                                          \
  STRING (_do_shutdown)                                                                                                \
  STRING (_eof)                                                                                                        \
  STRING (_limit)                                                                                                      \
  STRING (_report_failure)                                                                                             \
  STRING (_ssl_protocol)                                                                                               \
  STRING (_sslobj)                                                                                                     \
  STRING (_start_shutdown)                                                                                             \
  STRING (_stream_reader_wr)                                                                                           \
  STRING (_waiter)                                                                                                     \
  STRING (_wakeup_waiter)                                                                                              \
  STRING (append)                                                                                                      \
  STRING (buffer_updated)                                                                                              \
  STRING (cancelled)                                                                                                   \
  STRING (co_filename)                                                                                                 \
  STRING (connection_lost)                                                                                             \
  STRING (connection_made)                                                                                             \
  STRING (context)                                                                                                     \
  STRING (cr_code)                                                                                                     \
  STRING (data_received)                                                                                               \
  STRING (done)                                                                                                        \
  STRING (eof_received)                                                                                                \
  STRING (feed_data)                                                                                                   \
  STRING (fileno)                                                                                                      \
  STRING (func)                                                                                                        \
  STRING (get_buffer)                                                                                                  \
  STRING (gi_code)                                                                                                     \
  STRING (join)                                                                                                        \
  STRING (loop)                                                                                                        \
  STRING (name)                                                                                                        \
  STRING (pause_writing)                                                                                               \
  STRING (peername)                                                                                                    \
  STRING (pending)                                                                                                     \
  STRING (read)                                                                                                        \
  STRING (resume_writing)                                                                                              \
  STRING (set_result)                                                                                                  \
  STRING (socket)                                                                                                      \
  STRING (sockname)                                                                                                    \
  STRING (write)

typedef struct
{
#define PY_STRING_FIELD(name) PyObject *name;
  PY_STRINGS (PY_STRING_FIELD)
#undef PY_STRING_FIELD
} PyStrings;

extern PyStrings py_str;
extern PyTypeObject *py_loop_type;
extern PyTypeObject *py_handle_type;
extern PyTypeObject *py_timer_handle_type;
extern PyTypeObject *py_transport_type;

/* py-module.c */
PyObject *py_import_attribute (const char *module, const char *name);
PyObject *py_take_exception (void);

/* py-error.c */
void py_raise_gerror (GError *error);
PyObject *py_exception_from_gerror (const GError *error);

/* py-executor.c */
int py_executor_init_type (PyObject *module);

/* py-future.c */
int py_future_init (void);
PyObject *py_loop_create_future (PyObject *loop, PyObject *unused);
PyObject *py_loop_create_task (PyObject *loop, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames);

/* py-gc.c */
int py_gc_init (void);
void py_gc_add_loop (PyLoop *loop);
void py_gc_remove_loop (PyLoop *loop);

/* py-handle.c */
int py_handle_init_types (PyObject *module);
PyObject *py_handle_new (PyLoop *loop, PyObject *callback, PyObject *const *args, Py_ssize_t n_args, PyObject *context);
PyObject *py_timer_handle_new (PyLoop *loop,
                               double when,
                               PyObject *callback,
                               PyObject *const *args,
                               Py_ssize_t n_args,
                               PyObject *context);
PyObject *py_handle_give (PyObject *self);
void py_handle_track (PyObject *self);
void py_handle_set_pending (PyObject *self, LoopHandle *pending);
void py_handle_show (PyObject *self, LoopHandle *pending);
void py_handle_run_once (gpointer handle);
void py_handle_run (gpointer handle);
void py_handle_drop (gpointer handle);
void py_handle_removed (gpointer handle);

/* py-inspection.c */
int py_inspection_init (PyObject *module);
void py_inspection_add (PyLoop *loop);
void py_inspection_remove (PyLoop *loop);

/* py-loop.c */
int py_loop_init_type (PyObject *module);
PyLoop *py_loop_get_open (PyObject *self);
void py_loop_interrupt (PyLoop *self);
void py_loop_check (PyLoop *self, PyObject *result, PyObject *source);
gboolean py_loop_is_thread (PyLoop *self);
void py_loop_report (PyLoop *self, const char *message, PyObject *exception, PyObject *transport, PyObject *protocol);

static inline gboolean
py_is_interrupt (void)
{
  return PyErr_ExceptionMatches (PyExc_SystemExit) || PyErr_ExceptionMatches (PyExc_KeyboardInterrupt);
}

/* py-name.c */
extern const int *py_observers;
int py_name_init (void);
const char *py_name_of_callable (PyObject *callable);
const char *py_name_of_type (PyObject *instance);

/* Whether somebody looks, who would like to see names. */
static inline gboolean
py_is_observed (void)
{
  return __atomic_load_n (py_observers, __ATOMIC_RELAXED) != 0;
}

/* py-server.c */
int py_server_init_type (PyObject *module);
PyObject *py_loop_serve (PyObject *self, PyObject *args);

/* py-sock.c */
int py_sock_init_type (PyObject *module);
PyObject *py_loop_sock_recv (PyObject *loop, PyObject *const *args, Py_ssize_t n_args);
PyObject *py_loop_sock_recv_into (PyObject *loop, PyObject *const *args, Py_ssize_t n_args);
PyObject *py_loop_sock_sendall (PyObject *loop, PyObject *const *args, Py_ssize_t n_args);

/* py-ssl.c */
extern PyTypeObject *py_ssl_type;
int py_ssl_init_types (PyObject *module);
int py_ssl_receive (PyObject *protocol, const guint8 *data, gsize length);

/* py-debug.c */
PyObject *py_loop_get_debug (PyObject *self, PyObject *unused);
PyObject *py_debug_get (PyObject *self, void *unused);
int py_debug_set (PyObject *self, PyObject *value, void *name);
void py_debug_add_loop (PyLoop *self);
void py_debug_remove_loop (PyLoop *self);
PyObject *py_slow_callback_duration_get (PyObject *self, void *unused);
int py_slow_callback_duration_set (PyObject *self, PyObject *value, void *name);

typedef struct
{
  PyLoop *loop; /* or NULL: it is not in debug mode */
  PyTurn outer;
} PyTurnScope;

void py_turn_begin_debug (PyTurnScope *self, PyLoop *loop, PyObject *what);
void py_turn_end_debug (PyTurnScope *self);
PyObject *py_turn_get (PyObject *loop, void *unused);

static inline void
py_turn_begin (PyTurnScope *self, PyLoop *loop, PyObject *what)
{
  self->loop = NULL;
  if (G_UNLIKELY (loop->is_debug))
    py_turn_begin_debug (self, loop, what);
}

static inline void
py_turn_end (PyTurnScope *self)
{
  if (G_UNLIKELY (self->loop != NULL))
    py_turn_end_debug (self);
}

/* py-stream.c */
int py_stream_init (void);
gboolean py_stream_is_protocol (PyObject *protocol);
int py_stream_feed (PyObject *protocol, const guint8 *data, gsize length);

/* py-transport.c */
int py_transport_init_type (PyObject *module);
gboolean py_loop_check_unused (PyLoop *loop, PyObject *fd);
PyObject *py_loop_get_transports_of (PyObject *self, PyObject *server);
LoopProtocol *py_transport_make_bridge (PyLoop *loop, PyObject *protocol, PyObject *server);
PyObject *py_loop_make_socket_transport (PyObject *self, PyObject *args, PyObject *kwargs);
