package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
)

type importCommand struct {
	Kind string `arg:"" enum:"users,organizations,entities,grants,documents,batch" help:"What the file holds: users, organizations, entities, grants or documents, imported in this order; or batch, to take one back with --rollback."`
	File string `arg:"" optional:"" help:"The file."`
	where
	acting
	dryRun
	output
	From         string `help:"Whose file it is: ${enum}. auto is Lanyard's own CSV for .csv and JSON Lines for everything else." enum:"auto,csv,jsonl,cognito,auth0,supabase,firebase,keycloak" default:"auto"`
	HashConfig   string `help:"File with Firebase's password hash parameters, as its console shows them." type:"existingfile" placeholder:"FILE"`
	Source       string `help:"Name of the system the ids come from. Files that refer to each other need the same. Default: that of --from, else import." placeholder:"NAME"`
	Batch        string `help:"Name of what this import makes, for --rollback. Default: made from the file, so that the same file is the same batch." placeholder:"NAME"`
	PersonalOrgs bool   `name:"personal-organizations" help:"Make an organization for every active user whose line names none."`
	Verify       bool   `help:"Compare the table with the file instead of writing."`
	Rollback     string `help:"Take a batch back: remove what it made. Needs no file." placeholder:"BATCH"`
	Rate         bound  `help:"Records written a second at most; 0 is without bound." default:"0"`
	Report       string `help:"Write refused lines to this file as JSON Lines instead of to standard error." placeholder:"FILE"`
}

// Help says more than one line.
func (importCommand) Help() string {
	return `Every line is checked as a request would be; a line that is refused is reported
with its number and the reason, and the others are imported. Interrupted, an
import goes on when it is run again. docs/migrating.md has the fields of every
kind of file and what to do for each system.

  lanyard import users --from auth0 --dry-run users.ndjson
  lanyard import users --from auth0 --personal-organizations users.ndjson
  lanyard import users --from firebase --hash-config hash.txt users.json
  lanyard import organizations --source auth0 organizations.csv
  lanyard import grants --source auth0 --verify grants.jsonl
  lanyard import batch --rollback auth0-users-0123456789ab

It ends with 0 when every line is in the table, and with 3 after a report when
some were refused or, with --verify, are not as in the table.`
}

// errRefused and errDiffer say that there are such lines; the report has said
// which.
var (
	errRefused = errors.New("some lines were not imported")
	errDiffer  = errors.New("some lines are not in the table as they are in the file")
)

// Run imports.
func (c *importCommand) Run(ctx context.Context, p *process) (err error) {
	if err := c.check(); err != nil {
		return usage{err}
	}
	absent := c.orRehearse()
	if c.Verify || c.Rollback != "" {
		absent = refuseAbsent
	}
	d, err := c.deployment(ctx, p, absent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if ctx, err = c.actingOrNobody(ctx, d, "import"); err != nil {
		return err
	}
	im, err := newImporter(d.Assembly)
	if err != nil {
		return err
	}
	if c.Rollback != "" {
		return c.takeBack(ctx, d.Assembly, im, p.out, p.err)
	}
	return c.bring(ctx, im, p.out, p.err)
}

func (c *importCommand) check() error {
	switch {
	case c.Rollback != "" && c.File != "":
		return errors.New("--rollback needs no file")
	case c.Rollback == "" && (c.File == "" || c.Kind == "batch"):
		return errors.New("a file is needed, or --rollback with the name of a batch")
	case c.DryRun && c.Verify:
		return errors.New("--dry-run and --verify exclude each other")
	case c.HashConfig != "" && c.From != "firebase":
		return errors.New("--hash-config goes with --from firebase")
	}
	if c.File != "" {
		if _, err := os.Stat(c.File); err != nil {
			return err
		}
	}
	for flag, name := range map[string]string{"--source": c.Source, "--batch": c.Batch, "--rollback": c.Rollback} {
		if err := importer.CheckName(name); name != "" && err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	switch c.From {
	case "cognito", "auth0", "supabase", "firebase", "keycloak":
		if c.Rollback == "" && c.Kind != "users" {
			return fmt.Errorf("--from %s is for users", c.From)
		}
	}
	return nil
}

// newImporter puts the importer together.
func newImporter(a *assembly.Assembly) (*importer.Importer, error) {
	accounts, err := a.Accounts()
	if err != nil {
		return nil, err
	}
	organizations, err := a.Organizations()
	if err != nil {
		return nil, err
	}
	entities, err := a.Entities()
	if err != nil {
		return nil, err
	}
	seal, err := a.Sealer()
	if err != nil {
		return nil, err
	}
	return importer.New(a.Deps, importer.Parts{Accounts: accounts, Organizations: organizations, Entities: entities, Audit: accounts.Audit,
		Seal: seal}), nil
}

// bring imports the file.
func (c *importCommand) bring(ctx context.Context, im *importer.Importer, out, notes io.Writer) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer f.Close()
	digest, ends := sha256.New(), new(lineEnds)
	if _, err := io.Copy(io.MultiWriter(digest, ends), f); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	o := importer.Options{Kind: importer.Kind(c.Kind), Source: c.Source, Batch: c.Batch, PersonalOrganizations: c.PersonalOrgs, Pace: pace(c.Rate)}
	switch {
	case c.DryRun:
		o.Mode = importer.DryRun
	case c.Verify:
		o.Mode = importer.Verify
	}
	if o.Source == "" {
		if o.Source = c.From; c.From == "auto" || c.From == "csv" || c.From == "jsonl" {
			o.Source = "import"
		}
	}
	if o.Batch == "" {
		o.Batch = fmt.Sprintf("%s-%s-%s", o.Source, o.Kind, hex.EncodeToString(digest.Sum(nil))[:12])
	}
	lines, err := c.lines(f, o.Kind)
	if err != nil {
		return err
	}
	refusals := notes
	if c.Report != "" {
		r, err := os.OpenFile(c.Report, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		refusals = r
	}
	o.Refused = func(r importer.Refusal) error {
		if c.Report == "" && c.Output == "table" {
			id := ""
			if r.ID != "" {
				id = " (" + printable(r.ID) + ")"
			}
			_, err := fmt.Fprintf(refusals, "line %d%s: %s\n", r.Line, id, printable(r.Reason))
			return err
		}
		return json.NewEncoder(refusals).Encode(r)
	}
	bar := newProgress(notes, c.Kind, c.total(ends))
	o.Progress = bar.at
	report, err := im.Run(ctx, lines, o)
	bar.done()
	if err := c.print(out, report, err); err != nil {
		return err
	}
	switch {
	case err != nil || report.Refused == 0:
	case c.Verify:
		err = wanting{errDiffer}
	default:
		err = wanting{errRefused}
	}
	return err
}

// lineEnds counts the lines of a file while it is read for its digest.
type lineEnds int64

func (n *lineEnds) Write(p []byte) (int, error) {
	*n += lineEnds(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// total is about how many lines there are to work off, -1 where the file is one
// JSON document.
func (c *importCommand) total(ends *lineEnds) int64 {
	if c.From == "firebase" || c.From == "keycloak" || *ends == 0 || c.From != "auto" && strings.EqualFold(filepath.Ext(c.File), ".json") {
		return -1
	}
	return int64(*ends)
}

// lines reads the file as the system that it is from writes it.
func (c *importCommand) lines(f io.Reader, k importer.Kind) (importer.Lines, error) {
	switch c.From {
	case "cognito":
		return convert.Cognito(f), nil
	case "auth0":
		return convert.Auth0(f), nil
	case "supabase":
		return convert.GoTrue(f, time.Now()), nil
	case "keycloak":
		return convert.Keycloak(f), nil
	case "firebase":
		var h convert.FirebaseHash
		if c.HashConfig != "" {
			raw, err := os.ReadFile(c.HashConfig)
			if err != nil {
				return nil, fmt.Errorf("import: %w", err)
			}
			if h, err = convert.ParseFirebaseHash(raw); err != nil {
				return nil, err
			}
		}
		return convert.Firebase(f, h), nil
	}
	if c.From == "csv" || c.From == "auto" && strings.EqualFold(filepath.Ext(c.File), ".csv") {
		fields, err := importer.Fields(k)
		if err != nil {
			return nil, err
		}
		return convert.CSV(f, fields), nil
	}
	return convert.JSONLines(f), nil
}

func (c *importCommand) print(out io.Writer, r importer.Report, interrupted error) error {
	if c.Output == "json" {
		return c.show(out, r, nil, nil)
	}
	done := "imported"
	switch {
	case c.DryRun:
		done = "would be imported"
	case c.Verify:
		done = "as in the file"
	}
	_, err := fmt.Fprintf(out, "%d lines: %d %s, %d there already, %d refused\n", r.Lines, r.Created, done, r.Unchanged, r.Refused)
	if err == nil && !c.DryRun && !c.Verify {
		_, err = fmt.Fprintf(out, "batch %s\n", r.Batch)
	}
	var unreadable *importer.FileError
	if err == nil && interrupted != nil && !errors.As(interrupted, &unreadable) {
		_, err = fmt.Fprintln(out, "interrupted; the same command goes on")
	}
	return err
}

// takeBack removes what a batch made, and carries out the tasks that clear away
// what hung on it.
func (c *importCommand) takeBack(ctx context.Context, a *assembly.Assembly, im *importer.Importer, out, notes io.Writer) error {
	bar := newProgress(notes, "records", -1)
	removed, err := im.Rollback(ctx, importer.RollbackOptions{Batch: c.Rollback, DryRun: c.DryRun, Pace: pace(c.Rate), Progress: bar.at,
		Kept: func(what, id, reason string) error {
			_, err := fmt.Fprintf(notes, "%s %s stays: %s\n", what, id, reason)
			return err
		}})
	bar.done()
	if err != nil {
		return err
	}
	if !c.DryRun {
		tasks, err := a.Tasks()
		if err != nil {
			return err
		}
		for {
			n, err := tasks.DrainWith(ctx, 16)
			if err != nil {
				return fmt.Errorf("clear up: %w", err)
			}
			if n == 0 {
				break
			}
		}
	}
	if c.Output == "json" {
		return c.show(out, removed, nil, nil)
	}
	done := "removed"
	if c.DryRun {
		done = "would be removed"
	}
	_, err = fmt.Fprintf(out, "batch %s: %d users, %d organizations, %d memberships, %d entities, %d grants, %d documents %s; %d stay\n", removed.Batch,
		removed.Users, removed.Organizations, removed.Memberships, removed.Entities, removed.Grants, removed.Documents, done, removed.Kept)
	if empty := (importer.Removed{Batch: removed.Batch}); err == nil && removed == empty {
		_, err = fmt.Fprintln(out, "nothing is of this batch: the name is what the import printed")
	}
	return err
}
