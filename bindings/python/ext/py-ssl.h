/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "py-transport.h"

/*
 * The part of asyncio.sslproto.SSLProtocol that is called for each message, for which it is a
 * base class: the attributes that are asked for then are fields here, and what the class calls
 * handshake, shutdown, flow control and failure stays where it is.
 *
 * Two things are cheaper than they are there. What was received goes from libloop's buffer to
 * the MemoryBIO, with none for each connection in between; and when OpenSSL has used up what
 * there was, it is not asked again, which would only make it raise SSLWantReadError.
 */
typedef struct
{
  PyObject_HEAD PyObject *state; /* an asyncio.sslproto.SSLProtocolState */
  PyObject *transport;
  PyObject *app_protocol;
  PyObject *incoming; /* ssl.MemoryBIO */
  PyObject *outgoing;
  PyObject *ssl_object;    /* ssl.SSLObject */
  PyObject *engine;        /* what that calls for everything, or NULL: it was not asked for yet */
  PyObject *write_backlog; /* collections.deque */
  PyObject *buffer;        /* a bytearray that get_buffer() has lent out, or NULL */
  Py_ssize_t write_buffer_size;
  Py_ssize_t incoming_high_water;
  Py_ssize_t incoming_low_water;
  Py_ssize_t outgoing_high_water;
  Py_ssize_t outgoing_low_water;
  char app_protocol_is_buffer;
  char app_reading_paused;
  char app_writing_paused;
  char ssl_reading_paused;
  char ssl_writing_paused;
} PySSL;

/* The states of asyncio.sslproto.SSLProtocolState, and what its exceptions are for which one tries again later. */
typedef struct
{
  PyObject *do_handshake;
  PyObject *wrapped;
  PyObject *flushing;
  PyObject *shutdown;
  PyObject *again_errors;
  PyObject *base_type; /* asyncio.sslproto.SSLProtocol */
} PySSLNames;

extern PySSLNames py_ssl_names;

/* Takes the result of a call. */
static inline int
py_ssl_check (PyObject *result)
{
  Py_XDECREF (result);

  return result != NULL ? 0 : -1;
}

/* py-ssl-data.c */
gboolean py_ssl_is_write_unusual (PySSL *self);

/* Likewise: 0, or -1 with an exception. */
int py_ssl_fail (PySSL *self);
int py_ssl_write_one (PySSL *self, PyObject *data);
int py_ssl_do_write (PySSL *self);
int py_ssl_process_outgoing (PySSL *self);
int py_ssl_do_read (PySSL *self);
int py_ssl_receive_data (PySSL *self, const char *data, Py_ssize_t length);
