/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loop-registry-private.h"

/* The lists of long-lived objects. */

static void
check_ids (LoopRegistry *registry, LoopRegistryKind kind, const guint64 *expected, guint n)
{
  guint i = 0;

  LOOP_REGISTRY_FOREACH (registry, kind, node)
    {
      ck_assert_uint_lt (i, n);
      ck_assert_uint_eq (node->id, expected[i]);
      i++;
    }
  ck_assert_uint_eq (i, n);
  ck_assert_uint_eq (registry->lengths[kind], n);
}

START_TEST (test_order_and_kinds)
{
  LoopRegistryNode nodes[6] = { 0 };
  LoopRegistry registry;

  loop_registry_init (&registry);
  for (int kind = 0; kind < LOOP_REGISTRY_N_KINDS; kind++)
    check_ids (&registry, (LoopRegistryKind) kind, NULL, 0);

  for (int i = 0; i < 4; i++)
    loop_registry_add (&registry, LOOP_REGISTRY_FUTURES, &nodes[i], (guint64) (10 + i));
  loop_registry_add (&registry, LOOP_REGISTRY_SERVERS, &nodes[4], 20);
  loop_registry_add (&registry, LOOP_REGISTRY_TRANSPORTS, &nodes[5], 21);

  check_ids (&registry, LOOP_REGISTRY_FUTURES, (guint64[]) { 10, 11, 12, 13 }, 4);
  check_ids (&registry, LOOP_REGISTRY_SERVERS, (guint64[]) { 20 }, 1);
  check_ids (&registry, LOOP_REGISTRY_TRANSPORTS, (guint64[]) { 21 }, 1);

  /* In the middle, first, last, and the only one. */
  loop_registry_remove (&registry, LOOP_REGISTRY_FUTURES, &nodes[1]);
  check_ids (&registry, LOOP_REGISTRY_FUTURES, (guint64[]) { 10, 12, 13 }, 3);
  loop_registry_remove (&registry, LOOP_REGISTRY_FUTURES, &nodes[0]);
  check_ids (&registry, LOOP_REGISTRY_FUTURES, (guint64[]) { 12, 13 }, 2);
  loop_registry_remove (&registry, LOOP_REGISTRY_FUTURES, &nodes[3]);
  check_ids (&registry, LOOP_REGISTRY_FUTURES, (guint64[]) { 12 }, 1);
  loop_registry_remove (&registry, LOOP_REGISTRY_FUTURES, &nodes[2]);
  check_ids (&registry, LOOP_REGISTRY_FUTURES, NULL, 0);
  check_ids (&registry, LOOP_REGISTRY_SERVERS, (guint64[]) { 20 }, 1);

  /* A node that is out tells so. */
  ck_assert_ptr_null (nodes[1].next);
  ck_assert_ptr_null (nodes[1].prev);
}
END_TEST

LOOP_TEST_MAIN ("registry", test_order_and_kinds)
