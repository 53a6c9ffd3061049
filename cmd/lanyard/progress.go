package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"golang.org/x/time/rate"
)

// progress shows how far long work is, on terminals only: what is piped or kept
// in a log stays free of it.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress shows progress on out if that is a terminal; total is -1 where the
// end is not known.
func newProgress(out io.Writer, what string, total int64) progress {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	options := []progressbar.Option{progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14)}
	// A line that a terminal breaks is not taken off again.
	switch columns := columnsOf(f); {
	case columns >= 110:
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetWidth(30))
	case columns >= 75:
		options = append(options, progressbar.OptionSetWidth(15))
	default:
		options = append(options, progressbar.OptionSetWidth(5), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))
	}
	return progress{progressbar.NewOptions64(total, options...)}
}

// at says how many are done.
func (p progress) at(n int64) {
	if p.bar != nil {
		if most := p.bar.GetMax64(); most > 0 {
			n = min(n, most) // a total may be an estimate
		}
		_ = p.bar.Set64(n) // a terminal that has gone away is no failure of the work
	}
}

// done takes it off the screen.
func (p progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// pace lets at most perSecond things happen a second; 0 is without bound.
func pace(perSecond bound) func(context.Context, int) error {
	if perSecond == 0 {
		return nil
	}
	l := rate.NewLimiter(rate.Limit(perSecond), int(perSecond))
	return func(ctx context.Context, n int) error {
		for n > 0 {
			part := min(n, int(perSecond))
			if err := l.WaitN(ctx, part); err != nil {
				return err
			}
			n -= part
		}
		return nil
	}
}
