package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Version is the version of the format.
const Version = 1

// maxLine bounds a line: an item has at most 400 KB, which JSON may write as
// six times as many bytes.
const maxLine = 4 << 20

// Header is the first line.
type Header struct {
	Lanyard string `json:"lanyard"` // "export"
	Version int    `json:"version"`
	Secrets bool   `json:"secrets"`
}

// trailer is what the last line says of those before it.
type trailer struct {
	Items  int64  `json:"items"`
	SHA256 string `json:"sha256"`
}

type line struct {
	Keys jsontext.Value `json:"keys,omitzero"`
	Item jsontext.Value `json:"item,omitzero"`
	End  *trailer       `json:"end,omitzero"`
}

// ErrDamaged says that a file is not a whole export.
var ErrDamaged = errors.New("not a whole export")

// Summary is what a file holds.
type Summary struct {
	Header Header
	Items  int64
	SHA256 string
	Keys   []byte // the key ring, nil without one
}

// reader goes through the lines of a file and checks them on the way.
type reader struct {
	scan    *bufio.Scanner
	digest  hash.Hash
	number  int
	last    table.Key
	summary Summary
}

func newReader(r io.Reader) (*reader, error) {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	out := &reader{scan: s, digest: sha256.New()}
	if !s.Scan() {
		return nil, out.damaged("empty, or a line too long", s.Err())
	}
	out.number++
	h := &out.summary.Header
	if err := json.Unmarshal(s.Bytes(), h, json.RejectUnknownMembers(true)); err != nil || h.Lanyard != "export" {
		return nil, out.damaged("no header", err)
	}
	if h.Version != Version {
		return nil, fmt.Errorf("export has format version %d; this program reads version %d", h.Version, Version)
	}
	out.count()
	return out, nil
}

func (r *reader) damaged(what string, cause error) error {
	if cause != nil {
		return fmt.Errorf("%w: line %d: %s: %w", ErrDamaged, r.number, what, cause)
	}
	return fmt.Errorf("%w: line %d: %s", ErrDamaged, r.number, what)
}

func (r *reader) count() {
	r.digest.Write(r.scan.Bytes())
	r.digest.Write([]byte{'\n'})
}

// next gives the next item, io.EOF after the last; a file that does not end as
// it must is ErrDamaged.
func (r *reader) next() (table.Record, error) {
	for {
		if !r.scan.Scan() {
			return table.Record{}, r.damaged("it ends too early, or a line is too long", r.scan.Err())
		}
		r.number++
		var l line
		if err := json.Unmarshal(r.scan.Bytes(), &l, json.RejectUnknownMembers(true)); err != nil {
			return table.Record{}, r.damaged("not JSON", err)
		}
		switch {
		case l.End != nil && l.Item == nil && l.Keys == nil:
			return table.Record{}, r.finish(l.End)
		case l.Keys != nil && l.Item == nil && l.End == nil && r.number == 2 && r.summary.Header.Secrets:
			r.summary.Keys = bytes.Clone(l.Keys)
			r.count()
		case l.Item != nil && l.Keys == nil && l.End == nil:
			rec, err := table.ParseRecord(l.Item)
			if err != nil {
				return table.Record{}, r.damaged("no item", err)
			}
			if k := rec.Key(); !before(r.last, k) {
				return table.Record{}, r.damaged("items are out of order", nil)
			} else {
				r.last = k
			}
			r.summary.Items++
			r.count()
			return rec, nil
		default:
			return table.Record{}, r.damaged("neither keys nor item nor end", nil)
		}
	}
}

func (r *reader) finish(t *trailer) error {
	r.summary.SHA256 = hex.EncodeToString(r.digest.Sum(nil))
	switch {
	case t.Items != r.summary.Items:
		return r.damaged(fmt.Sprintf("it says %d items and has %d", t.Items, r.summary.Items), nil)
	case t.SHA256 != r.summary.SHA256:
		return r.damaged("its digest is not that of its lines", nil)
	case r.scan.Scan():
		return r.damaged("something follows the end", nil)
	}
	return io.EOF
}

func before(a, b table.Key) bool { return a.PK < b.PK || a.PK == b.PK && a.SK < b.SK }

// Check reads a whole file and says what it holds, or ErrDamaged. each, where it
// is not nil, is called with every item.
func Check(r io.Reader, each func(table.Record) error) (Summary, error) {
	in, err := newReader(r)
	if err != nil {
		return Summary{}, err
	}
	for {
		item, err := in.next()
		if errors.Is(err, io.EOF) {
			return in.summary, nil
		}
		if err == nil && each != nil {
			err = each(item)
		}
		if err != nil {
			return Summary{}, err
		}
	}
}

// writer writes the lines of a file.
type writer struct {
	out    *bufio.Writer
	digest hash.Hash
	items  int64
}

func newWriter(w io.Writer) *writer {
	return &writer{out: bufio.NewWriterSize(w, 256<<10), digest: sha256.New()}
}

func (w *writer) line(b []byte) error {
	w.digest.Write(b)
	w.digest.Write([]byte{'\n'})
	if _, err := w.out.Write(b); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	if err := w.out.WriteByte('\n'); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

func (w *writer) header(secrets bool, ring []byte) error {
	if err := w.line(fmt.Appendf(nil, `{"lanyard":"export","version":%d,"secrets":%t}`, Version, secrets)); err != nil {
		return err
	}
	if !secrets || ring == nil {
		return nil
	}
	keys := jsontext.Value(bytes.Clone(ring))
	if err := keys.Compact(); err != nil {
		return fmt.Errorf("key ring: %w", err)
	}
	return w.line(append(append([]byte(`{"keys":`), keys...), '}'))
}

func (w *writer) item(raw []byte) error {
	w.items++
	return w.line(append(append([]byte(`{"item":`), raw...), '}'))
}

func (w *writer) end() (Summary, error) {
	sum := hex.EncodeToString(w.digest.Sum(nil))
	if err := w.line(fmt.Appendf(nil, `{"end":{"items":%d,"sha256":"%s"}}`, w.items, sum)); err != nil {
		return Summary{}, err
	}
	if err := w.out.Flush(); err != nil {
		return Summary{}, fmt.Errorf("write export: %w", err)
	}
	return Summary{Items: w.items, SHA256: sum}, nil
}
