package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// rights asks Lanyard what somebody may do.
type rights struct {
	origin string
	client *http.Client
}

// check asks for one action on one entity, in the name of whoever holds the
// token. consistency "strong" is for what changes things: a right that was
// taken away a moment ago is gone.
func (r *rights) check(ctx context.Context, bearer, entityID, action, consistency string) (bool, error) {
	body, err := json.Marshal(map[string]any{
		"checks":      []map[string]string{{"entityId": entityID, "action": action}},
		"consistency": consistency,
	})
	if err != nil {
		return false, fmt.Errorf("encode the check: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.origin+"/api/permissions/check", bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("ask for a right: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return false, fmt.Errorf("ask for a right: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Results []struct {
			Allowed bool `json:"allowed"`
		} `json:"results"`
	}
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized: // its session ended, which the token alone does not say
		return false, errSignedOut
	case http.StatusUnprocessableEntity: // not the form of an id: there is no such entity
		return false, nil
	default:
		return false, fmt.Errorf("ask for a right: Lanyard answered %d", res.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer); err != nil {
		return false, fmt.Errorf("read the answer to a check: %w", err)
	}
	return len(answer.Results) == 1 && answer.Results[0].Allowed, nil
}
