/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-state-private.h"

#include "loop-executor-job-private.h"
#include "loop-inspector-page-private.h"
#include "loop-transport-private.h"

/* What every reply of the inspector tells of its loop, and the metrics. */

static const char *
get_state (LoopEventLoop *loop, double seconds)
{
  if (loop->is_closed)
    return "closed";
  if (loop->current.item != NULL)
    return seconds >= loop_clock_to_seconds (loop_event_loop_get_slow_callback_ns (loop)) ? "blocked" : "running";
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
    .debug = loop_event_loop_get_debug (loop),
    .slow_callback_duration = loop_clock_to_seconds (loop_event_loop_get_slow_callback_ns (loop)),
    /* One iteration waits after its callbacks, and what they did is to be told from what there was before. */
    .generation = loop->metrics.iterations + loop->metrics.callbacks,
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
      g_variant_builder_add (&builder, "{sv}", "name",
                             loop_name_to_variant (self->current.name, self->current.function));
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

/* What has gone over the transports that there are. */
static void
add_transports (LoopMetrics *metrics, LoopEventLoop *loop)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TRANSPORTS, node)
    {
      LoopTransport *transport = (LoopTransport *) ((char *) node - G_STRUCT_OFFSET (LoopTransport, node));
      LoopTransportDescription description = { .fd = -1 };

      /* It was counted when it let go of its protocol. */
      if (transport->protocol == NULL)
        continue;

      LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
      metrics->n_received += description.n_received;
      metrics->n_sent += description.n_sent;
    }
}

/* Under a hold. */
void
loop_metrics_snapshot_take (LoopMetricsSnapshot *self, LoopEventLoop *loop)
{
  self->metrics = loop->metrics;
  self->n_futures = loop->registry.lengths[LOOP_REGISTRY_FUTURES];
  self->n_tasks = loop->registry.lengths[LOOP_REGISTRY_TASKS];
  self->n_jobs = loop_executor_count_jobs (loop);
  self->n_transports = loop->registry.lengths[LOOP_REGISTRY_TRANSPORTS];
  self->n_servers = loop->registry.lengths[LOOP_REGISTRY_SERVERS];
  self->n_subprocesses = loop->registry.lengths[LOOP_REGISTRY_SUBPROCESSES];
  add_transports (&self->metrics, loop);
}

/* Returns: (transfer floating): the metrics as a dictionary, with seconds for times */
GVariant *
loop_metrics_snapshot_to_variant (const LoopMetricsSnapshot *self)
{
  const LoopMetrics *metrics = &self->metrics;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "iterations", g_variant_new_uint64 (metrics->iterations));
  g_variant_builder_add (&builder, "{sv}", "callbacks", g_variant_new_uint64 (metrics->callbacks));
  g_variant_builder_add (&builder, "{sv}", "busy", g_variant_new_double (loop_clock_to_seconds (metrics->busy_ns)));
  g_variant_builder_add (&builder, "{sv}", "poll", g_variant_new_double (loop_clock_to_seconds (metrics->poll_ns)));
  g_variant_builder_add (&builder, "{sv}", "futures", g_variant_new_uint64 (self->n_futures));
  g_variant_builder_add (&builder, "{sv}", "tasks", g_variant_new_uint64 (self->n_tasks));
  g_variant_builder_add (&builder, "{sv}", "jobs", g_variant_new_uint64 (self->n_jobs));
  g_variant_builder_add (&builder, "{sv}", "transports", g_variant_new_uint64 (self->n_transports));
  g_variant_builder_add (&builder, "{sv}", "servers", g_variant_new_uint64 (self->n_servers));
  g_variant_builder_add (&builder, "{sv}", "subprocesses", g_variant_new_uint64 (self->n_subprocesses));
  g_variant_builder_add (&builder, "{sv}", "accepted", g_variant_new_uint64 (metrics->n_accepted));
  g_variant_builder_add (&builder, "{sv}", "received", g_variant_new_uint64 (metrics->n_received));
  g_variant_builder_add (&builder, "{sv}", "sent", g_variant_new_uint64 (metrics->n_sent));
  add_histogram (&builder, "lag", &metrics->lag);
  add_histogram (&builder, "duration", &metrics->duration);

  return g_variant_builder_end (&builder);
}
