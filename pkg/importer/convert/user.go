package convert

import (
	"encoding/base32"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// user is a line being made: fields by their paths.
type user map[string]any

// set sets a text field that is not empty.
func (u user) set(path, v string) {
	if v = strings.TrimSpace(v); v != "" {
		put(u, path, v)
	}
}

// truth sets a flag that is true.
func (u user) truth(name string, v bool) {
	if v {
		u[name] = true
	}
}

// names sets the names: those given, else the parts of a full one.
func (u user) names(first, last, full string) {
	if first == "" && last == "" {
		first, last, _ = strings.Cut(strings.TrimSpace(full), " ")
	}
	u.set("profile.firstName", first)
	u.set("profile.lastName", last)
}

// language sets the language from a locale: en_GB, or en-GB.
func (u user) language(locale string) {
	u.set("profile.language", strings.ReplaceAll(locale, "_", "-"))
}

// username sets a name that people chose: not one that stands for the address or
// was made by the system.
func (u user) username(name, email string) {
	if name == "" || strings.EqualFold(name, email) || uuid.Validate(name) == nil {
		return
	}
	u["username"] = name
}

// at sets when the user was made.
func (u user) at(t time.Time) {
	if !t.IsZero() && t.Unix() > 0 {
		u["createdAt"] = t.UTC().Format(time.RFC3339Nano)
	}
}

// moment reads a time as systems spell it.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("a time is in no known form")
}

// flag reads a boolean as systems spell it.
func flag(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "t", "1", "yes":
		return true, nil
	case "false", "f", "0", "no", "":
		return false, nil
	}
	return false, errors.New("a flag is neither true nor false")
}

// secret32 spells raw bytes as the secret of an authenticator app.
func secret32(raw string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(raw))
}

var errNotJSON = errors.New("not JSON as the other system writes it")

// firebaseConfig finds the values of what the Firebase console shows.
var firebaseConfig = regexp.MustCompile(`(?m)^\s*([a-z0-9_]+)\s*:\s*([^,\s]+)\s*,?\s*$`)
