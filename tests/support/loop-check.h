/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "config.h"

#include <check.h>
#include <glib.h>

/*
 * What a test file needs: START_TEST ... END_TEST as many times as it likes, and at the end
 *
 *   LOOP_TEST_MAIN ("suite", test_a, test_b)
 *
 * Each test runs in a process of its own, has 20 seconds, and fails on any critical message that it
 * did not expect. Warnings go to standard error.
 */
#define LOOP_TEST_MAIN(suite, ...) LOOP_TEST_MAIN_TIMEOUT (suite, 20, __VA_ARGS__)

/* The same with another timeout, in seconds. */
#define LOOP_TEST_MAIN_TIMEOUT(suite, seconds, ...)                                                                    \
  int main (void)                                                                                                      \
  {                                                                                                                    \
    const TTest *tests[] = { __VA_ARGS__ };                                                                            \
    return loop_check_main (suite, seconds, tests, G_N_ELEMENTS (tests));                                              \
  }

int loop_check_main (const char *suite, double timeout, const TTest *const *tests, gsize n_tests);

/*
 * A message that is to come, from any thread and in any order: it is swallowed when it does, and the
 * test fails when it ends without it. Patterns are globs: "*already closed*".
 */
void loop_check_expect_message (GLogLevelFlags level, const char *pattern);
void loop_check_expect_critical (const char *pattern);
void loop_check_expect_warning (const char *pattern);

/* From now on a warning that was not expected fails the test, as a critical message does. */
void loop_check_forbid_warnings (void);

/*
 * Waits until all other threads sleep. Before a fork in an instrumented build: the allocator of AddressSanitizer has
 * locks that a child cannot take when another thread had one.
 */
void loop_check_await_threads (void);

/* Fails the test at once if an expected message has not come. */
void loop_check_assert_expected (void);
