package session

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Item is a refresh token family in the table.
type Item struct {
	table.Key
	ID         string     `dynamo:"id"`
	Generation int64      `dynamo:"gen"`
	Client     string     `dynamo:"client"`    // who rotated last, see fingerprint
	RotatedAt  table.Time `dynamo:"rotatedAt"` // also: last used
	CreatedAt  table.Time `dynamo:"createdAt"`
	ExpiresAt  table.Time `dynamo:"expiresAt"`
	EndsAt     table.Time `dynamo:"endsAt"` // whatever happens
	Epoch      int64      `dynamo:"epoch"`
	AuthTime   table.Time `dynamo:"authTime"`
	AMR        []string   `dynamo:"amr"`
	IP         string     `dynamo:"ip,omitempty"`
	UserAgent  string     `dynamo:"ua,omitempty"`
	RevokedAt  table.Time `dynamo:"revokedAt,omitempty"`
	Reason     string     `dynamo:"reason,omitempty"`
	TTL        int64      `dynamo:"ttl"`
}

// live reports whether the session itself has not ended.
func (it *Item) live(now time.Time) bool { return it.deciding().Live(now) }

func (it *Item) deciding() standing.Session {
	return standing.Session{Epoch: it.Epoch, ExpiresAt: it.ExpiresAt, EndsAt: it.EndsAt, RevokedAt: it.RevokedAt}
}

// Standing reports whether a session lets its user in; see package standing.
func Standing(it *Item, st *account.State, now time.Time) bool {
	return it != nil && st != nil && standing.Good(standing.User{Status: string(st.Status), Epoch: st.Epoch}, it.deciding(), now)
}

// fingerprint tells clients apart for the grace window: address and user agent.
// It is no secret and proves nothing; it only narrows who may repeat a refresh.
func fingerprint(c *caller.Caller) string {
	sum := sha256.Sum256([]byte(c.SourceIP + "\x00" + c.UserAgent))
	return hex.EncodeToString(sum[:8])
}

// sessionsOf picks the sessions out of the records of a user's partition.
func sessionsOf(userID string, records []table.Record) ([]Item, error) {
	var out []Item
	prefix := table.Session(userID, "")
	for _, r := range records {
		k := r.Key()
		if k.PK != prefix.PK || len(k.SK) <= len(prefix.SK) || k.SK[:len(prefix.SK)] != prefix.SK {
			continue
		}
		var it Item
		if err := r.Decode(&it); err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}
