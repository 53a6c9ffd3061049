package localdynamo

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestWhatTheSystemSaysOfTheDiskIsTold(t *testing.T) {
	err := fmt.Errorf("commit: %w", &fs.PathError{Op: "write", Path: "/secret/place/dynamo.db", Err: syscall.ENOSPC})
	if got := asAPI(err); got.code != "InternalServerError" || !strings.Contains(got.message, syscall.ENOSPC.Error()) || strings.Contains(got.message, "place") {
		t.Errorf("a full disk: %v", got)
	}
	if got := asAPI(errors.New("item abc")); strings.Contains(got.message, "abc") {
		t.Errorf("any other error: %v", got)
	}
}
