package password

import (
	"crypto/sha256"
	_ "embed" // for the list below
	"sort"
)

//go:generate go run ./internal/gen -out common.bin

// commonDigests is the list of common passwords: the first commonDigest bytes of
// the SHA-256 of each one, folded, in order. It is searched where it lies in the
// binary: nothing is unpacked or built at start. A digest of 40 bits is hit by
// an innocent password once in 17 million. See LICENSE-common.md for its source.
//
//go:embed common.bin
var commonDigests string

const commonDigest = 5

// isCommon reports whether a folded password is on the list.
func isCommon(folded string) bool {
	sum := sha256.Sum256([]byte(folded))
	want := string(sum[:commonDigest])
	n := len(commonDigests) / commonDigest
	at := func(i int) string { return commonDigests[i*commonDigest : (i+1)*commonDigest] }
	i := sort.Search(n, func(i int) bool { return at(i) >= want })
	return i < n && at(i) == want
}
