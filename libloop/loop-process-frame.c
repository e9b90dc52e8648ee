/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-frame-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Of a size that leaves what follows aligned for any GVariant. */
typedef struct
{
  guint32 kind;
  guint32 size;
} Header;

/* Most frames fit, and are received with one system call. */
#define INITIAL_CAPACITY 4096

static const GVariantType *
get_content_type (LoopProcessFrameKind kind)
{
  switch (kind)
    {
    case LOOP_PROCESS_FRAME_CALL:
      return G_VARIANT_TYPE ("(sv)");
    case LOOP_PROCESS_FRAME_RESULT:
      return G_VARIANT_TYPE ("v");
    case LOOP_PROCESS_FRAME_ERROR:
      return G_VARIANT_TYPE ("(sis)");
    default:
      return NULL;
    }
}

/* A floating @content is sunk. */
LoopProcessFrame *
loop_process_frame_new (LoopProcessFrameKind kind, GVariant *content, GError **error)
{
  g_autoptr (GVariant) own = g_variant_ref_sink (content);
  gsize size = g_variant_get_size (own);
  LoopProcessFrame *self;
  Header header = { kind, (guint32) size };

  g_assert (g_variant_is_of_type (own, get_content_type (kind)));

  if (size > LOOP_PROCESS_FRAME_MAX_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                   "The %s of a job in a process pool would be %" G_GSIZE_FORMAT " bytes long, and %d are allowed",
                   kind == LOOP_PROCESS_FRAME_CALL ? "parameters" : "result", size, LOOP_PROCESS_FRAME_MAX_SIZE);
      return NULL;
    }

  self = g_new (LoopProcessFrame, 1);
  self->size = sizeof header + size;
  self->data = g_malloc (self->size);
  memcpy (self->data, &header, sizeof header);
  g_variant_store (own, self->data + sizeof header);

  return self;
}

LoopProcessFrame *
loop_process_frame_new_error (const GError *error)
{
  g_autofree char *message = g_utf8_make_valid (error->message, -1);
  const char *domain = g_quark_to_string (error->domain);
  LoopProcessFrame *self = loop_process_frame_new (
      LOOP_PROCESS_FRAME_ERROR, g_variant_new ("(sis)", domain != NULL ? domain : "", error->code, message), NULL);

  if (self == NULL)
    self = loop_process_frame_new (LOOP_PROCESS_FRAME_ERROR,
                                   g_variant_new ("(sis)", domain, error->code, "(its message is too long)"), NULL);

  return self;
}

void
loop_process_frame_free (LoopProcessFrame *self)
{
  g_free (self->data);
  g_free (self);
}

/* Sends the frame from @offset on, as far as that goes. Returns as send(). */
gssize
loop_process_frame_send (const LoopProcessFrame *self, gsize offset, int fd)
{
  gssize n;

  do
    n = send (fd, self->data + offset, self->size - offset, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);

  return n;
}

static gboolean
grow (LoopProcessFrameReader *self, gsize capacity)
{
  guint8 *data = g_try_realloc (self->data, capacity);

  if (data == NULL)
    return FALSE;

  self->data = data;
  self->capacity = capacity;

  return TRUE;
}

/* Looks at what has come: its header says how long it will be. */
static LoopProcessFrameStatus
check_received (LoopProcessFrameReader *self)
{
  Header header;
  gsize size;

  if (self->length < sizeof header)
    return LOOP_PROCESS_FRAME_INCOMPLETE;

  memcpy (&header, self->data, sizeof header);
  size = sizeof header + header.size;
  if (get_content_type (header.kind) == NULL || header.size > LOOP_PROCESS_FRAME_MAX_SIZE || self->length > size ||
      (size > self->capacity && !grow (self, size)))
    return LOOP_PROCESS_FRAME_INVALID;

  return self->length == size ? LOOP_PROCESS_FRAME_COMPLETE : LOOP_PROCESS_FRAME_INCOMPLETE;
}

/* Receives what there is, or, from a socket that blocks, all of the frame. */
LoopProcessFrameStatus
loop_process_frame_reader_receive (LoopProcessFrameReader *self, int fd)
{
  LoopProcessFrameStatus status;

  if (self->data == NULL && !grow (self, INITIAL_CAPACITY))
    return LOOP_PROCESS_FRAME_INVALID;

  do
    {
      gssize n = recv (fd, self->data + self->length, self->capacity - self->length, 0);

      if (n < 0 && errno == EINTR)
        n = 0;
      else if (n < 0 && errno == EAGAIN)
        return LOOP_PROCESS_FRAME_INCOMPLETE;
      else if (n <= 0)
        return LOOP_PROCESS_FRAME_END;

      self->length += n;
      status = check_received (self);
    }
  while (status == LOOP_PROCESS_FRAME_INCOMPLETE);

  return status;
}

/*
 * Takes the content of a frame that is complete, and is ready for the next one.
 *
 * Returns: (transfer full): the content, as it was sent: whether it is in normal form is not checked
 */
GVariant *
loop_process_frame_reader_take (LoopProcessFrameReader *self, LoopProcessFrameKind *kind)
{
  g_autoptr (GBytes) all = NULL;
  g_autoptr (GBytes) content = NULL;
  Header header;

  memcpy (&header, self->data, sizeof header);
  *kind = header.kind;
  if (self->capacity > INITIAL_CAPACITY)
    {
      all = g_bytes_new_take (g_steal_pointer (&self->data), self->length);
      content = g_bytes_new_from_bytes (all, sizeof header, header.size);
      self->capacity = 0;
    }
  else
    content = g_bytes_new (self->data + sizeof header, header.size);
  self->length = 0;

  return g_variant_ref_sink (g_variant_new_from_bytes (get_content_type (header.kind), content, FALSE));
}

void
loop_process_frame_reader_clear (LoopProcessFrameReader *self)
{
  g_clear_pointer (&self->data, g_free);
  self->length = self->capacity = 0;
}
