package main

import "fmt"

// goal is something to be reached, and whether the run reached it.
type goal struct {
	what, want, got string
	met             bool
}

// verdict says it in a table. A goal that is missed stands out.
func (g goal) verdict() string {
	if g.met {
		return "met"
	}
	return "**missed**"
}

// atMost is a goal that is met by a figure no greater than most.
func (d *document) atMost(what string, value, most float64, show func(float64) string) {
	d.goals = append(d.goals, goal{what, "≤ " + show(most), show(value), value <= most})
}

// atLeast is a goal that is met by a figure no less than least.
func (d *document) atLeast(what string, value, least float64, show func(float64) string) {
	d.goals = append(d.goals, goal{what, "≥ " + show(least), show(value), value >= least})
}

func times(v float64) string    { return fmt.Sprintf("%.2f ×", v) }
func whole(v float64) string    { return fmt.Sprintf("%.0f", v) }
func percent(v float64) string  { return fmt.Sprintf("%.1f %%", v) }
func millions(v float64) string { return fmt.Sprintf("%.1f million", v/1e6) }
func megabytes(v float64) string {
	return fmt.Sprintf("%.2f MB", v)
}
