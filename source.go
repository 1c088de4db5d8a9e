// Package pcbbench holds the module's own source, so that a binary can say which code it was built from, and a torture passed by one
// binary can be told to be another one's, whichever way both were built.
package pcbbench

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"
)

//go:embed go.mod go.sum */*.go */*/*.go */*/*/*.go
var source embed.FS

// Source is the module's Go files and go.mod, by their paths in it.
func Source() fs.FS { return source }

// Code is a digest, in hexadecimal, of all that decides what a binary does: the module's files but tests, the Go version, and the platform.
// Build tags and flags are not in it.
var Code = sync.OnceValue(func() string {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	err := fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		data, err := source.ReadFile(name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("pcbbench: embedded source: %v", err)) // it is in the binary
	}
	return hex.EncodeToString(h.Sum(nil))
})
