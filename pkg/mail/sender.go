package mail

import (
	"context"
	"errors"
)

// Sender hands one mail to whoever delivers it. nil means that it was accepted;
// a *SendError says whether trying again can help; every other error is taken
// as temporary. It is called from several goroutines at once.
//
// The text of the error is logged and kept, so it must not hold an address or
// anything of the mail.
type Sender interface {
	Send(ctx context.Context, m *Mail) error
}

// SendError says why a mail was not accepted, in words that hold no address.
type SendError struct {
	Reason    string
	Permanent bool // the same mail will be refused again
}

// Error gives the reason.
func (e *SendError) Error() string { return e.Reason }

// permanent reports whether another attempt is pointless.
func permanent(err error) bool {
	var s *SendError
	return errors.As(err, &s) && s.Permanent
}
