/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "output.h"

G_BEGIN_DECLS

typedef struct _CtlTable CtlTable;

CtlTable *ctl_table_new (const char *const *columns);
void ctl_table_free (CtlTable *self);

void ctl_table_add (CtlTable *self, GVariant *row);
void ctl_table_add_all (CtlTable *self, GVariant *rows);
guint ctl_table_get_n_rows (CtlTable *self);
void ctl_table_print (CtlTable *self, CtlOutput *output);

/* One thing and what there is to say of it, a line each. */
void ctl_record_print (GVariant *record, CtlOutput *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlTable, ctl_table_free)

G_END_DECLS
