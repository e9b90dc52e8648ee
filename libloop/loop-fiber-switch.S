/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * loop_fiber_switch() for x86-64 (System V ABI, 3.2.1: rbx, rbp, r12 to r15 and the control
 * bits of mxcsr and of the x87 belong to the caller) and for AArch64 (AAPCS64, 6.1: x19 to x30
 * and the low halves of v8 to v15). All of it is pushed onto the stack that is left, whose
 * pointer is then all there is to remember.
 *
 * In AArch64 fpcr, which says how to round, belongs to nobody: but it is kept as well, so that
 * a fiber that changes it and then waits changes it for itself, as on x86-64 and with
 * ucontext. It is written only when it differs, for that is slow on some processors.
 *
 * loop_fiber_begin is where a new stack begins: it calls the entry with its data, which
 * loop_fiber_prepare() has put where two of these registers are taken from. It has no caller,
 * and says so to whoever unwinds the stack. Its first instruction is skipped: debuggers look
 * for a frame's function just before the address to which it returns.
 */

#if !defined(LOOP_FIBER_UCONTEXT) && defined(__x86_64__) && !defined(__ILP32__)

	.text
	.globl	loop_fiber_switch
	.hidden	loop_fiber_switch
	.type	loop_fiber_switch, @function
	.p2align 4
loop_fiber_switch:
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)

	/* The frames of the two stacks look the same: what unwinds this one may go on. */
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp

	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	/* Not a ret: the processor would expect it to return to where this stack called from. */
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp	*%rcx
	.cfi_endproc
	.size	loop_fiber_switch, . - loop_fiber_switch

	.globl	loop_fiber_begin
	.hidden	loop_fiber_begin
	.type	loop_fiber_begin, @function
	.p2align 4
loop_fiber_begin:
	.cfi_startproc
	.cfi_undefined rip
	nop
	endbr64
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	loop_fiber_begin, . - loop_fiber_begin

#elif !defined(LOOP_FIBER_UCONTEXT) && defined(__aarch64__)

	.text
	.globl	loop_fiber_switch
	.hidden	loop_fiber_switch
	.type	loop_fiber_switch, %function
	.p2align 4
loop_fiber_switch:
	.cfi_startproc
	hint	#34 /* bti c */
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	stp	x29, x30, [sp, #0]
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	stp	x21, x22, [sp, #32]
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	stp	x23, x24, [sp, #48]
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	stp	x25, x26, [sp, #64]
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	stp	x27, x28, [sp, #80]
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mrs	x9, fpcr
	str	x9, [sp, #160]

	mov	x10, sp
	str	x10, [x0]
	mov	sp, x1

	ldr	x10, [sp, #160]
	cmp	x9, x10
	b.eq	1f
	msr	fpcr, x10
1:
	ldp	x29, x30, [sp, #0]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #176
	.cfi_adjust_cfa_offset -176
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	ret
	.cfi_endproc
	.size	loop_fiber_switch, . - loop_fiber_switch

	.globl	loop_fiber_begin
	.hidden	loop_fiber_begin
	.type	loop_fiber_begin, %function
	.p2align 4
loop_fiber_begin:
	.cfi_startproc
	.cfi_undefined x30
	nop
	hint	#36 /* bti j */
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	loop_fiber_begin, . - loop_fiber_begin

#endif

	.section .note.GNU-stack, "", %progbits
