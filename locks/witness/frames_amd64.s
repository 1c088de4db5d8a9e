//go:build profile

#include "textflag.h"

// func frames(at *stack)
//
// Every Go function that calls another keeps the caller's frame pointer, and below that, which is above on the stack, its return address. The
// outermost frame's is zero.
TEXT ·frames(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ at+0(FP), DI
	MOVQ BP, SI
	MOVQ $10, CX
next:
	XORQ AX, AX
	TESTQ SI, SI
	JEQ store
	MOVQ 8(SI), AX
	MOVQ (SI), SI
store:
	MOVQ AX, (DI)
	ADDQ $8, DI
	DECQ CX
	JNE next
	RET
