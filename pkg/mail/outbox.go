package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Sealer encrypts what a copy of the table must not reveal. A token.Codec is one.
//
// Encrypt seals plaintext for a purpose and binds it to boundTo, without which
// Decrypt does not open it. The sealed form names the version of the key, so
// that it opens after a rotation.
type Sealer interface {
	Encrypt(ctx context.Context, p token.Purpose, plaintext []byte, boundTo string, rand io.Reader) (string, error)
	Decrypt(ctx context.Context, p token.Purpose, sealed, boundTo string) (plaintext []byte, stale bool, err error)
}

// What the keys are derived for.
const (
	sealOutbox  token.Purpose = "outbox"
	sealMailbox token.Purpose = "mailbox"
)

// Status says what becomes of a queued mail. One that was sent is gone.
type Status string

// The statuses.
const (
	Pending Status = "pending"
	Dead    Status = "dead" // given up; an operator may resend it
)

// How long items stay when nothing deletes them.
const (
	keepPending = 7 * 24 * time.Hour
	keepDead    = 14 * 24 * time.Hour
)

// clockSlack is by how much the clock of who queues a mail may be ahead of who
// sends it; otherwise the mail would not be due when the stream brings it.
const clockSlack = 10 * time.Second

// Recipient is whom a mail is for.
type Recipient struct {
	Address  string // normalised
	Name     string // to greet by; may be empty
	Language string // BCP 47; may be empty
}

// item is a mail in the outbox, or among the dead.
type item struct {
	table.Key
	ID            string     `dynamo:"id"`
	Template      Template   `dynamo:"template"`
	Purpose       Purpose    `dynamo:"purpose"`
	Recipient     string     `dynamo:"recipient"` // digest of the address, to count and correlate
	Sealed        string     `dynamo:"sealed"`    // envelope
	Status        Status     `dynamo:"status"`
	CreatedAt     table.Time `dynamo:"createdAt"`
	NextAttemptAt table.Time `dynamo:"nextAttemptAt"`
	HeldUntil     table.Time `dynamo:"heldUntil,omitempty"` // a sender is at it
	EndsAt        table.Time `dynamo:"endsAt,omitempty"`    // the link's end
	Attempts      int        `dynamo:"attempts"`
	Failure       string     `dynamo:"failure,omitempty"`
	TTL           int64      `dynamo:"ttl"`
}

// scope is what the sealed part is bound to: it opens in its own item and as
// its own template only. It holds in the outbox and among the dead alike.
func (it *item) scope() string { return it.ID + " " + string(it.Template) }

// envelope is the sealed part of an item.
type envelope struct {
	Address  string          `json:"to"`
	Name     string          `json:"name,omitempty"`
	Language string          `json:"language,omitempty"`
	Message  json.RawMessage `json:"message"`
}

// Outbox queues mails.
type Outbox struct {
	account config.Account
	now     func() time.Time
	seal    Sealer
	rand    io.Reader
}

// NewOutbox makes an outbox. rand must be a cryptographic source: nonces are
// drawn from it.
func NewOutbox(d service.Deps, seal Sealer, rand io.Reader) *Outbox {
	return &Outbox{account: d.Config.Account, now: d.Now, seal: seal, rand: rand}
}

// Enqueue gives the write that queues a mail, for the transaction of its cause.
// It writes nothing itself, and fails when the address is not a plain one or
// the keys cannot be had.
func (o *Outbox) Enqueue(ctx context.Context, to Recipient, m Message) (*table.Write, error) {
	address, err := bareAddress(to.Address)
	if err != nil {
		return nil, fmt.Errorf("queue %s mail: %w", m.Template(), err)
	}
	if _, tok := m.link(); tok != "" && !tokenSafe(tok) {
		return nil, fmt.Errorf("queue %s mail: token is not safe in a link", m.Template())
	}
	mailID, err := id.New()
	if err != nil {
		return nil, fmt.Errorf("queue %s mail: %w", m.Template(), err)
	}
	said, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("queue %s mail: %w", m.Template(), err)
	}
	plaintext, err := json.Marshal(envelope{Address: address, Name: to.Name, Language: to.Language, Message: said})
	if err != nil {
		return nil, fmt.Errorf("queue %s mail: %w", m.Template(), err)
	}
	now := o.now()
	it := item{
		Key: table.Outbox(mailID), ID: mailID, Template: m.Template(), Purpose: m.purpose(), Recipient: digest(address),
		Status: Pending, CreatedAt: table.At(now), NextAttemptAt: table.At(now.Add(-clockSlack)), EndsAt: table.At(m.ends(now, o.account)),
		TTL: table.TTL(now.Add(keepPending)),
	}
	if it.Sealed, err = o.seal.Encrypt(ctx, sealOutbox, plaintext, it.scope(), o.rand); err != nil {
		return nil, fmt.Errorf("queue %s mail: %w", m.Template(), err)
	}
	return table.Create(it), nil
}

// tokenSafe reports whether a token may end a link as it is: base64url, dots
// and tildes (RFC 3986's unreserved characters), at most 512 of them.
func tokenSafe(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
		default:
			return false
		}
	}
	return len(s) <= 512
}

// digest names an address without spelling it, for logs and lists. It hides
// the address from a glance, not from somebody who guesses it.
func digest(address string) string {
	sum := sha256.Sum256([]byte("mail recipient " + address))
	return hex.EncodeToString(sum[:8])
}

// open unseals an item.
func open(ctx context.Context, seal Sealer, it *item) (Recipient, Message, error) {
	plaintext, _, err := seal.Decrypt(ctx, sealOutbox, it.Sealed, it.scope())
	if err != nil {
		return Recipient{}, nil, fmt.Errorf("open mail: %w", err)
	}
	var e envelope
	if err := json.Unmarshal(plaintext, &e); err != nil {
		return Recipient{}, nil, errors.New("open mail: what was sealed is no mail")
	}
	m, err := decodeMessage(it.Template, e.Message)
	if err != nil {
		return Recipient{}, nil, errors.New("open mail: what was sealed does not fit its template")
	}
	return Recipient{Address: e.Address, Name: e.Name, Language: e.Language}, m, nil
}
