/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-future-private.h"
#include "loop-inspector-views-private.h"
#include "loop-protocol.h"
#include "loop-server-private.h"
#include "loop-socket-transport-private.h"

/*
 * The last reference to what belongs to a loop may be dropped in any thread, whatever the loop's is
 * doing meanwhile, and even when it is what kept the loop alive.
 */

#ifdef LOOP_WITH_TSAN
#define N_ROUNDS 200
#else
#define N_ROUNDS 2000
#endif

static const LoopProtocolVTable silent_vtable = { 0 };

static void
make_pair (int fds[2])
{
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* Makes a transport that @lost is told of when the loop has let go of it: the caller's reference is the last then. */
static LoopTransport *
make_transport (LoopEventLoop *loop, LoopTransportLostFunc lost, gpointer lost_data)
{
  g_autoptr (LoopProtocol) protocol = loop_protocol_new (&silent_vtable, NULL, NULL);
  LoopSocketTransport *transport;
  int fds[2];

  make_pair (fds);
  close (fds[1]);
  transport = loop_socket_transport_new (loop, fds[0], NULL, NULL, 0, G_OBJECT (protocol), NULL);
  ck_assert_ptr_nonnull (transport);
  loop_flow_transport_start (&transport->flow, NULL, lost, lost_data);
  loop_transport_abort (LOOP_TRANSPORT (transport));

  return LOOP_TRANSPORT (transport);
}

static LoopServer *
make_server (LoopEventLoop *loop)
{
  LoopServer *server = loop_server_new (loop, 1, NULL, NULL, NULL);

  loop_server_close (server);

  return server;
}

static gpointer
drop_one (gpointer object)
{
  g_object_unref (object);

  return NULL;
}

/* While the loop's thread is inside a section of the guard, nothing leaves the lists. */

typedef struct
{
  LoopEventLoop *loop;
  gpointer object;
  LoopRegistryKind kind;
} Section;

static void
drop_inside_section (gpointer data)
{
  Section *self = data;
  guint64 *length = &self->loop->registry.lengths[self->kind];
  GThread *thread;

  loop_event_loop_enter (self->loop);
  ck_assert_uint_eq (*length, 1);
  thread = g_thread_new ("dropper", drop_one, self->object);
  g_usleep (50000);
  ck_assert_uint_eq (*length, 1);
  loop_event_loop_leave (self->loop);

  g_thread_join (thread);
  ck_assert_uint_eq (*length, 0);
  loop_event_loop_stop (self->loop);
}

static void
check_section (LoopEventLoop *loop, gpointer object, LoopRegistryKind kind)
{
  Section section = { loop, object, kind };

  loop_event_loop_call_soon (loop, drop_inside_section, &section, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
  ck_assert (!loop_guard_is_inside (&loop->guard));
}

START_TEST (test_transport_waits_for_section)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopTransport *transport = make_transport (loop, NULL, NULL);

  /* It is lost, and only this reference is left. */
  run_once (loop);
  check_section (loop, transport, LOOP_REGISTRY_TRANSPORTS);
}
END_TEST

START_TEST (test_server_waits_for_section)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  check_section (loop, make_server (loop), LOOP_REGISTRY_SERVERS);
}
END_TEST

/* The loop makes them, one thread drops them, and another looks at them. */

typedef struct
{
  LoopEventLoop *loop;
  GAsyncQueue *queue;
  GObject *lost_data;
  int n_rounds;
  int is_over; /* atomic */
  int n_seen;
} Fixture;

static void
push_transport (LoopTransport *transport, gpointer lost_data)
{
  Fixture *f = g_object_get_data (lost_data, "fixture");

  g_async_queue_push (f->queue, transport);
}

static gpointer
drop_objects (gpointer data)
{
  Fixture *f = data;
  gpointer object;

  while ((object = g_async_queue_pop (f->queue)) != f)
    g_object_unref (object);

  return NULL;
}

/* Returns: how many there are */
static guint64
check_registry (LoopRegistry *registry)
{
  guint64 n_total = 0;

  for (int kind = 0; kind < LOOP_REGISTRY_N_KINDS; kind++)
    {
      guint64 n = 0;

      LOOP_REGISTRY_FOREACH (registry, kind, node)
        {
          ck_assert_ptr_eq (node->next->prev, node);
          n++;
        }
      ck_assert_uint_eq (n, registry->lengths[kind]);
      n_total += n;
    }

  return n_total;
}

static gpointer
list_objects (gpointer data)
{
  static const char *const kinds[] = { "transports", "servers", "futures", "watches", "tasks", "awaits" };
  Fixture *f = data;
  LoopRowPage *page = g_new0 (LoopRowPage, 1);

  for (guint i = 0; !g_atomic_int_get (&f->is_over); i++)
    {
      const LoopView *view = loop_view_find (kinds[i % G_N_ELEMENTS (kinds)]);

      *page = (LoopRowPage) { .limit = LOOP_INSPECTOR_MAX_ROWS };
      ck_assert (loop_view_set_sort (view, page, "", NULL));
      ck_assert (loop_guard_hold (&f->loop->guard, 10 * G_USEC_PER_SEC));
      loop_view_collect (view, f->loop, page);
      check_registry (&f->loop->registry);
      loop_guard_release (&f->loop->guard);
      f->n_seen += (int) page->n_rows;
      if (i % 16 == 0)
        g_usleep (100);
    }
  g_free (page);

  return NULL;
}

static void
make_objects (gpointer data)
{
  Fixture *f = data;

  for (int i = 0; i < 5; i++)
    {
      make_transport (f->loop, push_transport, f->lost_data);
      g_async_queue_push (f->queue, make_server (f->loop));
      g_async_queue_push (f->queue, loop_event_loop_create_future (f->loop));
    }

  if (--f->n_rounds > 0)
    loop_event_loop_call_soon (f->loop, make_objects, f, NULL);
}

static void
stop_if_all_gone (gpointer data)
{
  Fixture *f = data;
  guint64 n_left;

  loop_event_loop_enter (f->loop);
  n_left = check_registry (&f->loop->registry);
  loop_event_loop_leave (f->loop);

  if (f->n_rounds == 0 && n_left == 0)
    loop_event_loop_stop (f->loop);
  else
    loop_event_loop_call_later (f->loop, 0.001, stop_if_all_gone, f, NULL);
}

START_TEST (test_dropped_while_listed)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  g_autoptr (GObject) lost_data = g_object_new (G_TYPE_OBJECT, NULL);
  Fixture f = { .loop = loop, .queue = queue, .lost_data = lost_data, .n_rounds = N_ROUNDS };
  GThread *dropper = g_thread_new ("dropper", drop_objects, &f);
  GThread *lister = g_thread_new ("lister", list_objects, &f);

  g_object_set_data (lost_data, "fixture", &f);
  loop_event_loop_call_soon (loop, make_objects, &f, NULL);
  loop_event_loop_call_soon (loop, stop_if_all_gone, &f, NULL);
  ck_assert (loop_event_loop_run_forever (loop));

  g_async_queue_push (queue, &f);
  g_thread_join (dropper);
  g_atomic_int_set (&f.is_over, TRUE);
  g_thread_join (lister);
  ck_assert_int_gt (f.n_seen, 0);
  ck_assert (!loop_guard_is_inside (&loop->guard));
}
END_TEST

/* The loop goes with them, in the thread that iterates its context. */

typedef struct
{
  LoopEventLoop *loop;
  GObject *(*make) (LoopEventLoop *loop);
  GAsyncQueue *queue;
  GThread *ended_in;
} Owner;

static GObject *
make_future_object (LoopEventLoop *loop)
{
  return G_OBJECT (loop_event_loop_create_future (loop));
}

static GObject *
make_transport_object (LoopEventLoop *loop)
{
  return G_OBJECT (make_transport (loop, NULL, NULL));
}

static GObject *
make_server_object (LoopEventLoop *loop)
{
  return G_OBJECT (make_server (loop));
}

/* What waits in the loop is destroyed when it is closed. */
static void
note_thread (gpointer data)
{
  Owner *self = data;

  self->ended_in = g_thread_self ();
}

static void
loop_gone (gpointer data, GObject *where_it_was)
{
  Owner *self = data;

  g_async_queue_push (self->queue, self);
}

static void
hand_out (gpointer object)
{
  Owner *self = g_object_steal_data (object, "owner");

  g_async_queue_push (self->queue, object);
}

static void
set_up_owner (gpointer data)
{
  Owner *self = data;
  GObject *object = self->make (self->loop);

  g_object_set_data (object, "owner", self);
  loop_event_loop_call_later (self->loop, 3600.0, do_nothing, self, note_thread);
  g_object_weak_ref (G_OBJECT (self->loop), loop_gone, self);
  /* A few iterations later, a transport is lost. */
  loop_event_loop_call_later (self->loop, 0.01, hand_out, object, NULL);
}

static gpointer
iterate (gpointer main_loop)
{
  g_main_loop_run (main_loop);

  return NULL;
}

static void
check_last_reference (GObject *(*make) (LoopEventLoop *loop))
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (context, FALSE);
  g_autoptr (GAsyncQueue) queue = g_async_queue_new ();
  Owner owner = { .loop = loop_event_loop_new_for_context (context), .make = make, .queue = queue };
  GThread *thread = g_thread_new ("iterator", iterate, main_loop);
  gpointer object;

  ck_assert (loop_event_loop_call_soon_threadsafe (owner.loop, set_up_owner, &owner, NULL, NULL, NULL));
  object = g_async_queue_pop (queue);
  /* The callback that handed it out is over. */
  g_usleep (20000);

  g_object_unref (owner.loop);
  g_object_unref (object);
  ck_assert_ptr_eq (g_async_queue_pop (queue), &owner);
  ck_assert_ptr_eq (owner.ended_in, thread);

  g_main_loop_quit (main_loop);
  g_thread_join (thread);
}

START_TEST (test_loop_goes_with_future) { check_last_reference (make_future_object); }
END_TEST

START_TEST (test_loop_goes_with_transport) { check_last_reference (make_transport_object); }
END_TEST

START_TEST (test_loop_goes_with_server) { check_last_reference (make_server_object); }
END_TEST

/* One that has stopped belongs to no thread: it goes at once. */
START_TEST (test_stopped_loop)
{
  LoopEventLoop *loop = loop_event_loop_new ();
  gpointer weak = loop;
  LoopFuture *future;

  g_object_add_weak_pointer (G_OBJECT (loop), &weak);
  run_once (loop);
  future = loop_event_loop_create_future (loop);
  g_object_unref (loop);
  ck_assert_ptr_nonnull (weak);
  g_thread_join (g_thread_new ("dropper", drop_one, future));
  ck_assert_ptr_null (weak);
}
END_TEST

/* So does one that was closed, also when somebody else has iterated its context. */
START_TEST (test_closed_loop)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  LoopEventLoop *loop = loop_event_loop_new_for_context (context);
  gpointer weak = loop;
  LoopFuture *future = loop_event_loop_create_future (loop);

  g_object_add_weak_pointer (G_OBJECT (loop), &weak);
  loop_event_loop_call_soon (loop, do_nothing, NULL, NULL);
  g_main_context_iteration (context, FALSE);
  ck_assert (loop_event_loop_close (loop));
  g_object_unref (loop);
  g_thread_join (g_thread_new ("dropper", drop_one, future));
  ck_assert_ptr_null (weak);
}
END_TEST

LOOP_TEST_MAIN ("unref-threads",
                test_transport_waits_for_section,
                test_server_waits_for_section,
                test_dropped_while_listed,
                test_loop_goes_with_future,
                test_loop_goes_with_transport,
                test_loop_goes_with_server,
                test_stopped_loop,
                test_closed_loop)
