/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-fiber-switch-private.h"

#include <stdint.h>
#include <string.h>

#if !defined(LOOP_FIBER_UCONTEXT) && defined(__x86_64__) && !defined(__ILP32__)

/* The nop at its beginning is never run. */
extern void loop_fiber_begin (void);

LoopFiberContext
loop_fiber_prepare (void *bottom, void *top, LoopFiberEntry entry, void *data)
{
  /* What loop_fiber_switch() takes from the stack, from the lowest address on. */
  struct
  {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t padding;
    uint64_t r15, r14, r13, r12, rbx, rbp, rip;
  } * frame;

  /* At the first instruction the stack is aligned as before a call. */
  frame = (void *) ((((uintptr_t) top) & ~(uintptr_t) 15) - sizeof *frame);
  memset (frame, 0, sizeof *frame);
  __asm__("stmxcsr %0" : "=m"(frame->mxcsr));
  __asm__("fnstcw %0" : "=m"(frame->x87_control));
  frame->r12 = (uintptr_t) entry;
  frame->r13 = (uintptr_t) data;
  frame->rip = (uintptr_t) loop_fiber_begin + 1;

  return frame;
}

#elif !defined(LOOP_FIBER_UCONTEXT) && defined(__aarch64__)

/* The nop at its beginning is never run. */
extern void loop_fiber_begin (void);

LoopFiberContext
loop_fiber_prepare (void *bottom, void *top, LoopFiberEntry entry, void *data)
{
  /* What loop_fiber_switch() takes from the stack, from the lowest address on. */
  struct
  {
    uint64_t x29, x30, x19, x20;
    uint64_t rest[16];
    uint64_t fpcr, padding;
  } * frame;

  frame = (void *) ((((uintptr_t) top) & ~(uintptr_t) 15) - sizeof *frame);
  memset (frame, 0, sizeof *frame);
  __asm__("mrs %0, fpcr" : "=r"(frame->fpcr));
  frame->x30 = (uintptr_t) loop_fiber_begin + 4;
  frame->x19 = (uintptr_t) entry;
  frame->x20 = (uintptr_t) data;

  return frame;
}

#else

#include <ucontext.h>

/* Each switch costs two system calls here, for the signal mask. The context lies at the end of its stack. */
typedef struct
{
  ucontext_t ucontext;
  LoopFiberEntry entry;
  void *data;
} Context;

static void
begin (unsigned int high, unsigned int low)
{
  Context *self = (Context *) (((uintptr_t) high << 16 << 16) | low);

  self->entry (self->data);
  __builtin_trap ();
}

LoopFiberContext
loop_fiber_prepare (void *bottom, void *top, LoopFiberEntry entry, void *data)
{
  Context *self = (Context *) (((uintptr_t) top - sizeof (Context)) & ~(uintptr_t) 63);

  getcontext (&self->ucontext);
  self->ucontext.uc_stack.ss_sp = bottom;
  self->ucontext.uc_stack.ss_size = (size_t) ((char *) self - (char *) bottom);
  self->ucontext.uc_link = NULL;
  self->entry = entry;
  self->data = data;
  makecontext (&self->ucontext, (void (*) (void)) begin, 2, (unsigned int) ((uintptr_t) self >> 16 >> 16),
               (unsigned int) (uintptr_t) self);

  return self;
}

void
loop_fiber_switch (LoopFiberContext *from, LoopFiberContext to)
{
  /* On the stack that is left, where it stays until somebody comes back. */
  ucontext_t here;

  *from = &here;
  swapcontext (&here, &((Context *) to)->ucontext);
}

#endif
