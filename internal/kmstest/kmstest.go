// Package kmstest answers Encrypt and Decrypt as AWS KMS does, for tests: it
// encrypts with AES-256-GCM under keys of its own, with the encryption context
// as additional data, and refuses as KMS refuses. Only tests import it.
//
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
package kmstest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// The names of keys that tests use.
const (
	Key   = "arn:aws:kms:eu-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	Later = "arn:aws:kms:eu-central-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
)

// Call is a request that reached the service.
type Call struct {
	Action  string // Encrypt or Decrypt
	Key     string
	Region  string // that the request is signed for
	Context map[string]string
}

// Fault is what happens to a request instead of an answer.
type Fault int

// The faults.
const (
	None      Fault = iota
	Throttled       // ThrottlingException, nothing done
	Denied          // AccessDeniedException
	Disabled        // DisabledException: an operator has disabled the key
	Broken          // KMSInternalException
	Lost            // done, and the connection ends before the answer
)

// Service is a key service of one test. Its zero value works.
type Service struct {
	// Decide, when set, says what happens to a request.
	Decide func(ctx context.Context, c Call) Fault

	mu    sync.Mutex
	keys  map[string]cipher.AEAD
	calls []Call
}

// Calls gives the requests so far.
func (s *Service) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Config gives an SDK configuration whose requests this service answers, in the
// context that they were made in.
func (s *Service) Config() aws.Config {
	return aws.Config{Region: "us-east-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

// Do implements aws.HTTPClient.
func (s *Service) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	if lost := s.serve(rec, r); lost {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

// ServeHTTP implements http.Handler, for processes of their own.
func (s *Service) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if lost := s.serve(rw, r); lost {
		panic(http.ErrAbortHandler)
	}
}

type request struct {
	KeyID             string            `json:"KeyId"`
	Plaintext         []byte            `json:"Plaintext"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

type answer struct {
	KeyID          string `json:"KeyId"`
	Plaintext      []byte `json:"Plaintext,omitempty"`
	CiphertextBlob []byte `json:"CiphertextBlob,omitempty"`
}

func (s *Service) serve(rw http.ResponseWriter, r *http.Request) (lost bool) {
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(rw, http.StatusBadRequest, "SerializationException")
		return false
	}
	c := Call{Action: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService."), Key: in.KeyID, Context: in.EncryptionContext}
	// AWS4-HMAC-SHA256 Credential=test/20260101/eu-north-1/kms/aws4_request, …
	if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 3 && scope[3] == "kms" {
		c.Region = scope[2]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	fault := None
	if s.Decide != nil {
		fault = s.Decide(r.Context(), c)
	}
	switch {
	case fault == Throttled:
		refuse(rw, http.StatusBadRequest, "ThrottlingException")
		return false
	case fault == Denied, c.Region == "":
		refuse(rw, http.StatusBadRequest, "AccessDeniedException")
		return false
	case fault == Disabled:
		refuse(rw, http.StatusBadRequest, "DisabledException")
		return false
	case fault == Broken:
		refuse(rw, http.StatusInternalServerError, "KMSInternalException")
		return false
	case !strings.HasPrefix(c.Key, "arn:aws:kms:"+c.Region+":"):
		refuse(rw, http.StatusBadRequest, "NotFoundException")
		return false
	}
	out, err := s.do(c, &in)
	var no refusal
	switch {
	case errors.As(err, &no):
		refuse(rw, http.StatusBadRequest, string(no))
	case err != nil:
		refuse(rw, http.StatusInternalServerError, "KMSInternalException")
	case fault == Lost:
		return true
	default:
		rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(rw).Encode(out) // a client that is gone
	}
	return false
}

// refusal is the name of an exception.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(rw http.ResponseWriter, status int, exception string) {
	rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
	rw.WriteHeader(status)
	_, _ = fmt.Fprintf(rw, `{"__type":%q,"message":"refused"}`, exception) // a client that is gone
}

// do encrypts or decrypts. A ciphertext names its key, as KMS's do:
//
//	length of the key's name (1) ‖ name ‖ nonce (12) ‖ ciphertext and tag
func (s *Service) do(c Call, in *request) (*answer, error) {
	aead, err := s.key(in.KeyID)
	if err != nil {
		return nil, err
	}
	// Maps are encoded in the order of their keys.
	additional, err := json.Marshal(in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	switch c.Action {
	case "Encrypt":
		if len(in.Plaintext) == 0 || len(in.Plaintext) > 4096 {
			return nil, refusal("ValidationException")
		}
		nonce := make([]byte, aead.NonceSize())
		if _, err := rand.Read(nonce); err != nil {
			return nil, err
		}
		head := append([]byte{byte(len(in.KeyID))}, in.KeyID...)
		return &answer{KeyID: in.KeyID, CiphertextBlob: aead.Seal(append(head, nonce...), nonce, in.Plaintext, additional)}, nil
	case "Decrypt":
		blob := in.CiphertextBlob
		if len(blob) == 0 || len(blob) < 1+int(blob[0])+aead.NonceSize() {
			return nil, refusal("InvalidCiphertextException")
		}
		name, rest := string(blob[1:1+int(blob[0])]), blob[1+int(blob[0]):]
		if s.keys[name] == nil {
			return nil, refusal("InvalidCiphertextException")
		}
		if name != in.KeyID {
			return nil, refusal("IncorrectKeyException")
		}
		plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], additional)
		if err != nil {
			return nil, refusal("InvalidCiphertextException")
		}
		return &answer{KeyID: in.KeyID, Plaintext: plain}, nil
	}
	return nil, refusal("UnknownOperationException")
}

// key gives a key, made when it is first named.
func (s *Service) key(name string) (cipher.AEAD, error) {
	if a := s.keys[name]; a != nil {
		return a, nil
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	if s.keys == nil {
		s.keys = map[string]cipher.AEAD{}
	}
	s.keys[name], err = cipher.NewGCM(block)
	return s.keys[name], err
}
