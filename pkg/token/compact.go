package token

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxToken bounds an access token; ours have about 600 bytes.
const maxToken = 8 << 10

// header is the JOSE header. What points at keys (jku, jwk, x5u, x5c) is not
// read at all: keys come from the key set alone (RFC 8725 §3.10).
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`

	Critical jsontext.Value `json:"crit"`
	Base64   jsontext.Value `json:"b64"` // RFC 7797
}

// compact is a token in JWS compact serialization (RFC 7515 §7.1), taken apart
// but not believed.
type compact struct {
	header    header
	input     string // what the signature is over
	payload   string // still base64url
	signature []byte
}

// parseCompact takes a token apart: three parts, each canonical base64url, and
// a header of unique members in valid UTF-8. It refuses crit, whose extensions
// we do not know and therefore must refuse (RFC 7515 §4.1.11).
func parseCompact(raw string) (compact, error) {
	if len(raw) > maxToken {
		return compact{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxToken)
	}
	head, rest, ok := strings.Cut(raw, ".")
	payload, sig, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(sig, ".") {
		return compact{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	var c compact
	hb, err := decode64(head)
	if err != nil {
		return compact{}, fmt.Errorf("%w: header is not base64url", ErrMalformed)
	}
	if err := json.Unmarshal(hb, &c.header); err != nil {
		return compact{}, fmt.Errorf("%w: header is not a proper JSON object", ErrMalformed)
	}
	if c.header.Critical != nil || c.header.Base64 != nil {
		return compact{}, fmt.Errorf("%w: header asks for an extension", ErrMalformed)
	}
	if c.signature, err = decode64(sig); err != nil {
		return compact{}, fmt.Errorf("%w: signature is not base64url", ErrMalformed)
	}
	c.input = raw[:len(head)+1+len(payload)]
	c.payload = payload
	return c, nil
}

// verify checks the signature with the one algorithm of the key and only then
// gives the decoded payload.
func (c compact) verify(k VerificationKey) ([]byte, error) {
	if c.header.Algorithm != string(k.Algorithm) {
		return nil, fmt.Errorf("%w: algorithm is not the key's", ErrForged)
	}
	if err := k.Verify(c.input, c.signature); err != nil {
		return nil, err
	}
	payload, err := decode64(c.payload)
	if err != nil {
		return nil, fmt.Errorf("%w: payload is not base64url", ErrMalformed)
	}
	return payload, nil
}

// VerifySignature checks a compact JWS by one key, whatever it carries, and
// gives its payload. It is the signature check of Verifier alone, for test
// vectors and measurements; it says nothing about what the payload is worth.
func VerifySignature(raw string, k VerificationKey) ([]byte, error) {
	c, err := parseCompact(raw)
	if err != nil {
		return nil, err
	}
	return c.verify(k)
}
