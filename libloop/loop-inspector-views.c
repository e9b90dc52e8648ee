/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-fd-watcher-private.h"
#include "loop-future-private.h"
#include "loop-resolver-private.h"
#include "loop-server-private.h"
#include "loop-transport-private.h"

#include <string.h>

/*
 * The views of the inspector. Whatever runs under a hold of the guard only copies: it
 * takes no reference, allocates nothing, and calls nothing that takes a lock. Names are
 * looked up afterwards, for dladdr() takes the dynamic linker's lock, which the loop
 * thread may have while it waits for us.
 */

typedef enum
{
  COLUMN_ID,
  COLUMN_KIND,
  COLUMN_STATE,
  COLUMN_NAME,
  COLUMN_WHEN,
  COLUMN_IN,
  COLUMN_FD,
  COLUMN_EVENTS,
  COLUMN_PEER,
  COLUMN_ADDRESS,
  COLUMN_PROTOCOL,
  COLUMN_RECEIVED,
  COLUMN_SENT,
  COLUMN_BUFFERED,
  COLUMN_READING,
  COLUMN_CLIENTS,
  COLUMN_ACCEPTED,
  N_COLUMNS
} Column;

static const struct
{
  const char *name;
  int number; /* index in LoopRow.numbers, or -1 */
  gboolean is_sortable;
} columns[N_COLUMNS] = {
  [COLUMN_ID] = { "id", -1, TRUE },
  [COLUMN_KIND] = { "kind", -1, FALSE },
  [COLUMN_STATE] = { "state", -1, FALSE },
  [COLUMN_NAME] = { "name", -1, FALSE },
  [COLUMN_WHEN] = { "when", -1, TRUE },
  [COLUMN_IN] = { "in", -1, TRUE },
  [COLUMN_FD] = { "fd", -1, TRUE },
  [COLUMN_EVENTS] = { "events", -1, FALSE },
  [COLUMN_PEER] = { "peer", -1, FALSE },
  [COLUMN_ADDRESS] = { "address", -1, FALSE },
  [COLUMN_PROTOCOL] = { "protocol", -1, FALSE },
  [COLUMN_RECEIVED] = { "received", 0, TRUE },
  [COLUMN_SENT] = { "sent", 1, TRUE },
  [COLUMN_BUFFERED] = { "buffered", 2, TRUE },
  [COLUMN_READING] = { "reading", -1, FALSE },
  [COLUMN_CLIENTS] = { "clients", 0, TRUE },
  [COLUMN_ACCEPTED] = { "accepted", 1, TRUE },
};

struct _LoopView
{
  const char *kind;
  void (*collect) (LoopEventLoop *loop, LoopRowPage *page);
  int columns[12];
};

G_DEFINE_QUARK (loop_inspector_error, loop_inspector_error)

static int
compare_rows (gint64 key_a, guint64 id_a, gint64 key_b, guint64 id_b)
{
  if (key_a != key_b)
    return key_a < key_b ? -1 : 1;

  return id_a < id_b ? -1 : id_a > id_b;
}

static gboolean
is_less (const LoopRow *a, const LoopRow *b)
{
  return compare_rows (a->key, a->id, b->key, b->id) < 0;
}

static void
sift_down (LoopRowPage *page, guint index)
{
  for (;;)
    {
      guint greatest = index;
      LoopRow row;

      for (guint child = 2 * index + 1; child <= 2 * index + 2 && child < page->n_rows; child++)
        {
          if (is_less (&page->rows[greatest], &page->rows[child]))
            greatest = child;
        }

      if (greatest == index)
        return;

      row = page->rows[index];
      page->rows[index] = page->rows[greatest];
      page->rows[greatest] = row;
      index = greatest;
    }
}

static void
sift_up (LoopRowPage *page, guint index)
{
  while (index > 0 && is_less (&page->rows[(index - 1) / 2], &page->rows[index]))
    {
      guint parent = (index - 1) / 2;
      LoopRow row = page->rows[index];

      page->rows[index] = page->rows[parent];
      page->rows[parent] = row;
      index = parent;
    }
}

static gint64
get_sort_key (const LoopRow *row, int column)
{
  switch (column)
    {
    case COLUMN_ID:
      /* Ties go by id anyway. */
      return 0;
    case COLUMN_WHEN:
    case COLUMN_IN:
      return row->when;
    case COLUMN_FD:
      return row->fd;
    default:
      return (gint64) MIN (row->numbers[columns[column].number], (guint64) G_MAXINT64);
    }
}

/* Whether a row would be on this page: asked first, where many are not. */
static inline gboolean
belongs (LoopRowPage *page, gint64 key, guint64 id)
{
  page->greatest_id = MAX (page->greatest_id, id);

  if (page->only_id != 0 && id != page->only_id)
    return FALSE;
  if (page->last_id != 0 && id > page->last_id)
    return FALSE;
  if (page->has_after && compare_rows (key, id, page->after_key, page->after_id) <= 0)
    return FALSE;

  return page->n_rows < page->limit || compare_rows (key, id, page->rows[0].key, page->rows[0].id) < 0;
}

static inline gint64
directed (const LoopRowPage *page, gint64 key, guint64 id)
{
  if (!page->is_descending)
    return key;

  return page->sort_column == COLUMN_ID ? -(gint64) id : -key;
}

/* Adds a copy of @row, if it belongs on this page. */
static void
offer (LoopRowPage *page, LoopRow *row)
{
  row->key = directed (page, get_sort_key (row, page->sort_column), row->id);

  if (!belongs (page, row->key, row->id))
    return;

  if (page->n_rows < page->limit)
    {
      page->rows[page->n_rows++] = *row;
      sift_up (page, page->n_rows - 1);
    }
  else
    {
      page->rows[0] = *row;
      sift_down (page, 0);
    }
}

/* Turns the heap into a list, the least row first. */
void
loop_row_page_sort (LoopRowPage *page)
{
  guint n_rows = page->n_rows;

  while (page->n_rows > 1)
    {
      LoopRow row = page->rows[0];

      page->n_rows--;
      page->rows[0] = page->rows[page->n_rows];
      page->rows[page->n_rows] = row;
      sift_down (page, 0);
    }

  page->n_rows = n_rows;
}

static void
offer_item (LoopRowPage *page, const LoopReadyItem *item, const char *state)
{
  LoopDescription description = { .fd = -1 };
  LoopRow row = { .fd = -1, .state = state };

  loop_ready_item_describe (item, &description);
  row.id = description.id;
  row.kind = description.kind;
  row.name = description.name;
  row.function = description.function;
  row.fd = description.fd;
  row.when = description.when;
  offer (page, &row);
}

static void
offer_call (const LoopIncomingCall *call, const char *state, LoopRowPage *page)
{
  LoopRow row = { .id = call->id, .kind = "handle", .state = state, .fd = -1 };

  if (call->callback != NULL)
    {
      row.function = (gpointer) call->callback;
    }
  else
    {
      row.name = loop_handle_peek_name (call->handle);
      row.function = (gpointer) call->handle->callback;
    }

  offer (page, &row);
}

static void
offer_incoming (const LoopIncomingCall *call, gpointer user_data)
{
  offer_call (call, "incoming", user_data);
}

static void
offer_calls (const LoopCallBatch *batch, LoopRowPage *page)
{
  for (guint i = batch->next; i < batch->n_calls; i++)
    {
      if (batch->calls[i].callback != NULL || batch->calls[i].handle->item.handle_state == LOOP_HANDLE_INCOMING)
        offer_call (&batch->calls[i], "ready", page);
    }
}

static void
collect_queue (LoopReadyQueue *queue, LoopRowPage *page)
{
  for (LoopReadyItem *item = queue->head.next; item != &queue->head; item = item->next)
    {
      if (item->kind == LOOP_ITEM_CALLS)
        offer_calls ((const LoopCallBatch *) item, page);
      else
        offer_item (page, item, "ready");
    }
}

static void
collect_handles (LoopEventLoop *loop, LoopRowPage *page)
{
  if (loop->current.item != NULL)
    offer_item (page, loop->current.item, "running");

  collect_queue (&loop->batch, page);
  collect_queue (&loop->ready, page);

  if (loop->incoming != NULL)
    loop_incoming_foreach (loop->incoming, offer_incoming, page);
}

static void
collect_timers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_TIMER_QUEUE_FOREACH (&loop->timers, entry)
  {
    const LoopHandle *handle = &entry->handle->parent;
    gint64 key = page->sort_column == COLUMN_ID ? 0 : entry->when;
    LoopRow row;

    /* There may be a million of them: no row is filled in for nothing. */
    if (!belongs (page, directed (page, key, handle->id), handle->id))
      continue;

    row = (LoopRow) {
      .id = handle->id,
      .when = entry->when,
      .name = loop_handle_peek_name (handle),
      .function = (gpointer) handle->callback,
      .fd = -1,
    };
    offer (page, &row);
  }
}

static void
collect_watches (LoopEventLoop *loop, LoopRowPage *page)
{
  for (guint i = 0; i < loop->poller.n_slots; i++)
    {
      const LoopWatch *watch = loop->poller.watches != NULL ? loop->poller.watches[i] : NULL;
      LoopDescription description = { .fd = -1 };
      LoopRow row = { 0 };

      if (watch == NULL)
        continue;

      watch->klass->describe (watch, !(watch->wanted & LOOP_INTEREST_READ), &description);
      row.id = description.id;
      row.kind = description.kind;
      row.name = description.name;
      row.function = description.function;
      row.fd = watch->fd;
      row.events = watch->wanted;
      offer (page, &row);
    }
}

static void
set_address (LoopRow *row, const struct sockaddr *address, guint length)
{
  row->address_length = MIN (length, sizeof row->address);
  if (row->address_length > 0)
    memcpy (&row->address, address, row->address_length);
}

static void
collect_transports (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TRANSPORTS, node)
    {
      LoopTransport *transport = (LoopTransport *) ((char *) node - G_STRUCT_OFFSET (LoopTransport, node));
      LoopTransportDescription description = { .fd = -1 };
      LoopRow row = { .id = node->id };

      LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
      row.kind = description.kind;
      row.state = description.state;
      row.fd = description.fd;
      row.is_reading = description.is_reading;
      row.name = transport->protocol != NULL ? G_OBJECT_TYPE_NAME (transport->protocol) : NULL;
      row.numbers[0] = description.n_received;
      row.numbers[1] = description.n_sent;
      row.numbers[2] = description.write_buffer_size;
      set_address (&row, description.peer, description.peer_length);
      offer (page, &row);
    }
}

static void
collect_servers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_SERVERS, node)
    {
      LoopServer *server = (LoopServer *) ((char *) node - G_STRUCT_OFFSET (LoopServer, node));
      LoopRow row = { .id = node->id, .fd = -1 };

      row.state = server->listeners == NULL ? "closed" : server->is_serving ? "serving" : "idle";
      row.numbers[0] = g_hash_table_size (server->clients);
      row.numbers[1] = server->n_accepted;

      if (server->listeners != NULL && server->listeners->len > 0)
        {
          const LoopListener *listener = g_ptr_array_index (server->listeners, 0);
          socklen_t length = sizeof row.address;

          /* It neither blocks nor takes a lock that the loop thread could hold. */
          if (listener->watch.fd >= 0 &&
              getsockname (listener->watch.fd, (struct sockaddr *) &row.address, &length) == 0)
            row.address_length = MIN (length, sizeof row.address);
        }

      offer (page, &row);
    }
}

static void
collect_futures (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_FUTURES, node)
    {
      LoopFuture *future = (LoopFuture *) ((char *) node - G_STRUCT_OFFSET (LoopFuture, node));
      LoopRow row = { .id = node->id, .fd = -1 };

      row.name = future->name;
      row.state = loop_future_state_to_string (future->state);
      offer (page, &row);
    }
}

static const LoopView views[] = {
  { "handles", collect_handles, { COLUMN_ID, COLUMN_KIND, COLUMN_STATE, COLUMN_NAME, -1 } },
  { "timers", collect_timers, { COLUMN_ID, COLUMN_NAME, COLUMN_WHEN, COLUMN_IN, -1 } },
  { "watches", collect_watches, { COLUMN_ID, COLUMN_FD, COLUMN_EVENTS, COLUMN_KIND, COLUMN_NAME, -1 } },
  { "transports",
    collect_transports,
    { COLUMN_ID, COLUMN_KIND, COLUMN_STATE, COLUMN_FD, COLUMN_PEER, COLUMN_PROTOCOL, COLUMN_RECEIVED, COLUMN_SENT,
      COLUMN_BUFFERED, COLUMN_READING, -1 } },
  { "servers", collect_servers, { COLUMN_ID, COLUMN_STATE, COLUMN_ADDRESS, COLUMN_CLIENTS, COLUMN_ACCEPTED, -1 } },
  { "futures", collect_futures, { COLUMN_ID, COLUMN_NAME, COLUMN_STATE, -1 } },
};

const LoopView *
loop_view_find (const char *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    {
      if (g_str_equal (views[i].kind, kind))
        return &views[i];
    }

  return NULL;
}

static int
find_column (const LoopView *self, const char *name)
{
  for (const int *column = self->columns; *column >= 0; column++)
    {
      if (g_str_equal (columns[*column].name, name))
        return *column;
    }

  return -1;
}

gboolean
loop_view_set_sort (const LoopView *self, LoopRowPage *page, const char *sort, GError **error)
{
  page->is_descending = *sort == '-';
  page->sort_column = *sort == '\0' ? COLUMN_ID : find_column (self, sort + page->is_descending);

  if (page->sort_column >= 0 && columns[page->sort_column].is_sortable)
    return TRUE;

  g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT,
               "%s cannot be sorted by “%s”: there is no such column of numbers", self->kind,
               sort + page->is_descending);

  return FALSE;
}

gboolean
loop_view_check_filter (const LoopView *self, GVariant *filter, GError **error)
{
  GVariantIter iter;
  const char *name;

  g_variant_iter_init (&iter, filter);
  while (g_variant_iter_next (&iter, "{&sv}", &name, NULL))
    {
      if (find_column (self, name) < 0)
        {
          g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT, "%s have no column “%s”",
                       self->kind, name);
          return FALSE;
        }
    }

  return TRUE;
}

/* Under a hold. */
void
loop_view_collect (const LoopView *self, LoopEventLoop *loop, LoopRowPage *page)
{
  page->n_rows = 0;
  page->greatest_id = 0;
  page->now = loop_clock_now ();
  self->collect (loop, page);
  if (page->last_id == 0)
    page->last_id = page->greatest_id;
}

/* Names come from programs: what could move a terminal's cursor is escaped. */
static GVariant *
text_to_variant (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) escaped = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_iscntrl (c))
        g_string_append_printf (escaped, "\\x%02x", c);
      else
        g_string_append_unichar (escaped, c);
    }

  return g_variant_new_string (escaped->str);
}

static GVariant *
name_to_variant (const char *name, gpointer function)
{
  g_autofree char *symbol = NULL;

  if (name != NULL)
    return text_to_variant (name);
  if (function == NULL)
    return g_variant_new_string ("");

  symbol = loop_describe_function (function);

  return text_to_variant (symbol);
}

static GVariant *
address_to_variant (const LoopRow *row)
{
  g_autofree char *text = NULL;

  if (row->address_length > 0)
    text = loop_resolved_address_to_string ((const struct sockaddr *) &row->address, row->address_length);

  return g_variant_new_string (text != NULL ? text : "");
}

static GVariant *
column_to_variant (int column, const LoopRow *row, const LoopRowPage *page)
{
  static const char *const events[] = { "", "r", "w", "rw" };

  switch ((Column) column)
    {
    case COLUMN_ID:
      return g_variant_new_uint64 (row->id);
    case COLUMN_KIND:
      return g_variant_new_string (row->kind);
    case COLUMN_STATE:
      return g_variant_new_string (row->state);
    case COLUMN_NAME:
    case COLUMN_PROTOCOL:
      return name_to_variant (row->name, row->function);
    case COLUMN_WHEN:
      return row->when == LOOP_NEVER ? NULL : g_variant_new_double (loop_clock_to_seconds (row->when));
    case COLUMN_IN:
      return row->when == LOOP_NEVER ? NULL : g_variant_new_double (loop_clock_to_seconds (row->when - page->now));
    case COLUMN_FD:
      return g_variant_new_int32 (row->fd);
    case COLUMN_EVENTS:
      return g_variant_new_string (
          events[(row->events & LOOP_INTEREST_READ ? 1 : 0) + (row->events & LOOP_INTEREST_WRITE ? 2 : 0)]);
    case COLUMN_PEER:
    case COLUMN_ADDRESS:
      return address_to_variant (row);
    case COLUMN_READING:
      return g_variant_new_boolean (row->is_reading);
    default:
      return g_variant_new_uint64 (row->numbers[columns[column].number]);
    }
}

/* Returns: (transfer floating): the row as a dictionary */
GVariant *
loop_view_row_to_variant (const LoopView *self, const LoopRow *row, const LoopRowPage *page)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (const int *column = self->columns; *column >= 0; column++)
    {
      GVariant *value = column_to_variant (*column, row, page);

      if (value != NULL)
        g_variant_builder_add (&builder, "{sv}", columns[*column].name, value);
    }

  return g_variant_builder_end (&builder);
}

static const char *
get_state (LoopEventLoop *loop, double seconds)
{
  if (loop->is_closed)
    return "closed";
  if (loop->current.item != NULL)
    return seconds >= loop_clock_to_seconds (loop->slow_callback_ns) ? "blocked" : "running";
  if (loop->is_polling)
    return "polling";
  if (loop->is_running || loop->n_dispatches > 0)
    return "running";

  return "stopped";
}

/* Under a hold. */
void
loop_state_snapshot_take (LoopStateSnapshot *self, LoopEventLoop *loop)
{
  *self = (LoopStateSnapshot) {
    .id = loop->id,
    .current.fd = -1,
    .debug = loop->debug,
    .slow_callback_duration = loop_clock_to_seconds (loop->slow_callback_ns),
    .generation = loop->metrics.iterations,
  };

  if (loop->current.item != NULL)
    {
      self->has_current = TRUE;
      loop_ready_item_describe (loop->current.item, &self->current);
      if (loop->current.started != 0)
        self->seconds = loop_clock_to_seconds (loop_clock_now () - loop->current.started);
    }

  self->state = get_state (loop, self->seconds);
}

/* Returns: (transfer floating): the state as a dictionary */
GVariant *
loop_state_snapshot_to_variant (const LoopStateSnapshot *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "id", g_variant_new_uint64 (self->id));
  g_variant_builder_add (&builder, "{sv}", "state", g_variant_new_string (self->state));
  g_variant_builder_add (&builder, "{sv}", "debug", g_variant_new_boolean (self->debug));
  g_variant_builder_add (&builder, "{sv}", "slow_callback_duration",
                         g_variant_new_double (self->slow_callback_duration));

  if (self->has_current)
    {
      g_variant_builder_add (&builder, "{sv}", "handle", g_variant_new_uint64 (self->current.id));
      g_variant_builder_add (&builder, "{sv}", "name", name_to_variant (self->current.name, self->current.function));
      g_variant_builder_add (&builder, "{sv}", "kind", g_variant_new_string (self->current.kind));
      g_variant_builder_add (&builder, "{sv}", "seconds", g_variant_new_double (self->seconds));
    }

  return g_variant_builder_end (&builder);
}

static void
add_histogram (GVariantBuilder *builder, const char *name, const LoopHistogram *histogram)
{
  static const struct
  {
    const char *suffix;
    double quantile;
  } quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1.0 } };

  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++)
    {
      g_autofree char *key = g_strdup_printf ("%s_%s", name, quantiles[i].suffix);
      gint64 ns = loop_histogram_quantile (histogram, quantiles[i].quantile);

      g_variant_builder_add (builder, "{sv}", key, g_variant_new_double (loop_clock_to_seconds (ns)));
    }
}

/* Returns: (transfer floating): the metrics as a dictionary, with seconds for times */
GVariant *
loop_metrics_to_variant (const LoopMetrics *metrics)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "iterations", g_variant_new_uint64 (metrics->iterations));
  g_variant_builder_add (&builder, "{sv}", "callbacks", g_variant_new_uint64 (metrics->callbacks));
  g_variant_builder_add (&builder, "{sv}", "busy", g_variant_new_double (loop_clock_to_seconds (metrics->busy_ns)));
  g_variant_builder_add (&builder, "{sv}", "poll", g_variant_new_double (loop_clock_to_seconds (metrics->poll_ns)));
  add_histogram (&builder, "lag", &metrics->lag);
  add_histogram (&builder, "duration", &metrics->duration);

  return g_variant_builder_end (&builder);
}
