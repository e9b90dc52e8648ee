/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fiber-stack-private.h"

#include "loop-error-private.h"
#include "loop-event-loop-private.h"
#include "loop-fork-private.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void) (id))
#endif

/* Linux 6.13; the numbers of madvise(2) are the same on all architectures that have guards. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define DEFAULT_SIZE (128 * 1024)
#define MIN_SIZE (16 * 1024)

/* Stacks are mapped many at a time, for a system call costs more than a fiber. */
#define N_IN_CHUNK 32

/*
 * So many free stacks keep their memory for the next fibers: many while loops are busy, for
 * to take a page and give it back costs more than a fiber, few once one has nothing to do.
 * What more there is goes back to the kernel, a chunk at a time as long as whole chunks are
 * free, and singly when there are twice as many because they are not.
 *
 * So many chunks stay mapped, with their guards, although nothing is in them: 16,384 stacks
 * and 5 MB of page tables.
 *
 * Under ThreadSanitizer memory has a shadow four times as large, which goes with what is
 * unmapped alone.
 */
#ifdef LOOP_WITH_TSAN
#define MAX_WARM 1
#define MAX_BUSY_WARM 1
#define MAX_EMPTY 1
#else
#define MAX_WARM 1024
#define MAX_BUSY_WARM 16384
#define MAX_EMPTY 512
#endif

/*
 * Without MADV_GUARD_INSTALL each guard page splits a mapping in two, of which a process
 * has 65,530 (vm.max_map_count). Others need some too.
 */
#define MAX_MPROTECTED 16384

/* A frame larger than a page may step over a guard of one. */
#define GUARD_PAGES 4

#define MARK G_GUINT64_CONSTANT (0x6c6f6f7066696272)

struct _LoopFiberStackChunk
{
  LoopFiberStackChunk *previous;
  LoopFiberStackChunk *next; /* of those that have a free stack */
  LoopFiberStack *free;
  char *base;
  gsize stack_size; /* with the guard */
  guint n_free;
  guint n_warm;
  guint n_made;
  guint n_mprotected;
  gboolean is_empty; /* nothing in it is used, or has memory */
  LoopFiberStack stacks[N_IN_CHUNK];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopFiberStackChunk *chunks;
static gsize wanted_size;
static guint n_warm;
static guint n_empty; /* chunks */
static guint n_mprotected;

LOOP_FORK_WATCH (LOOP_FORK_FIBER_STACKS, .mutex = &mutex)

static gsize
get_page_size (void)
{
  static gsize page_size;

  if (page_size == 0)
    page_size = (gsize) sysconf (_SC_PAGESIZE);

  return page_size;
}

static gsize
get_guard_size (void)
{
  return GUARD_PAGES * get_page_size ();
}

static gsize
round_up (gsize size)
{
  return (size + get_page_size () - 1) & ~(get_page_size () - 1);
}

/* Stacks that were taken before keep their size. */
void
loop_fiber_stack_set_size (gsize size)
{
  pthread_mutex_lock (&mutex);
  wanted_size = round_up (MAX (size, MIN_SIZE));
  pthread_mutex_unlock (&mutex);
}

static gsize
get_size_locked (void)
{
  if (wanted_size == 0)
    wanted_size = round_up (DEFAULT_SIZE);

  return wanted_size;
}

gsize
loop_fiber_stack_get_size (void)
{
  gsize size;

  pthread_mutex_lock (&mutex);
  size = get_size_locked ();
  pthread_mutex_unlock (&mutex);

  return size;
}

static void
list_chunk (LoopFiberStackChunk *chunk)
{
  chunk->previous = NULL;
  chunk->next = chunks;
  if (chunks != NULL)
    chunks->previous = chunk;
  chunks = chunk;
}

static void
unlist_chunk (LoopFiberStackChunk *chunk)
{
  if (chunk->previous != NULL)
    chunk->previous->next = chunk->next;
  else
    chunks = chunk->next;
  if (chunk->next != NULL)
    chunk->next->previous = chunk->previous;
}

static LoopFiberStackChunk *
map_chunk (gsize stack_size, GError **error)
{
  char *base = mmap (NULL, stack_size * N_IN_CHUNK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  LoopFiberStackChunk *chunk;

  if (base == MAP_FAILED)
    {
      loop_set_error_from_errno (error, errno, "Could not map stacks for fibers");
      return NULL;
    }

  /* A stack touches its own pages only: 2 MiB at a time would be hundreds of times too much. */
  madvise (base, stack_size * N_IN_CHUNK, MADV_NOHUGEPAGE);

  chunk = g_new0 (LoopFiberStackChunk, 1);
  chunk->base = base;
  chunk->stack_size = stack_size;
  chunk->n_free = N_IN_CHUNK;
  list_chunk (chunk);

  return chunk;
}

static void
unmap_chunk (LoopFiberStackChunk *chunk)
{
  for (guint i = 0; i < chunk->n_made; i++)
    VALGRIND_STACK_DEREGISTER (chunk->stacks[i].valgrind_id);

  unlist_chunk (chunk);
  n_mprotected -= chunk->n_mprotected;
  munmap (chunk->base, chunk->stack_size * N_IN_CHUNK);
  g_free (chunk);
}

static void
install_guard (LoopFiberStack *stack)
{
  char *guard = stack->bottom - get_guard_size ();

  stack->is_guarded = TRUE;
  if (madvise (guard, get_guard_size (), MADV_GUARD_INSTALL) == 0)
    return;

  if (n_mprotected < MAX_MPROTECTED && mprotect (guard, get_guard_size (), PROT_NONE) == 0)
    {
      n_mprotected++;
      stack->chunk->n_mprotected++;
      return;
    }

  stack->is_guarded = FALSE;
  stack->bottom = guard;
}

static LoopFiberStack *
make_stack (LoopFiberStackChunk *chunk)
{
  LoopFiberStack *stack = &chunk->stacks[chunk->n_made];

  stack->chunk = chunk;
  stack->bottom = chunk->base + chunk->n_made * chunk->stack_size + get_guard_size ();
  stack->top = chunk->base + (chunk->n_made + 1) * chunk->stack_size;
  chunk->n_made++;

  install_guard (stack);
  stack->valgrind_id = VALGRIND_STACK_REGISTER (stack->bottom, stack->top);

  return stack;
}

/* Returns: (nullable): a stack of the size that is set; %NULL if there is no memory for it */
LoopFiberStack *
loop_fiber_stack_take (GError **error)
{
  LoopFiberStackChunk *chunk;
  LoopFiberStack *stack;
  gsize stack_size;

  pthread_mutex_lock (&mutex);

  stack_size = get_size_locked () + get_guard_size ();
  chunk = chunks;
  while (chunk != NULL && chunk->stack_size != stack_size)
    chunk = chunk->next;

  if (chunk == NULL)
    chunk = map_chunk (stack_size, error);

  if (chunk == NULL)
    {
      pthread_mutex_unlock (&mutex);
      return NULL;
    }

  if (chunk->free != NULL)
    {
      stack = chunk->free;
      chunk->free = stack->next_free;
      if (stack->is_warm)
        {
          stack->is_warm = FALSE;
          chunk->n_warm--;
          n_warm--;
        }
    }
  else
    {
      stack = make_stack (chunk);
    }

  if (chunk->is_empty)
    {
      chunk->is_empty = FALSE;
      n_empty--;
    }
  if (--chunk->n_free == 0)
    unlist_chunk (chunk);

  pthread_mutex_unlock (&mutex);

  if (!stack->is_guarded)
    *(guint64 *) stack->bottom = MARK;

  return stack;
}

/* Gives the memory of all its stacks, none of which is used, back to the kernel. Guards stay. */
static void
empty_chunk (LoopFiberStackChunk *chunk)
{
  if (n_empty >= MAX_EMPTY)
    {
      n_warm -= chunk->n_warm;
      unmap_chunk (chunk);
      return;
    }

  madvise (chunk->base, chunk->stack_size * N_IN_CHUNK, MADV_DONTNEED);
  for (guint i = 0; i < chunk->n_made; i++)
    chunk->stacks[i].is_warm = FALSE;
  n_warm -= chunk->n_warm;
  chunk->n_warm = 0;
  chunk->is_empty = TRUE;
  n_empty++;
}

static void
empty_stack (LoopFiberStack *stack)
{
  madvise (stack->bottom, (gsize) (stack->top - stack->bottom), MADV_DONTNEED);
  stack->is_warm = FALSE;
  stack->chunk->n_warm--;
  n_warm--;
}

/* From any thread, but not from the stack itself. */
void
loop_fiber_stack_give_back (LoopFiberStack *self)
{
  LoopFiberStackChunk *chunk = self->chunk;

  pthread_mutex_lock (&mutex);

  self->next_free = chunk->free;
  chunk->free = self;
  self->is_warm = TRUE;
  chunk->n_warm++;
  n_warm++;
  if (chunk->n_free++ == 0)
    list_chunk (chunk);

  if (n_warm > MAX_BUSY_WARM && chunk->n_free == N_IN_CHUNK)
    empty_chunk (chunk);
  else if (n_warm > 2 * MAX_BUSY_WARM)
    empty_stack (self);
  else if (n_warm > 2 * MAX_WARM)
    __atomic_store_n (&loop_event_loop_put_off, loop_fiber_stack_trim, __ATOMIC_RELAXED);

  pthread_mutex_unlock (&mutex);
}

/* Gives memory back, as far as nobody will miss it who is not in a hurry. From any thread. */
void
loop_fiber_stack_trim (void)
{
  LoopFiberStackChunk *next;

  pthread_mutex_lock (&mutex);

  for (LoopFiberStackChunk *chunk = chunks; chunk != NULL && n_warm > MAX_WARM; chunk = next)
    {
      next = chunk->next;
      if (chunk->n_free == N_IN_CHUNK && chunk->n_warm > 0)
        empty_chunk (chunk);
    }

  for (LoopFiberStackChunk *chunk = chunks; chunk != NULL; chunk = chunk->next)
    for (LoopFiberStack *stack = chunk->free; stack != NULL && n_warm > 2 * MAX_WARM; stack = stack->next_free)
      if (stack->is_warm)
        empty_stack (stack);

  __atomic_store_n (&loop_event_loop_put_off, NULL, __ATOMIC_RELAXED);

  pthread_mutex_unlock (&mutex);
}

/* Where the fiber may write: not into a page that has a mark. */
const char *
loop_fiber_stack_get_usable (const LoopFiberStack *self, gsize *size)
{
  const char *bottom = self->is_guarded ? self->bottom : self->bottom + get_page_size ();

  *size = (gsize) (self->top - bottom);

  return bottom;
}

/*
 * Asks the kernel which pages have ever been touched, and are not swapped out. From any
 * thread, and of a stack that may be gone meanwhile.
 *
 * Returns: bytes from the lowest of them on, in whole pages
 */
gsize
loop_fiber_stack_measure (gconstpointer bottom, gsize size)
{
  gsize page_size = get_page_size ();
  gsize n_pages = size / page_size;
  g_autofree unsigned char *resident = g_malloc (n_pages);
  gsize lowest = 0;

  if (mincore ((gpointer) bottom, size, resident) != 0)
    return 0;

  while (lowest < n_pages && (resident[lowest] & 1) == 0)
    lowest++;

  return (n_pages - lowest) * page_size;
}

gsize
loop_fiber_stack_get_high_water_mark (const LoopFiberStack *self)
{
  gsize size;
  const char *bottom = loop_fiber_stack_get_usable (self, &size);

  return loop_fiber_stack_measure (bottom, size);
}

/* For a stack that the kernel does not guard: whether its lowest word was overwritten. */
gboolean
loop_fiber_stack_has_overflowed (const LoopFiberStack *self)
{
  return !self->is_guarded && *(const guint64 *) self->bottom != MARK;
}

/* Whether an access to @address is one beyond the end of the stack. */
gboolean
loop_fiber_stack_guards (const LoopFiberStack *self, gconstpointer address)
{
  const char *at = address;

  return self->is_guarded && at < self->bottom && at >= self->bottom - get_guard_size ();
}
