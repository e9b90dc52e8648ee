/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-page-private.h"

static int
compare_rows (gint64 key_a, guint64 id_a, gint64 key_b, guint64 id_b)
{
  if (key_a != key_b)
    return key_a < key_b ? -1 : 1;

  return id_a < id_b ? -1 : id_a > id_b;
}

/* Of places in the heap. */
static gboolean
is_less (LoopRowPage *page, guint a, guint b)
{
  const LoopRow *row_a = loop_row_page_get (page, a);
  const LoopRow *row_b = loop_row_page_get (page, b);

  return compare_rows (row_a->key, row_a->id, row_b->key, row_b->id) < 0;
}

static void
swap (LoopRowPage *page, guint a, guint b)
{
  guint16 row = page->order[a];

  page->order[a] = page->order[b];
  page->order[b] = row;
}

static void
sift_down (LoopRowPage *page, guint index)
{
  for (;;)
    {
      guint greatest = index;

      for (guint child = 2 * index + 1; child <= 2 * index + 2 && child < page->n_rows; child++)
        {
          if (is_less (page, greatest, child))
            greatest = child;
        }

      if (greatest == index)
        return;

      swap (page, index, greatest);
      index = greatest;
    }
}

static void
sift_up (LoopRowPage *page, guint index)
{
  while (index > 0 && is_less (page, (index - 1) / 2, index))
    {
      swap (page, index, (index - 1) / 2);
      index = (index - 1) / 2;
    }
}

static gint64
get_sort_key (const LoopRow *row, const LoopColumn *column)
{
  switch (column->type)
    {
    case LOOP_COLUMN_ID:
      /* Ties go by id anyway. */
      return 0;
    case LOOP_COLUMN_WHEN:
    case LOOP_COLUMN_IN:
      return row->when;
    case LOOP_COLUMN_SINCE:
      return -row->when;
    case LOOP_COLUMN_FD:
      return row->fd;
    default:
      return (gint64) MIN (row->numbers[column->index], (guint64) G_MAXINT64);
    }
}

/* Whether a row would be on this page. */
static inline gboolean
belongs (LoopRowPage *page, gint64 key, guint64 id)
{
  page->greatest_id = MAX (page->greatest_id, id);

  if (page->only_id != 0 && id != page->only_id)
    return FALSE;
  if (page->last_id != 0 && id > page->last_id)
    return FALSE;
  if (page->has_after && compare_rows (key, id, page->after_key, page->after_id) <= 0)
    return FALSE;

  return page->n_rows < page->limit ||
         compare_rows (key, id, loop_row_page_get (page, 0)->key, loop_row_page_get (page, 0)->id) < 0;
}

static inline gint64
directed (const LoopRowPage *page, gint64 key, guint64 id)
{
  if (!page->is_descending)
    return key;

  return page->sort->type == LOOP_COLUMN_ID ? -(gint64) id : -key;
}

/*
 * Whether a row with this in the column by which the view is sorted may be on the page. There
 * may be a million of them: where few belong, no row is filled in for nothing.
 */
gboolean
loop_row_page_wants (LoopRowPage *page, gint64 value, guint64 id)
{
  gint64 key = page->sort->type == LOOP_COLUMN_ID ? 0 : value;

  return belongs (page, directed (page, key, id), id);
}

/* Adds a copy of @row, if it belongs on this page. */
void
loop_row_page_offer (LoopRowPage *page, LoopRow *row)
{
  row->key = directed (page, get_sort_key (row, page->sort), row->id);

  if (!belongs (page, row->key, row->id))
    return;
  if (page->only_state != NULL && g_strcmp0 (row->state, page->only_state) != 0)
    return;

  if (page->n_rows < page->limit)
    {
      page->rows[page->n_rows] = *row;
      page->order[page->n_rows] = (guint16) page->n_rows;
      page->n_rows++;
      sift_up (page, page->n_rows - 1);
    }
  else
    {
      *loop_row_page_get (page, 0) = *row;
      sift_down (page, 0);
    }
}

/* Turns the heap into a list, the least row first. */
void
loop_row_page_sort (LoopRowPage *page)
{
  guint n_rows = page->n_rows;

  while (page->n_rows > 1)
    {
      page->n_rows--;
      swap (page, 0, page->n_rows);
      sift_down (page, 0);
    }

  page->n_rows = n_rows;
}
