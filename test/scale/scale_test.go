package scale

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var write = flag.Bool("write", false, "write docs/scaling.md instead of comparing it")

// The deployment, and what one partition takes a second ("Best practices for
// designing and using partition keys effectively", Amazon DynamoDB).
const (
	users         = 10_000_000
	organizations = 100_000
	writeLimit    = 1000.0
	readLimit     = 3000.0
	seconds       = 20
)

// load counts request units by partition key. Keys of the index are their own:
// its partitions are not the table's.
type load struct {
	*rand.Rand
	now           time.Time
	reads, writes map[string]float64
}

func (l *load) read(pk string, units float64)  { l.reads[pk] += units }
func (l *load) write(pk string, units float64) { l.writes[pk] += units }
func (l *load) index(k table.IndexKey)         { l.writes["index "+k.GSI1PK]++ }

// thing gives the id of the n-th of its kind: as long as a real one, and as
// random at its end, which is what shards are chosen by.
func thing(kind string, n int) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s-%d", kind, n)).String()
}

func (l *load) id() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(l.Uint32())
	}
	return uuid.UUID(b).String()
}

// event is one audit event in a transaction: twice a unit in each stream, and
// one in the list of the platform.
func (l *load) event(streams ...string) {
	for _, s := range streams {
		l.write(table.Audit(s, l.now, "").PK, 2)
	}
	l.index(table.IndexKey{GSI1PK: audit.PlatformPartition(l.now, l.IntN(audit.Shards))})
}

// signIn is one sign-in of a user, as docs/costs.md has its units: the claim
// and the user's partition are read; session, state and event are written.
func (l *load) signIn(user int, address string) {
	userID := thing("user", user)
	l.read(table.EmailClaim(fmt.Sprint("user-", user, "@example.com")).PK, 1)
	l.read(table.User(userID), 1)
	l.write(table.User(userID), 4)
	l.index(table.InUserList(userID)) // the state has the time of the last sign-in
	l.event(audit.UserStream(userID))
	l.write(table.Throttle("signin-source", address, "").PK, 1)
}

// scenario is a load of one kind.
type scenario struct {
	what   string
	rate   int // a second
	unit   string
	does   func(*load)
	spread bool // its keys are spread on purpose, and held to a tenth
	about  string
}

var scenarios = []scenario{
	{"login storm", 1000, "sign-ins", func(l *load) { l.signIn(l.IntN(users), fmt.Sprint(l.IntN(1_000_000))) }, true,
		"everybody at once, from a million addresses; 3.6 million sign-ins an hour"},
	{"refreshes", 4000, "refreshes", func(l *load) {
		pk := table.User(thing("user", l.IntN(users)))
		l.read(pk, 1)
		l.write(pk, 4)
	}, true, "ten million users, each refreshing every 42 minutes"},
	{"audit burst", 1500, "events", func(l *load) {
		l.event(audit.UserStream(thing("user", l.IntN(users))))
	}, true, "events about users: to each one's own stream, and to the day's list of the platform over its shards"},
	{"events about nobody", 700, "events", func(l *load) {
		l.event(fmt.Sprintf("NOBODY-%d", l.IntN(audit.Shards)))
	}, true, "attempts on accounts that do not exist, over the shards of their stream"},
	{"registrations with mail", 150, "registrations", func(l *load) {
		id := l.id()
		l.write(table.User(id), 8)
		l.index(table.InUserList(id))
		l.event(audit.UserStream(id))
		l.write(table.Outbox(l.id()).PK, 2+2) // put with the account; claimed and deleted by the mailer
	}, true, "thirteen million registrations a day, each with a mail through the outbox's shards"},
	{"cascades", 150, "tasks", func(l *load) { l.write(table.Task(l.id()).PK, 2+2) }, true, "deletions, each leaving a task"},
	{"throttle counters under attack", 2000, "attempts", func(l *load) {
		// A window is counted up to its limit; beyond, the process refuses from memory.
		const limit, window, processes = 300, 900, 50
		address := fmt.Sprint("attacker-", l.IntN(100))
		if l.Float64() < float64(limit+processes)/float64(window)/(2000.0/100) {
			l.write(table.Throttle("signin-source", address, "").PK, 1)
		}
	}, true, "from a hundred addresses: what is beyond a limit is refused from memory, by each process after it has met the refusal once"},
	{"one tenant changes much", 40, "changes", func(l *load) {
		org, entity := thing("org", 0), l.id()
		l.write(table.Entity(entity).PK, 2)
		l.index(table.InOrgEntities(org, "boat", entity))
		l.event(audit.OrgStream(org), audit.UserStream(thing("user", l.IntN(users))))
	}, true, "3.4 million changes a day in one organization, each in its audit stream"},
	{"one tenant, uncached checks", 250, "checks", func(l *load) {
		l.read(table.User(thing("user", l.IntN(100_000))), 1)
		l.read(table.Entity(thing("entity", l.IntN(100_000))).PK, 1)
		l.read(table.Organization(thing("org", 0)).PK, 1)
	}, true, "of a hundred thousand members; each reads the organization's own item, to know that it still exists. At a hit rate of 95 % these are 5,000 checks a second"},
	{"all tenants, uncached checks", 5000, "checks", func(l *load) {
		org := l.IntN(organizations)
		l.read(table.User(thing("user", l.IntN(users))), 1)
		l.read(table.Entity(thing("entity", l.IntN(1_000_000))).PK, 1)
		l.read(table.Organization(thing("org", org)).PK, 1)
	}, true, "spread over all organizations: at a hit rate of 90 % these are 50,000 checks a second"},
}

// found is what a scenario came to.
type found struct {
	key   string
	units float64 // a second
	share float64 // of what a partition takes
	side  string
}

func (s scenario) run() found {
	l := &load{Rand: rand.New(rand.NewPCG(7, uint64(s.rate))), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		reads: map[string]float64{}, writes: map[string]float64{}}
	for range s.rate * seconds {
		s.does(l)
	}
	var most found
	for _, side := range []struct {
		name  string
		keys  map[string]float64
		limit float64
	}{{"write", l.writes, writeLimit}, {"read", l.reads, readLimit}} {
		for key, units := range side.keys {
			f := found{key, units / seconds, units / seconds / side.limit, side.name}
			if f.share > most.share || f.share == most.share && f.key < most.key {
				most = f
			}
		}
	}
	return most
}

// tenth is the most that a key may have of a partition.
const tenth = 0.1

func TestNoKeyHasMoreThanATenthOfAPartition(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Scaling\n\n<!-- Written by make scaling from test/scale. -->\n\n"+
		"DynamoDB splits a table into partitions, and one takes %.0f write units and %.0f read units a second. A partition key whose items are written in the order of time cannot be split usefully: its newest end is always the hot one. So no key may be hot by itself. "+
		"This page is what `make scaling` prints: a simulation of %d seconds of each load on %d users and %d organizations, with the keys as the code makes them and the units of [costs.md](costs.md). `make test` repeats it, and fails where a key has more than a tenth of a partition.\n\n",
		writeLimit, readLimit, seconds, users, organizations)
	b.WriteString("| load | a second | hottest key | its units a second | share of a partition | a tenth at | all of it at |\n|---|---|---|---|---|---|---|\n")
	for _, s := range scenarios {
		f := s.run()
		if s.spread && f.share > tenth {
			t.Errorf("%s: %s has %.1f %s units a second, %.1f %% of a partition", s.what, f.key, f.units, f.side, f.share*100)
		}
		fmt.Fprintf(&b, "| %s | %d %s | `%s` | %.1f %s | %.2f %% | %s | %s |\n",
			s.what, s.rate, s.unit, shape(f.key), f.units, f.side, f.share*100, rate(float64(s.rate)*tenth/f.share), rate(float64(s.rate)/f.share))
	}
	b.WriteString("\nThe last two columns are the loads at which the hottest key would have a tenth of a partition, and a whole one; they follow from the share.\n\n## The loads\n\n")
	for _, s := range scenarios {
		fmt.Fprintf(&b, "* **%s**: %s.\n", s.what, s.about)
	}
	fmt.Fprintf(&b, "\n## What is spread, and over how much\n\n| list | keys | by |\n|---|---|---|\n"+
		"| users | %d | the random end of the id |\n| organizations | %d | the random end of the id |\n| the platform's audit, by day | %d | the event's id |\n| events about nobody, by month | %d | the event's id |\n"+
		"| outbox, tasks | %d each | the random end of the id |\n| throttle counters | one an account, address or network; more where a limit allows over 200 a second | chance |\n\n",
		table.UserShards, table.OrgShards, audit.Shards, audit.Shards, table.OutboxShards)
	b.WriteString("Everything else lies in a partition of its user, organization, entity or document. What one of these does is bounded by itself: a single user by the limits on sign-ins, a single organization by the lines above. " +
		"Beyond them an organization's own item is the first to become hot, since every check that is not cached asks whether it still exists; raise `LANYARD_ACCESS_CACHE_TTL` for such a tenant before anything else.\n")
	want := []byte(b.String())
	const path = "../../docs/scaling.md"
	if *write {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/scaling.md is not what the simulation says: run make scaling (%v)", err)
	}
}

// rate gives a load as far as the simulation can tell: where single keys are met
// once or twice, what they would have under much more load is not its matter.
func rate(perSecond float64) string {
	if perSecond > 100_000 {
		return "over 100,000 a second"
	}
	return fmt.Sprintf("%.0f a second", perSecond)
}

// shape gives a key with its ids left out.
func shape(key string) string {
	parts := strings.Split(key, "#")
	for i, p := range parts {
		if j := strings.IndexByte(p, '-'); j >= 0 && len(p)-j > 20 {
			if _, err := uuid.Parse(p); err == nil {
				parts[i] = "…"
			} else {
				parts[i] = p[:j+1] + "…"
			}
		}
	}
	return strings.Join(parts, "#")
}

// A simulation that spreads everything would find nothing: with one shard the
// same storm is far beyond a tenth.
func TestTheSimulationSeesAHotKey(t *testing.T) {
	f := scenario{rate: 1000, does: func(l *load) { l.write("ONE", 1) }}.run()
	if f.key != "ONE" || f.units != 1000 || f.share != 1 || f.side != "write" {
		t.Errorf("%+v", f)
	}
}
