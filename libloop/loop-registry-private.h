/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <libloop/loop-types.h>

G_BEGIN_DECLS

/* The kinds of long-lived objects of which a loop keeps a list for its inspector. */
typedef enum
{
  LOOP_REGISTRY_FUTURES,
  LOOP_REGISTRY_TASKS,
  LOOP_REGISTRY_TRANSPORTS,
  LOOP_REGISTRY_SERVERS,
  LOOP_REGISTRY_SUBPROCESSES,
  LOOP_REGISTRY_N_KINDS,
} LoopRegistryKind;

typedef struct _LoopRegistryNode LoopRegistryNode;

/* A member of each registered object, which is found from it by its offset. */
struct _LoopRegistryNode
{
  LoopRegistryNode *prev;
  LoopRegistryNode *next;
  guint64 id;
};

/* Lists in the order of creation, so of ids. They hold no references. Changed inside the guard. */
typedef struct
{
  LoopRegistryNode heads[LOOP_REGISTRY_N_KINDS];
  guint64 lengths[LOOP_REGISTRY_N_KINDS];
} LoopRegistry;

static inline void
loop_registry_init (LoopRegistry *self)
{
  for (int kind = 0; kind < LOOP_REGISTRY_N_KINDS; kind++)
    {
      self->heads[kind].prev = self->heads[kind].next = &self->heads[kind];
      self->lengths[kind] = 0;
    }
}

static inline void
loop_registry_add (LoopRegistry *self, LoopRegistryKind kind, LoopRegistryNode *node, guint64 id)
{
  LoopRegistryNode *head = &self->heads[kind];

  node->id = id;
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
  self->lengths[kind]++;
}

static inline void
loop_registry_remove (LoopRegistry *self, LoopRegistryKind kind, LoopRegistryNode *node)
{
  node->prev->next = node->next;
  node->next->prev = node->prev;
  node->prev = node->next = NULL;
  self->lengths[kind]--;
}

/* For what is registered, and may be dropped in any thread. */
G_GNUC_INTERNAL
gboolean loop_event_loop_is_elsewhere (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_unregister (LoopEventLoop *self, LoopRegistryKind kind, LoopRegistryNode *node);
G_GNUC_INTERNAL
void loop_event_loop_unref_anywhere (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_bury (LoopEventLoop *self, gpointer remains, GDestroyNotify bury);

#define LOOP_REGISTRY_FOREACH(registry, kind, node)                                                                    \
  for (LoopRegistryNode *node = (registry)->heads[kind].next; node != &(registry)->heads[kind]; node = node->next)

G_END_DECLS
