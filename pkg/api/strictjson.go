package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// maxDepth bounds the nesting of a body; no schema here needs more than six.
const maxDepth = 24

// readBody reads a request's body up to limit bytes and refuses what
// encoding/json would let pass: another media type, duplicate keys, invalid
// UTF-8, data after the end, absurd nesting. The body is put back for the
// handler. An empty body is no error here: the schema says whether one is needed.
func readBody(r *http.Request, limit int64) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return fault.Wrap(fault.CodeMalformed, err)
	}
	if int64(len(body)) > limit {
		return fault.New(fault.CodeTooLarge, fault.CodeTooLarge.Meaning())
	}
	if len(body) == 0 {
		r.Body = http.NoBody
		return nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return fault.New(fault.CodeUnsupportedMedia, fault.CodeUnsupportedMedia.Meaning())
	}
	if err := checkJSON(body); err != nil {
		return fault.Wrap(fault.CodeMalformed, err)
	}
	// Media types are compared without regard to case (RFC 9110, section 8.3.1);
	// what unmarshals the body compares letters.
	r.Header.Set("Content-Type", media)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

// checkJSON accepts exactly one JSON value (RFC 8259) with unique keys (RFC
// 7493) and valid UTF-8, nested at most maxDepth deep.
func checkJSON(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		_, err := d.ReadToken()
		if err != nil {
			return err
		}
		if d.StackDepth() > maxDepth {
			return errors.New("nested too deeply")
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("data after the end")
	}
	return nil
}
