package mail

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// mailboxLimit is how many mails the local mailbox holds; mailboxSlack is by
// how many it may exceed that before the oldest go.
const (
	mailboxLimit = 200
	mailboxSlack = 50
	keepLocal    = 30 * 24 * time.Hour
)

// Mailbox is the Sender of a local deployment: it keeps mails in the table,
// sealed like the outbox, for whoever sits at the machine to read. Only the
// newest stay.
type Mailbox struct {
	table *table.Table
	now   func() time.Time
	seal  Sealer
	rand  io.Reader

	mu    sync.Mutex
	spare int // how many may still come before the mailbox must be looked through
}

// NewMailbox makes the mailbox. It must not be used with a store that others
// reach too: it shows every link.
func NewMailbox(d service.Deps, seal Sealer, rand io.Reader) *Mailbox {
	return &Mailbox{table: d.Table, now: d.Now, seal: seal, rand: rand}
}

// localItem is a mail in the mailbox.
type localItem struct {
	table.Key
	ID     string     `dynamo:"id"`
	At     table.Time `dynamo:"at"`
	Sealed string     `dynamo:"sealed"`
	TTL    int64      `dynamo:"ttl"`
}

// Received is a mail in the local mailbox, in the form in which it is shown.
type Received struct {
	ID       string    `json:"-"`
	Language string    `json:"-"`
	At       time.Time `json:"at"` // when it was queued, the order in which mails are shown
	To       string    `json:"to"`
	Subject  string    `json:"subject"`
	Text     string    `json:"text"`
	HTML     string    `json:"html"`
	Links    []string  `json:"links"` // never nil
}

// MarshalJSON gives the mail with its moment to the millisecond, always in
// three digits, so that moments sort as text too (RFC 3339, section 5.1).
func (r Received) MarshalJSON() ([]byte, error) {
	type plain Received // without this method
	return json.Marshal(struct {
		At string `json:"at"`
		plain
	}{r.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"), plain(r)})
}

// sealedLocal is what is sealed of a mail in the mailbox.
type sealedLocal struct {
	Mail     Received `json:"mail"`
	Language string   `json:"language"`
}

// Send implements Sender. A mail that is sent twice is kept once.
func (b *Mailbox) Send(ctx context.Context, m *Mail) error {
	// What a real sender could not put on the wire is not taken here either.
	if _, err := m.MIME(); err != nil {
		return &SendError{Reason: err.Error(), Permanent: true}
	}
	plaintext, err := json.Marshal(sealedLocal{Language: m.Language, Mail: Received{
		At: m.Caused.UTC(), To: m.To.Address, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Links: append([]string{}, m.Links...),
	}})
	if err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	sealed, err := b.seal.Encrypt(ctx, sealMailbox, plaintext, m.ID, b.rand)
	if err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	if err := b.table.Write(ctx, table.Put(localItem{
		Key: table.LocalMail(m.ID), ID: m.ID, At: table.At(m.Caused), Sealed: sealed, TTL: table.TTL(m.Date.Add(keepLocal)),
	})); err != nil {
		return fmt.Errorf("keep mail: %w", err)
	}
	return b.trim(ctx)
}

// trim removes the oldest mails beyond the limit, now and then.
func (b *Mailbox) trim(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spare > 0 {
		b.spare--
		return nil
	}
	page, err := b.table.Query(ctx, table.Query{PK: table.LocalMailPartition(), Reverse: true, Strong: table.Strong})
	if err != nil {
		return fmt.Errorf("trim mailbox: %w", err)
	}
	b.spare = mailboxSlack
	for i := mailboxLimit; i < len(page.Records); i++ {
		if err := b.table.Write(ctx, table.Delete(page.Records[i].Key())); err != nil {
			return fmt.Errorf("trim mailbox: %w", err)
		}
	}
	return nil
}

// Newest gives the mails, newest first, at most so many; 0 means all there
// are. Mails that the keys no longer open are left out.
func (b *Mailbox) Newest(ctx context.Context, limit int) ([]Received, error) {
	if limit <= 0 || limit > mailboxLimit {
		limit = mailboxLimit
	}
	page, err := b.table.Query(ctx, table.Query{PK: table.LocalMailPartition(), Reverse: true, Strong: table.Strong, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	items, err := table.Decode[localItem](page.Records)
	if err != nil {
		return nil, fmt.Errorf("read mailbox: %w", err)
	}
	out := make([]Received, 0, len(items))
	for _, it := range items {
		if m, err := b.open(ctx, it); err == nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// Get gives one mail; table.ErrNotFound where there is none.
func (b *Mailbox) Get(ctx context.Context, mailID string) (Received, error) {
	var it localItem
	if err := b.table.Get(ctx, table.LocalMail(mailID), table.Strong, &it); err != nil {
		return Received{}, fmt.Errorf("read mailbox: %w", err)
	}
	return b.open(ctx, it)
}

func (b *Mailbox) open(ctx context.Context, it localItem) (Received, error) {
	plaintext, _, err := b.seal.Decrypt(ctx, sealMailbox, it.Sealed, it.ID)
	if err != nil {
		return Received{}, fmt.Errorf("open mail: %w", err)
	}
	var kept sealedLocal
	if err := json.Unmarshal(plaintext, &kept); err != nil {
		return Received{}, fmt.Errorf("open mail: %w", err)
	}
	kept.Mail.ID, kept.Mail.Language = it.ID, kept.Language
	return kept.Mail, nil
}
