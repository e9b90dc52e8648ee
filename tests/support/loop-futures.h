/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-steps.h"

#include "loop-error.h"
#include "loop-future.h"

/* A future of a test's, with a number for its result. */
void set_int (LoopFuture *future, int number);
int get_int (LoopFuture *future);

/* A callback that sets 5: @data is a future. */
void set_five (gpointer future);

/* Fails it with %G_IO_ERROR_NOT_FOUND. */
void set_not_found (LoopFuture *future);

/* That it has failed, or was cancelled, for this reason. */
#define check_failed(future, domain, code)                                                                             \
  do                                                                                                                   \
    {                                                                                                                  \
      g_autoptr (GError) error_ = NULL;                                                                                \
      ck_assert (loop_future_done (future));                                                                           \
      ck_assert (!loop_future_result ((future), NULL, &error_));                                                       \
      ck_assert_msg (g_error_matches (error_, (domain), (code)), "%s", error_->message);                               \
    }                                                                                                                  \
  while (0)
