package access

import "fmt"

// Level is how much a user may do to an entity or a document. The zero value,
// LevelNone, permits nothing.
type Level uint8

// The levels, each including all before it.
const (
	LevelNone Level = iota
	LevelViewer
	LevelEditor
	LevelManager
	LevelAdmin
)

// Action is one thing a user may want to do. The zero value is no action and is
// never allowed.
type Action uint8

// The actions. ActionManage is changing who holds which grant.
const (
	ActionView Action = iota + 1
	ActionEdit
	ActionCreate
	ActionDelete
	ActionShare
	ActionManage
)

// Levels lists the levels a user can hold, least first; LevelNone is not among them.
func Levels() []Level { return []Level{LevelViewer, LevelEditor, LevelManager, LevelAdmin} }

// Actions lists every action in the order of the documented table.
func Actions() []Action {
	return []Action{ActionView, ActionEdit, ActionCreate, ActionDelete, ActionShare, ActionManage}
}

// needs is the documented table of levels and actions: the least level that
// includes the action. An unknown action needs more than there is.
func (a Action) needs() Level {
	switch a {
	case ActionView:
		return LevelViewer
	case ActionEdit, ActionCreate:
		return LevelEditor
	case ActionDelete, ActionShare:
		return LevelManager
	case ActionManage:
		return LevelAdmin
	default:
		return LevelAdmin + 1
	}
}

// Allows reports whether the level includes the action. An unknown level
// includes nothing.
func (l Level) Allows(a Action) bool { return l <= LevelAdmin && l >= a.needs() }

// Actions lists what the level includes, in the order of the documented table.
func (l Level) Actions() []Action {
	var out []Action
	for _, a := range Actions() {
		if l.Allows(a) {
			out = append(out, a)
		}
	}
	return out
}

// String gives the level as the API spells it.
func (l Level) String() string {
	switch l {
	case LevelNone:
		return "none"
	case LevelViewer:
		return "viewer"
	case LevelEditor:
		return "editor"
	case LevelManager:
		return "manager"
	case LevelAdmin:
		return "admin"
	default:
		return "unknown"
	}
}

// ParseLevel reads a level, "none" included.
func ParseLevel(s string) (Level, error) {
	if s == "none" {
		return LevelNone, nil
	}
	return ParseGrantLevel(s)
}

// ParseGrantLevel reads a level that a grant can carry: viewer to admin.
func ParseGrantLevel(s string) (Level, error) {
	for _, l := range Levels() {
		if l.String() == s {
			return l, nil
		}
	}
	return LevelNone, fmt.Errorf("%q is not a level", s)
}

// ParseShareLevel reads a level that a document share can carry: viewer or editor.
func ParseShareLevel(s string) (Level, error) {
	switch s {
	case "viewer":
		return LevelViewer, nil
	case "editor":
		return LevelEditor, nil
	default:
		return LevelNone, fmt.Errorf("%q is not the level of a share", s)
	}
}

// MarshalText gives the API's spelling; an unknown level is an error.
func (l Level) MarshalText() ([]byte, error) {
	if l > LevelAdmin {
		return nil, fmt.Errorf("level %d is unknown", l)
	}
	return []byte(l.String()), nil
}

// UnmarshalText reads the API's spelling.
func (l *Level) UnmarshalText(text []byte) error {
	v, err := ParseLevel(string(text))
	if err == nil {
		*l = v
	}
	return err
}

// String gives the action as the API spells it.
func (a Action) String() string {
	switch a {
	case ActionView:
		return "view"
	case ActionEdit:
		return "edit"
	case ActionCreate:
		return "create"
	case ActionDelete:
		return "delete"
	case ActionShare:
		return "share"
	case ActionManage:
		return "manage"
	default:
		return "unknown"
	}
}

// ParseAction reads an action.
func ParseAction(s string) (Action, error) {
	for _, a := range Actions() {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%q is not an action", s)
}

// MarshalText gives the API's spelling; an unknown action is an error.
func (a Action) MarshalText() ([]byte, error) {
	if a < ActionView || a > ActionManage {
		return nil, fmt.Errorf("action %d is unknown", a)
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads the API's spelling.
func (a *Action) UnmarshalText(text []byte) error {
	v, err := ParseAction(string(text))
	if err == nil {
		*a = v
	}
	return err
}
