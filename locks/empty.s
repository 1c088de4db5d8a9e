// This file lets the compiler accept the functions of runtime.go, which have no body.
