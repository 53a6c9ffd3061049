// Package template fills in texts and pages. Its syntax is that of text/template
// cut down to fields, if, with, range, define and template: a template can call
// nothing, so it cannot do more than show what it is given.
//
// It exists besides the standard library's for the size of a Lambda function:
// text/template looks methods up by name, and in a program where that can
// happen the linker keeps every exported method of every type, which makes a
// function half as large again. Here fields are found by name and methods are not.
// (The rule is in the linker: https://go.dev/src/cmd/link/internal/ld/deadcode.go,
// "ReflectMethod".)
//
// It must not know what is written with it.
package template
