/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "shim.h"
#include "torture.h"

typedef struct
{
  TortureState state;
  int status; /* as of waitpid() */
  gboolean is_hung;
} TortureOutcome;

extern const TortureCallInfo torture_calls[TORTURE_N_CALLS];

void torture_load_shim (void);
void torture_run (TortureScenario scenario, const TorturePlan *plan, TortureOutcome *outcome);
void torture_run_here (TortureScenario scenario, const TorturePlan *plan);
char *torture_judge (const TortureOutcome *outcome, const TortureOutcome *untouched);
char *torture_take_output (void);
