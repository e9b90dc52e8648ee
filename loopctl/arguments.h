/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "output.h"

G_BEGIN_DECLS

/* The words behind a command's name, and the options among them. */
typedef struct
{
  GPtrArray *words; /* NULL-terminated; @n_words counts the others */
  guint n_words;
  gboolean wants_help;
  gboolean has_format;
  CtlFormat format;
  guint64 loop_id;
  guint64 limit; /* 0: a page */
  gboolean is_all;
  const char *sort;
  const char *cursor;
  GVariant *filter;
} CtlArguments;

typedef enum
{
  CTL_ARGUMENTS_DEFAULT,
  CTL_ARGUMENTS_VIEW = 1 << 0,
  CTL_ARGUMENTS_VERBATIM = 1 << 1,
} CtlArgumentsFlags;

typedef struct
{
  const char *name;
  const char *metavar; /* NULL: takes no value; "[=X]": it may */
  const char *summary;
  gboolean is_for_views;
} CtlArgumentOption;

extern const CtlArgumentOption ctl_argument_options[]; /* ends with a name of NULL */

CtlArguments *ctl_arguments_parse (char **words, CtlArgumentsFlags flags, GError **error);
void ctl_arguments_free (CtlArguments *self);
const char *ctl_arguments_get (CtlArguments *self, guint index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CtlArguments, ctl_arguments_free)

G_END_DECLS
