package convert

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/pkg/importer"
)

// maxLine bounds a line: a document's content may take six bytes of JSON for
// each of its own.
const maxLine = 2 << 20

// byteOrderMark begins the files of some spreadsheets.
var byteOrderMark = []byte("\xef\xbb\xbf")

// JSONLines reads one JSON object a line. Empty lines are skipped, and one that
// is too long is refused.
func JSONLines(r io.Reader) importer.Lines {
	return func(yield func(importer.Line, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		skipByteOrderMark(b)
		for n := 1; ; n++ {
			raw, long, err := readLine(b)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(importer.Line{Number: n}, err)
				return
			}
			l := importer.Line{Number: n, JSON: bytes.TrimSpace(raw)}
			if long {
				l = importer.Line{Number: n, Refuse: refused(fmt.Sprintf("longer than %d MiB", maxLine>>20))}
			}
			if (long || len(l.JSON) > 0) && !yield(l, nil) || err != nil {
				return
			}
		}
	}
}

// readLine reads a line, of which nothing is kept where it is too long. io.EOF
// comes with the last one.
func readLine(b *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := b.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

// skipByteOrderMark passes over what the files of some programs begin with.
func skipByteOrderMark(b *bufio.Reader) {
	if start, _ := b.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) { // a short file is read later
		_, _ = b.Discard(len(byteOrderMark))
	}
}

// begins reports whether the first thing in a file is c.
func begins(b *bufio.Reader, c byte) bool {
	skipByteOrderMark(b)
	start, _ := b.Peek(512) // a short file is read later
	start = bytes.TrimSpace(start)
	return len(start) > 0 && start[0] == c
}

var errEmpty = errors.New("the file is empty")

// CSV reads Lanyard's own CSV: a first line of field names, nested ones with
// dots (profile.firstName, attributes.length), and after it one record a line.
// An empty cell is an absent field. A field of a list (admins[].email) holds
// several values apart by semicolons. fields are the known ones with their JSON
// types; an unknown column is an error.
func CSV(r io.Reader, fields map[string]string) importer.Lines {
	return rows(r, func(header []string) error {
		for _, name := range header {
			if typeOf(fields, name) == "" {
				return fmt.Errorf("unknown column %q", name)
			}
		}
		return nil
	}, func(cells map[string]string) (any, error) {
		out := map[string]any{}
		for _, name := range sortedKeys(cells) {
			cell := cells[name]
			if cell == "" {
				continue
			}
			if list, field, ok := strings.Cut(name, "[]."); ok {
				for part := range strings.SplitSeq(cell, ";") {
					old, _ := out[list].([]any)
					out[list] = append(old, map[string]any{field: strings.TrimSpace(part)})
				}
				continue
			}
			var v any = cell
			if typeOf(fields, name) == "boolean" {
				switch strings.ToLower(cell) {
				case "true":
					v = true
				case "false":
					v = false
				}
			}
			put(out, name, v)
		}
		return out, nil
	})
}

// typeOf gives the type of a column, "" for an unknown one.
func typeOf(fields map[string]string, name string) string {
	if t, ok := fields[name]; ok {
		return t
	}
	if parent, _, ok := strings.Cut(name, "."); ok {
		return fields[parent+".*"]
	}
	return ""
}

// put sets a field by its path; what follows the first dot of attributes is one
// name.
func put(out map[string]any, path string, v any) {
	parent, rest, nested := strings.Cut(path, ".")
	if !nested {
		out[path] = v
		return
	}
	inner, ok := out[parent].(map[string]any)
	if !ok {
		inner = map[string]any{}
		out[parent] = inner
	}
	if parent == "attributes" {
		inner[rest] = v
		return
	}
	put(inner, rest, v)
}

// rows reads a CSV with a header: RFC 4180, UTF-8, every record of equal length.
func rows(r io.Reader, accept func(header []string) error, record func(map[string]string) (any, error)) importer.Lines {
	return func(yield func(importer.Line, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		skipByteOrderMark(b)
		in := csv.NewReader(b)
		header, err := in.Read()
		if errors.Is(err, io.EOF) {
			yield(importer.Line{Number: 1}, errEmpty)
			return
		}
		if err != nil {
			yield(importer.Line{Number: 1}, fmt.Errorf("CSV header: %w", err))
			return
		}
		for i, name := range header {
			if slices.Contains(header[:i], name) {
				yield(importer.Line{Number: 1}, fmt.Errorf("column %q occurs twice", name))
				return
			}
		}
		if err := accept(header); err != nil {
			yield(importer.Line{Number: 1}, err)
			return
		}
		for {
			cells, err := in.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var bad *csv.ParseError
			if errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount) {
				if !yield(importer.Line{Number: bad.StartLine, Refuse: refused("expected as many cells as the header has")}, nil) {
					return
				}
				continue
			}
			if err != nil {
				yield(importer.Line{}, err)
				return
			}
			number, _ := in.FieldPos(0)
			byName := make(map[string]string, len(header))
			for i, name := range header {
				byName[name] = cells[i]
			}
			v, err := record(byName)
			if !yield(line(number, v, err), nil) {
				return
			}
		}
	}
}

// line makes a line of a value or of what is wrong with it.
func line(number int, v any, err error) importer.Line {
	if err != nil {
		return importer.Line{Number: number, Refuse: refused(err.Error())}
	}
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return importer.Line{Number: number, Refuse: refused("not text in UTF-8")}
	}
	return importer.Line{Number: number, JSON: raw}
}

func refused(why string) error { return importer.Refuse(why) }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// objects reads the elements of one array in a document, found by its name at
// the top, in bounded memory; a document that is an array itself is read too.
// Numbers count elements.
func objects(r io.Reader, name string, convert func(raw []byte) (any, error)) importer.Lines {
	return func(yield func(importer.Line, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		skipByteOrderMark(b)
		if _, err := b.Peek(1); errors.Is(err, io.EOF) {
			yield(importer.Line{Number: 1}, errEmpty)
			return
		}
		d := jsontext.NewDecoder(b)
		fail := func(n int, err error) {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the file ends in the middle")
			}
			yield(importer.Line{Number: n}, err)
		}
		if d.PeekKind() == '{' {
			if _, err := d.ReadToken(); err != nil {
				fail(1, err)
				return
			}
			found := false
			for d.PeekKind() == '"' {
				t, err := d.ReadToken()
				if err != nil {
					fail(1, err)
					return
				}
				if t.String() == name {
					found = true
					break
				}
				if err := d.SkipValue(); err != nil {
					fail(1, err)
					return
				}
			}
			if !found {
				fail(1, fmt.Errorf("no array %q at the top of the document", name))
				return
			}
		}
		if d.PeekKind() != '[' {
			fail(1, fmt.Errorf("expected an array %q", name))
			return
		}
		if _, err := d.ReadToken(); err != nil {
			fail(1, err)
			return
		}
		n := 0
		for d.PeekKind() != ']' {
			n++
			raw, err := d.ReadValue()
			if err != nil {
				fail(n, err)
				return
			}
			v, err := convert(raw)
			if !yield(line(n, v, err), nil) {
				return
			}
		}
	}
}

// each converts every line of JSON Lines.
func each(r io.Reader, convert func(raw []byte) (any, error)) importer.Lines {
	return func(yield func(importer.Line, error) bool) {
		for l, err := range JSONLines(r) {
			if err == nil && l.Refuse == nil {
				v, bad := convert(l.JSON)
				l = line(l.Number, v, bad)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}
