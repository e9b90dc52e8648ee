/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define LOOP_INSPECTOR_MAX_ROWS 256

/* From what in a row a column is made. */
typedef enum
{
  LOOP_COLUMN_ID,
  LOOP_COLUMN_KIND,
  LOOP_COLUMN_STATE,
  LOOP_COLUMN_NAME, /* one of the names; absent if there is none, but for the first one */
  LOOP_COLUMN_WHEN,
  LOOP_COLUMN_IN,    /* seconds until then */
  LOOP_COLUMN_SINCE, /* seconds from then until now */
  LOOP_COLUMN_FD,
  LOOP_COLUMN_EVENTS,
  LOOP_COLUMN_PAUSED,    /* as events; absent if there are none */
  LOOP_COLUMN_ADDRESS,   /* one of the addresses, or absent */
  LOOP_COLUMN_ADDRESSES, /* all of them */
  LOOP_COLUMN_FLAG,
  LOOP_COLUMN_NUMBER,
  LOOP_COLUMN_RETURNCODE, /* a number that may be negative; absent without the flag */
  LOOP_COLUMN_LINK,       /* a number that is another object's id, or absent */
  LOOP_COLUMN_CANCELLER,  /* the last name, and its kind */
  LOOP_COLUMN_CREATED,    /* where it was made; absent but in debug mode */
  LOOP_COLUMN_AGE,        /* seconds since then; absent but in debug mode */
  LOOP_COLUMN_STACK_USED,
  LOOP_COLUMN_STACK_SIZE,
} LoopColumnType;

typedef struct
{
  const char *name;
  LoopColumnType type;
  int index; /* of the number or name */
} LoopColumn;

#define LOOP_ROW_TEXT_SIZE 64
#define LOOP_ROW_N_NAMES 6
#define LOOP_ROW_N_ADDRESSES 4

/* What something is called. */
typedef struct
{
  const char *name;              /* interned or static, or NULL */
  gpointer function;             /* whose name it has then, or NULL */
  char text[LOOP_ROW_TEXT_SIZE]; /* a copy, if it has neither; it may be cut */
} LoopRowName;

/* One object, as it was under the hold: copies, and pointers to what lives for ever. */
typedef struct
{
  guint64 id;
  gint64 key;           /* by which the view is sorted */
  gconstpointer object; /* of which the view has more to tell, as long as the hold lasts */
  const char *kind;
  const char *state;
  LoopRowName names[LOOP_ROW_N_NAMES];
  const char *created; /* where, if it is not to be looked up by the id; or NULL */
  const char *canceller_kind;
  gconstpointer stack_bottom; /* or NULL */
  gsize stack_size;
  gint64 when;
  int fd;
  guint8 events;
  gboolean flag;
  guint64 numbers[6];
  struct sockaddr_storage addresses[LOOP_ROW_N_ADDRESSES];
  guint address_lengths[LOOP_ROW_N_ADDRESSES];
  guint n_addresses; /* there may be more than are here */
} LoopRow;

/* A row of somebody else's. Its strings live for as long as the page. */
typedef struct
{
  guint64 id;
  const char *state;
  const char *created;
  const char *names[LOOP_ROW_N_NAMES];
  guint64 numbers[6];
} LoopForeignRow;

/*
 * Gathers the rows of one page: the least @limit of those that come after a position.
 * What was made since the first page is on none, or there might be no end of pages. It is
 * a heap with the greatest row on top, which the next lesser one replaces.
 */
typedef struct
{
  gboolean has_after;
  gint64 after_key;
  guint64 after_id;
  guint64 last_id; /* the greatest there was when the first page was read; 0 until then */
  guint64 greatest_id;
  guint limit;
  guint n_rows;
  guint16 order[LOOP_INSPECTOR_MAX_ROWS + 1]; /* the heap: of rows, by their index */
  LoopRow rows[LOOP_INSPECTOR_MAX_ROWS + 1];
  gint64 now;
  const LoopColumn *sort;
  gboolean is_descending;
  guint64 only_id;        /* the one row that is wanted, or 0 for all */
  const char *only_state; /* that of the rows that are wanted, or NULL for all */
  GArray *foreign;        /* of LoopForeignRow: what is to be seen besides; or NULL */
} LoopRowPage;

G_GNUC_INTERNAL
gboolean loop_row_page_wants (LoopRowPage *page, gint64 value, guint64 id);
G_GNUC_INTERNAL
void loop_row_page_offer (LoopRowPage *page, LoopRow *row);
G_GNUC_INTERNAL
void loop_row_page_sort (LoopRowPage *page);

/* Once it is sorted. */
static inline LoopRow *
loop_row_page_get (LoopRowPage *page, guint index)
{
  return &page->rows[page->order[index]];
}

/* Without looking at more than its id, whether there is no place for an object. */
static inline gboolean
loop_row_page_skips (LoopRowPage *page, guint64 id)
{
  return page->sort->type == LOOP_COLUMN_ID && !loop_row_page_wants (page, 0, id);
}

G_GNUC_INTERNAL
GVariant *loop_row_to_variant (const LoopRow *row, const LoopColumn *columns, const LoopRowPage *page);
G_GNUC_INTERNAL
GVariant *loop_name_to_variant (const char *name, gpointer function);

G_END_DECLS
