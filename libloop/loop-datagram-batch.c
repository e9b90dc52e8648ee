/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-datagram-batch-private.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

/*
 * Many datagrams in few system calls. The kernel also takes a train of datagrams of one size to
 * one address as a single one that it cuts up (UDP_SEGMENT), and hands over such trains as a
 * whole (UDP_GRO).
 */

/* A datagram of UDP, or a train, fits. Were it 64 KiB, all would compete for the same lines of the processor's cache. */
#define SLOT_SIZE (65536 + 33 * 64)
#define LARGE_SLOT_SIZE (LOOP_DATAGRAM_BATCH_N_SLOTS / LOOP_DATAGRAM_BATCH_N_LARGE_SLOTS * SLOT_SIZE)

#define COPIES_SIZE 65536

/* What the kernel allows: the payload of an IPv4 packet, and a number that it has raised since. */
#define MAX_TRAIN_BYTES 65507
#define MAX_TRAIN_LENGTH 64

/* What fits into a packet of most networks. */
#define USUAL_SIZE 1472

static LoopDatagramBatch *
batch_new (void)
{
  LoopDatagramBatch *self = g_new0 (LoopDatagramBatch, 1);

  /* Only the pages that datagrams have come to are there. */
  self->memory = g_malloc (LOOP_DATAGRAM_BATCH_N_SLOTS * SLOT_SIZE);

  for (guint i = 0; i < LOOP_DATAGRAM_BATCH_N_SLOTS; i++)
    self->messages[i].msg_hdr = (struct msghdr) {
      .msg_name = &self->names[i],
      .msg_iov = &self->iov[i],
      .msg_iovlen = 1,
      .msg_control = &self->controls[i],
    };

  return self;
}

static void
batch_free (LoopDatagramBatch *self)
{
  g_free (self->memory);
  g_free (self->copies);
  g_free (self);
}

static void
share_loop_closed (LoopCloseHook *hook)
{
  LoopDatagramShare *self = (LoopDatagramShare *) ((char *) hook - G_STRUCT_OFFSET (LoopDatagramShare, hook));

  self->loop->datagram_share = NULL;
  loop_address_cache_clear (&self->addresses);
  g_clear_pointer (&self->batch, batch_free);
  g_free (self);
}

LoopDatagramShare *
loop_datagram_share_get (LoopEventLoop *loop)
{
  LoopDatagramShare *self = loop->datagram_share;

  if (G_UNLIKELY (self == NULL))
    {
      self = loop->datagram_share = g_new0 (LoopDatagramShare, 1);
      self->loop = loop;
      self->hook.closed = share_loop_closed;
      loop_event_loop_add_close_hook (loop, &self->hook);
    }

  return self;
}

/* The batch of the loop, or one more for a main loop that runs in a callback. */
LoopDatagramBatch *
loop_datagram_share_take (LoopDatagramShare *self)
{
  LoopDatagramBatch *batch = g_steal_pointer (&self->batch);

  return G_LIKELY (batch != NULL) ? batch : batch_new ();
}

void
loop_datagram_share_give_back (LoopEventLoop *loop, LoopDatagramBatch *batch)
{
  LoopDatagramShare *self = loop->datagram_share;

  g_assert (batch->n_collected == 0);

  /* The child of a fork may have closed its copy of the loop. */
  if (G_LIKELY (self != NULL && self->batch == NULL))
    self->batch = batch;
  else
    batch_free (batch);
}

/* Receives what is there. Returns: 1 if there may be more, 0 if not, or -1 with errno */
int
loop_datagram_batch_receive (LoopDatagramBatch *self, int fd, gboolean is_large)
{
  guint n_slots = is_large ? LOOP_DATAGRAM_BATCH_N_LARGE_SLOTS : LOOP_DATAGRAM_BATCH_N_SLOTS;
  gsize size = is_large ? LARGE_SLOT_SIZE : SLOT_SIZE;
  int n;

  for (guint i = 0; i < n_slots; i++)
    {
      struct msghdr *header = &self->messages[i].msg_hdr;

      self->iov[i] = (struct iovec) { self->memory + i * size, size };
      header->msg_namelen = sizeof self->names[i];
      header->msg_controllen = sizeof self->controls[i];
    }

  do
    n = recvmmsg (fd, self->messages, n_slots, MSG_DONTWAIT, NULL);
  while (G_UNLIKELY (n < 0 && errno == EINTR));

  self->n_messages = (guint) MAX (n, 0);
  self->next = 0;
  self->offset = 0;

  return n < 0 ? -1 : (guint) n == n_slots;
}

/* The size of the datagrams of a train, or 0 if it is none. */
static gsize
get_segment_size (struct msghdr *header)
{
  if (G_LIKELY (header->msg_controllen == 0))
    return 0;

  for (struct cmsghdr *control = CMSG_FIRSTHDR (header); control != NULL; control = CMSG_NXTHDR (header, control))
    {
      int size;

      if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO)
        continue;
      memcpy (&size, CMSG_DATA (control), sizeof size);
      return (gsize) MAX (size, 0);
    }

  return 0;
}

/* Gets the next datagram of what was received, with the kernel's flags for it. */
gboolean
loop_datagram_batch_next (LoopDatagramBatch *self, LoopDatagram *datagram, int *flags)
{
  struct mmsghdr *message = &self->messages[self->next];
  gsize segment;

  if (self->next == self->n_messages)
    return FALSE;

  segment = get_segment_size (&message->msg_hdr);
  datagram->data = (const guint8 *) message->msg_hdr.msg_iov->iov_base + self->offset;
  datagram->length = message->msg_len - self->offset;
  datagram->address = message->msg_hdr.msg_name;
  datagram->address_length = message->msg_hdr.msg_namelen;
  *flags = message->msg_hdr.msg_flags;

  if (segment > 0 && datagram->length > segment)
    {
      datagram->length = segment;
      self->offset += segment;
    }
  else
    {
      self->next++;
      self->offset = 0;
    }

  return TRUE;
}

static gint64
get_coarse_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC_COARSE, &now);

  return (gint64) now.tv_sec * LOOP_NSEC_PER_SEC + now.tv_nsec;
}

/* Whether what was collected has waited for some milliseconds: whoever receives takes his time. */
gboolean
loop_datagram_batch_is_old (const LoopDatagramBatch *self)
{
  return get_coarse_time () != self->begun;
}

/* Keeps @datagram, to be sent with others. Returns: %FALSE if there is no room for it */
gboolean
loop_datagram_batch_collect (LoopDatagramBatch *self, const LoopDatagram *datagram)
{
  LoopDatagram *kept = &self->collected[self->n_collected];
  gsize offset = (gsize) datagram->data - (gsize) self->memory;
  gboolean is_received = offset < LOOP_DATAGRAM_BATCH_N_SLOTS * SLOT_SIZE;

  if (self->n_collected == LOOP_DATAGRAM_BATCH_N_COLLECTED ||
      (!is_received && datagram->length > COPIES_SIZE - self->n_copied))
    return FALSE;

  *kept = *datagram;
  if (datagram->address != NULL)
    {
      memcpy (&self->addresses[self->n_collected], datagram->address, datagram->address_length);
      kept->address = (const struct sockaddr *) &self->addresses[self->n_collected];
    }

  /* What is sent back as it came stays where it is until it is sent. */
  if (!is_received && datagram->length > 0)
    {
      if (G_UNLIKELY (self->copies == NULL))
        self->copies = g_malloc (COPIES_SIZE);
      kept->data = memcpy (self->copies + self->n_copied, datagram->data, datagram->length);
      self->n_copied += datagram->length;
    }

  if (self->n_collected++ == 0)
    self->begun = get_coarse_time ();

  return TRUE;
}

/* The kernel's ways with trains to many are young. */
static gboolean
is_to_one (const LoopDatagram *datagram)
{
  if (datagram->address == NULL)
    return TRUE;
  if (datagram->address->sa_family == AF_INET)
    return !IN_MULTICAST (g_ntohl (((const struct sockaddr_in *) datagram->address)->sin_addr.s_addr));

  return !IN6_IS_ADDR_MULTICAST (&((const struct sockaddr_in6 *) datagram->address)->sin6_addr);
}

static gboolean
is_same_address (const LoopDatagram *a, const LoopDatagram *b)
{
  return a->address_length == b->address_length &&
         (a->address_length == 0 || memcmp (a->address, b->address, a->address_length) == 0);
}

/* How many of the datagrams, from the first on, can go as one train: all have one size, but for the last. */
static guint
measure_train (const LoopDatagram *datagrams, guint n, guint max_segment)
{
  gsize segment = datagrams[0].length;
  gsize total = segment;
  guint length = 1;

  if (segment == 0 || segment > max_segment || !is_to_one (&datagrams[0]))
    return 1;

  while (length < MIN (n, MAX_TRAIN_LENGTH))
    {
      const LoopDatagram *next = &datagrams[length];

      total += next->length;
      if (next->length == 0 || next->length > segment || total > MAX_TRAIN_BYTES ||
          !is_same_address (&datagrams[0], next))
        break;
      length++;
      if (next->length < segment)
        break;
    }

  return length;
}

/* Errors that are those of trains, and not of a datagram. */
static gboolean
is_train_refused (int saved_errno)
{
  return saved_errno == EINVAL || saved_errno == EMSGSIZE || saved_errno == EIO || saved_errno == EOPNOTSUPP;
}

/*
 * loop_datagram_send:
 * @max_segment: (inout): the largest datagram of which the kernel takes trains
 * @n_bytes: (inout): a sum, to which is added what was sent
 *
 * Sends datagrams. When one of them fails, the others have still to be sent.
 *
 * Returns: how many were sent; fewer than @n with errno, of which EAGAIN says that the rest has to
 *   wait, and all others that the next one was not sent
 */
guint
loop_datagram_send (int fd, const LoopDatagram *datagrams, guint n, guint *max_segment, guint64 *n_bytes)
{
  struct mmsghdr messages[LOOP_DATAGRAM_BATCH_N_SENT];
  struct iovec iov[LOOP_DATAGRAM_BATCH_N_COLLECTED];
  guint lengths[LOOP_DATAGRAM_BATCH_N_SENT];
  struct
  {
    _Alignas(struct cmsghdr) guint8 bytes[CMSG_SPACE (sizeof (guint16))];
  } controls[LOOP_DATAGRAM_BATCH_N_SENT];
  guint first = 0;

  g_assert (n <= LOOP_DATAGRAM_BATCH_N_COLLECTED);

  while (first < n)
    {
      guint n_messages = 0;
      guint i = first;
      int n_sent;

      while (i < n && n_messages < LOOP_DATAGRAM_BATCH_N_SENT)
        {
          const LoopDatagram *datagram = &datagrams[i];
          struct msghdr *header = &messages[n_messages].msg_hdr;
          guint length = measure_train (datagram, n - i, *max_segment);
          struct iovec *end = &iov[i];

          *header = (struct msghdr) {
            .msg_name = (gpointer) datagram->address,
            .msg_namelen = (socklen_t) datagram->address_length,
            .msg_iov = end,
          };
          for (guint j = 0; j < length; j++)
            {
              /* They often lie behind each other. */
              if (j > 0 && (const guint8 *) end[-1].iov_base + end[-1].iov_len == datagram[j].data)
                end[-1].iov_len += datagram[j].length;
              else
                *end++ = (struct iovec) { (gpointer) datagram[j].data, datagram[j].length };
            }
          header->msg_iovlen = (gsize) (end - header->msg_iov);
          if (length > 1)
            {
              guint16 segment = (guint16) datagram->length;
              struct cmsghdr *control = (struct cmsghdr *) &controls[n_messages];

              /* There are some bytes behind the number. */
              memset (control, 0, sizeof controls[n_messages]);
              *control = (struct cmsghdr) {
                .cmsg_level = SOL_UDP,
                .cmsg_type = UDP_SEGMENT,
                .cmsg_len = CMSG_LEN (sizeof segment),
              };
              memcpy (CMSG_DATA (control), &segment, sizeof segment);
              header->msg_control = control;
              header->msg_controllen = sizeof controls[n_messages];
            }

          lengths[n_messages++] = length;
          i += length;
        }

      do
        n_sent = sendmmsg (fd, messages, n_messages, MSG_DONTWAIT | MSG_NOSIGNAL);
      while (G_UNLIKELY (n_sent < 0 && errno == EINTR));

      if (G_LIKELY (n_sent > 0))
        {
          for (guint j = 0; j < (guint) n_sent; j++)
            {
              first += lengths[j];
              *n_bytes += messages[j].msg_len;
            }
        }
      else if (n_sent < 0 && lengths[0] > 1 && is_train_refused (errno))
        {
          /* Its datagrams may be larger than a packet of the network, or the device may know nothing of trains. */
          *max_segment =
              errno == EIO || errno == EOPNOTSUPP ? 0 : (guint) MIN (datagrams[first].length - 1, USUAL_SIZE);
        }
      else
        {
          break;
        }
    }

  return first;
}
