/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "py-common.h"

/*
 * A transport on a connected stream socket: an asyncio.Transport around a LoopTransport.
 *
 * Each has a reference to the other until the connection is lost. The socket is the
 * transport's own; an object of Python's for it, which asyncio gives to whoever asks, is
 * made on demand and closes the descriptor, which the transport gives away then.
 */
typedef struct
{
  PyObject_HEAD PyObject *extra; /* in the slot of asyncio.BaseTransport's */
  PyObject *flow_control[4];     /* in those of a mixin that asyncio.sendfile asks for: not used */
  PyLoop *loop;                  /* NULL once the connection is lost */
  LoopTransport *transport;
  LoopProtocol *bridge; /* to libloop, which has it; NULL when it is gone */
  PyObject *protocol;
  PyObject *sock;   /* a socket.socket, or NULL: nobody has asked */
  PyObject *server; /* or NULL */
  PyObject *waiter; /* or NULL: is to be told once the connection is made */
  PyObject *empty_waiter;
  PyObject *exception; /* with which the connection is to be lost */
  PyObject *dict;
  PyObject *weak_references;
  PyOwned owned;   /* while the bridge to libloop is there */
  gsize low_water; /* to go back to */
  gsize high_water;
  int fd;
  guint n_lost_writes;
  char is_buffered; /* the protocol is an asyncio.BufferedProtocol */
  char is_ssl;      /* and is ours for TLS */
  char is_stream;   /* the protocol is that of asyncio's streams */
  char is_closing;
  char is_lost; /* connection_lost is due or was called */
  char is_eof;
  char is_paused;
  char is_writing_paused; /* the protocol was told so */
  char is_draining;       /* empty_waiter waits for the buffer to be empty */
} PyTransport;

/* py-transport.c */
void py_transport_fatal_error (PyTransport *self, const char *message);
void py_transport_report (PyTransport *self, PyObject *result, const char *message);
void py_transport_force_close (PyTransport *self, PyObject *exception);

/* py-transport-protocol.c */
extern const LoopProtocolVTable py_transport_protocol_vtable;
void py_transport_protocol_freed (gpointer data);
PyObject *py_transport_fulfil (PyObject *future);

/* py-transport-write.c: methods, and what they log with */
extern PyObject *py_transport_logger_warning;
PyObject *py_transport_write (PyObject *self, PyObject *data);
PyObject *py_transport_writelines (PyObject *self, PyObject *lines);
PyObject *py_transport_write_eof (PyObject *self, PyObject *unused);
PyObject *py_transport_can_write_eof (PyObject *self, PyObject *unused);
PyObject *py_transport_get_write_buffer_size (PyObject *self, PyObject *unused);
PyObject *py_transport_set_write_buffer_limits (PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *py_transport_get_write_buffer_limits (PyObject *self, PyObject *unused);
