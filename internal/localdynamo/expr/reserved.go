package expr

import (
	_ "embed" // for the list
	"slices"
	"strings"
)

//go:embed reserved.txt
var reservedList string

// reservedWords are the 573 words of "Reserved words in DynamoDB", in order.
var reservedWords = strings.Fields(reservedList)

// isReserved reports whether a name may only be used through a placeholder.
func isReserved(name string) bool {
	_, found := slices.BinarySearch(reservedWords, strings.ToUpper(name))
	return found
}
