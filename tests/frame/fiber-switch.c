/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tries the switch between stacks by itself, on any processor: without GLib, and with all
 * registers in view. The argument says what is tried.
 */

#include "loop-fiber-switch-private.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#define N_FIBERS 50
#define STACK_SIZE (64 * 1024)
#define N_SWITCHES 200000

#define fail(...) (fprintf (stderr, __VA_ARGS__), fputc ('\n', stderr), exit (1))

/*
 * What a function may count on across a call. swap_registers() has all of it hold what
 * @registers says, switches, and stores there what it holds when it comes back.
 * enter() calls run() with the stack pointer as it is where a stack begins.
 */
#if defined(__x86_64__)

typedef struct
{
  uint64_t rbx, rbp, r12, r13, r14, r15;
} Registers;

#define ENTRY_MISALIGNMENT 8

__asm__(".text\n"
        "swap_registers:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  push %rdx\n"
        "  mov 0(%rdx), %rbx\n  mov 8(%rdx), %rbp\n  mov 16(%rdx), %r12\n"
        "  mov 24(%rdx), %r13\n  mov 32(%rdx), %r14\n  mov 40(%rdx), %r15\n"
        "  call loop_fiber_switch\n"
        "  pop %rdx\n"
        "  mov %rbx, 0(%rdx)\n  mov %rbp, 8(%rdx)\n  mov %r12, 16(%rdx)\n"
        "  mov %r13, 24(%rdx)\n  mov %r14, 32(%rdx)\n  mov %r15, 40(%rdx)\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
        "  ret\n"
        "enter:\n"
        "  mov %rsp, %rsi\n"
        "  jmp run\n");

/* The rounding modes of SSE and x87, which need not be the same, and the precision of the latter. */
static void
set_control (unsigned int number)
{
  uint32_t mxcsr = 0x1f80 | (number & 3) << 13;
  uint16_t x87 = (uint16_t) (0x007f | (number >> 2 & 3) << 10 | ((number & 1) != 0 ? 0x300 : 0x200));

  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
  __asm__ volatile("fldcw %0" ::"m"(x87));
}

static uint64_t
get_control (void)
{
  uint32_t mxcsr;
  uint16_t x87;

  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  __asm__ volatile("fnstcw %0" : "=m"(x87));

  /* Without the flags of what has happened. */
  return (mxcsr & 0xffc0) | (uint64_t) x87 << 32;
}

#elif defined(__aarch64__)

typedef struct
{
  uint64_t x19_to_x29[11];
  uint64_t d8_to_d15[8];
} Registers;

#define ENTRY_MISALIGNMENT 0

__asm__(".text\n"
        "swap_registers:\n"
        "  stp x29, x30, [sp, #-176]!\n"
        "  stp x19, x20, [sp, #16]\n  stp x21, x22, [sp, #32]\n  stp x23, x24, [sp, #48]\n"
        "  stp x25, x26, [sp, #64]\n  stp x27, x28, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  str x2, [sp, #160]\n"
        "  ldp x19, x20, [x2, #0]\n  ldp x21, x22, [x2, #16]\n  ldp x23, x24, [x2, #32]\n"
        "  ldp x25, x26, [x2, #48]\n  ldp x27, x28, [x2, #64]\n  ldr x29, [x2, #80]\n"
        "  ldp d8, d9, [x2, #88]\n  ldp d10, d11, [x2, #104]\n"
        "  ldp d12, d13, [x2, #120]\n  ldp d14, d15, [x2, #136]\n"
        "  bl loop_fiber_switch\n"
        "  ldr x2, [sp, #160]\n"
        "  stp x19, x20, [x2, #0]\n  stp x21, x22, [x2, #16]\n  stp x23, x24, [x2, #32]\n"
        "  stp x25, x26, [x2, #48]\n  stp x27, x28, [x2, #64]\n  str x29, [x2, #80]\n"
        "  stp d8, d9, [x2, #88]\n  stp d10, d11, [x2, #104]\n"
        "  stp d12, d13, [x2, #120]\n  stp d14, d15, [x2, #136]\n"
        "  ldp x19, x20, [sp, #16]\n  ldp x21, x22, [sp, #32]\n  ldp x23, x24, [sp, #48]\n"
        "  ldp x25, x26, [sp, #64]\n  ldp x27, x28, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  ldp x29, x30, [sp], #176\n"
        "  ret\n"
        "enter:\n"
        "  mov x1, sp\n"
        "  b run\n");

/* The rounding mode, and whether small numbers become 0. */
static void
set_control (unsigned int number)
{
  uint64_t fpcr = (uint64_t) (number & 7) << 22;

  __asm__ volatile("msr fpcr, %0" ::"r"(fpcr));
}

static uint64_t
get_control (void)
{
  uint64_t fpcr;

  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));

  return fpcr;
}

#else
#error "say here which registers this processor keeps across a call"
#endif

__attribute__ ((visibility ("hidden"))) void swap_registers (LoopFiberContext *from,
                                                             LoopFiberContext to,
                                                             Registers *registers);
__attribute__ ((visibility ("hidden"))) void enter (void *data);
__attribute__ ((visibility ("hidden"), used)) void run (void *data, uintptr_t stack_pointer);

typedef struct
{
  LoopFiberContext context;
  char *stack;
  unsigned int number;
  void (*func) (void *data);
} Fiber;

static Fiber fibers[N_FIBERS];
static Fiber outside = { .number = N_FIBERS };
static unsigned int n_left;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t
next_random (void)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;

  return random_state;
}

static void
prepare (Fiber *self, void (*func) (void *data))
{
  self->number = (unsigned int) (self - fibers);
  self->func = func;
  self->stack = malloc (STACK_SIZE);
  /* A top that is not aligned, as somebody may have who puts something there. */
  self->context = loop_fiber_prepare (self->stack, self->stack + STACK_SIZE - self->number % 32, enter, self);
}

void
run (void *data, uintptr_t stack_pointer)
{
  Fiber *self = data;
  char here;

  if (self < fibers || self >= fibers + N_FIBERS)
    fail ("the entry was called with something else than its data");
  if (stack_pointer % 16 != ENTRY_MISALIGNMENT)
    fail ("the stack begins at %#jx, which is not aligned", (uintmax_t) stack_pointer);
  if (&here < self->stack || &here >= self->stack + STACK_SIZE)
    fail ("fiber %u is not on its stack", self->number);

  self->func (self);
  fail ("fiber %u has returned", self->number);
}

static void
switch_to (Fiber *self, Fiber *other)
{
  Registers registers, expected;
  uint64_t control;

  for (size_t i = 0; i < sizeof registers; i += sizeof (uint64_t))
    {
      uint64_t value = next_random ();

      memcpy ((char *) &registers + i, &value, sizeof value);
    }
  expected = registers;
  set_control (self->number);
  control = get_control ();

  swap_registers (&self->context, other->context, &registers);

  if (get_control () != control)
    fail ("fiber %u rounds in another way: %#jx, not %#jx", self->number, (uintmax_t) get_control (),
          (uintmax_t) control);
  set_control (0);
  if (memcmp (&registers, &expected, sizeof registers) != 0)
    for (size_t i = 0; i < sizeof registers / sizeof (uint64_t); i++)
      if (((uint64_t *) &registers)[i] != ((uint64_t *) &expected)[i])
        fail ("register %zu of fiber %u was not kept", i, self->number);
}

static void
wander (void *data)
{
  Fiber *self = data;

  for (;;)
    {
      Fiber *other = &fibers[next_random () % N_FIBERS];

      if (n_left-- == 0)
        other = &outside;
      else if (other == self)
        continue;
      switch_to (self, other);
    }
}

static void
try_registers (void)
{
  for (unsigned int i = 0; i < N_FIBERS; i++)
    prepare (&fibers[i], wander);

  for (unsigned int i = 0; i < 10; i++)
    {
      n_left = N_SWITCHES / 10;
      switch_to (&outside, &fibers[i]);
    }
}

/* A fiber begins with how it was rounded where it was prepared. */
static uint64_t control_at_begin;

static void
note_control (void *data)
{
  control_at_begin = get_control ();
  switch_to (data, &outside);
}

static void
try_begin (void)
{
  uint64_t control;

  set_control (3);
  control = get_control ();
  prepare (&fibers[0], note_control);
  set_control (0);
  switch_to (&outside, &fibers[0]);
  if (control_at_begin != control)
    fail ("the fiber begins with %#jx, not with %#jx", (uintmax_t) control_at_begin, (uintmax_t) control);
}

static unsigned int n_frames;
static bool saw_run;

static _Unwind_Reason_Code
note_frame (struct _Unwind_Context *context, void *data)
{
  n_frames++;
  saw_run = saw_run || _Unwind_FindEnclosingFunction ((void *) (_Unwind_GetIP (context) - 1)) == (void *) run;

  return n_frames < 1000 ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static __attribute__ ((noinline)) int
unwind_deep (Fiber *self, int depth)
{
  volatile char frame[100];

  frame[0] = (char) depth;
  if (depth > 0)
    return unwind_deep (self, depth - 1) + frame[0];

  switch_to (self, &outside);
  if (_Unwind_Backtrace (note_frame, NULL) != _URC_END_OF_STACK)
    fail ("unwinding fails after %u frames", n_frames);

  return frame[0];
}

static void
unwind (void *data)
{
  unwind_deep (data, 20);
  switch_to (data, &outside);
}

/* A debugger finds the way from where a fiber is to where it began, and no further. */
static void
try_unwind (void)
{
  prepare (&fibers[7], unwind);
  switch_to (&outside, &fibers[7]);
  switch_to (&outside, &fibers[7]);
  if (n_frames < 21 || n_frames > 30)
    fail ("there are %u frames", n_frames);
  if (!saw_run)
    fail ("the way back does not lead through where the fiber began");
}

int
main (int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";

  if (strcmp (what, "registers") == 0)
    try_registers ();
  else if (strcmp (what, "begin") == 0)
    try_begin ();
  else if (strcmp (what, "unwind") == 0)
    try_unwind ();
  else
    fail ("usage: fiber-switch registers|begin|unwind");

  for (unsigned int i = 0; i < N_FIBERS; i++)
    free (fibers[i].stack);

  return 0;
}
