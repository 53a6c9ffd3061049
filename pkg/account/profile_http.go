package account

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// maxProfileBytes bounds what the system of record may answer.
const maxProfileBytes = 64 << 10

// HTTPProfiles reads and writes profiles in an external system of record: GET
// and PUT {URL}/{userId}, JSON of the Profile schema, 404 for a user it does
// not know. Each call ends at Timeout.
type HTTPProfiles struct {
	URL     string
	Token   string // sent as a bearer token when set
	Timeout time.Duration
	Client  *http.Client
}

// Load implements ProfileSource.
func (h *HTTPProfiles) Load(ctx context.Context, userID string, _ *table.Record) (Profile, error) {
	var p Profile
	err := h.call(ctx, http.MethodGet, userID, nil, &p)
	return p, err
}

// Save implements ProfileSource. It happens before the caller's transaction,
// which then only records it.
func (h *HTTPProfiles) Save(ctx context.Context, userID string, p Profile) ([]*table.Write, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode profile: %w", err)
	}
	return nil, h.call(ctx, http.MethodPut, userID, body, nil)
}

func (h *HTTPProfiles) call(ctx context.Context, method, userID string, body []byte, out *Profile) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(h.URL, "/")+"/"+url.PathEscape(userID), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("profile request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if h.Token != "" {
		req.Header.Set("Authorization", "Bearer "+h.Token)
	}
	res, err := h.Client.Do(req)
	if err != nil {
		return fmt.Errorf("system of record: %w", err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound && method == http.MethodGet:
		return nil
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fmt.Errorf("system of record: status %d", res.StatusCode)
	case out == nil:
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxProfileBytes+1))
	if err != nil {
		return fmt.Errorf("system of record: %w", err)
	}
	if len(data) > maxProfileBytes {
		return fmt.Errorf("system of record: answer is larger than %d bytes", maxProfileBytes)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("system of record: %w", err)
	}
	return nil
}
