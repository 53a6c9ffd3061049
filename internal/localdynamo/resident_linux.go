package localdynamo

import (
	"errors"
	"fmt"
	"syscall"

	"go.etcd.io/bbolt"
)

// letGo tells the kernel that the mapped pages of the file are not needed for
// now. They stay in its page cache, do not count as memory of the process any
// more, and come back when they are touched. bbolt maps the file for reading only
// and writes through the descriptor, so nothing is lost (madvise(2),
// MADV_DONTNEED of a shared mapping).
func letGo(db *bbolt.DB) error {
	// While a transaction is open the mapping stays where it is.
	return db.View(func(tx *bbolt.Tx) error {
		_, _, e := syscall.Syscall(syscall.SYS_MADVISE, db.Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
		if e != 0 && !errors.Is(e, syscall.ENOMEM) { // not all of it is mapped
			return fmt.Errorf("madvise: %w", e)
		}
		return nil
	})
}
