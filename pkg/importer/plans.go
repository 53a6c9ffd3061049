package importer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/oneline"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// personal is the kind under which the ids of personal organizations are derived.
const personal Kind = "personal organizations"

// decode reads a line of a kind.
func (im *Importer) decode(k Kind, raw []byte) (row, error) {
	switch k {
	case Users:
		v, err := im.shapes.user.Decode(raw)
		return userRow{v}, err
	case Organizations:
		v, err := im.shapes.organization.Decode(raw)
		return organizationRow{v}, err
	case Entities:
		v, err := im.shapes.entity.Decode(raw)
		return entityRow{v}, err
	case Grants:
		v, err := im.shapes.grant.Decode(raw)
		return grantRow{v}, err
	default:
		v, err := im.shapes.document.Decode(raw)
		return documentRow{v}, err
	}
}

// moment checks when a record was made.
func (im *Importer) moment(at *time.Time) (time.Time, error) {
	if at == nil {
		return time.Time{}, nil
	}
	if at.Year() < 1970 || at.After(im.Now().Add(time.Minute)) {
		return time.Time{}, fault.Invalidf("body.createdAt", "expected a moment in the past")
	}
	return at.UTC(), nil
}

type userRow struct{ User }

func (u userRow) id() string                 { return u.ID }
func (u userRow) needs(*Options) []table.Key { return nil }

func (u userRow) plan(ctx context.Context, im *Importer, o *Options, _ map[table.Key]table.Record) (*plan, error) {
	in := account.Imported{
		ID: DeriveID(o.Source, Users, u.ID), SourceID: u.ID, Batch: o.Batch, EmailVerified: u.EmailVerified, Suspended: u.Suspended,
		SecondFactor: u.TOTPSecret != "",
	}
	if u.Email != nil {
		in.Email = *u.Email
	}
	if u.Username != nil {
		in.Username = *u.Username
	}
	var err error
	if in.Profile, err = u.Profile.Apply(account.Profile{}); err != nil {
		return nil, err
	}
	if in.CreatedAt, err = im.moment(u.CreatedAt); err != nil {
		return nil, err
	}
	if u.PasswordHash != "" {
		if in.PasswordHash, err = password.ParseForeign(u.PasswordHash); err != nil {
			return nil, fault.Invalidf("body.passwordHash", "expected a hash in a known form, with costs within bounds")
		}
	}
	name := u.Organization
	if name != "" && in.Status() != account.Active {
		return nil, fault.Invalidf("body.organization", "only a user who is active can administer one")
	}
	if name == "" && o.PersonalOrganizations && in.Status() == account.Active {
		name = personalName(&in)
	}
	if name != "" {
		in.Appointments = 1
	}
	writes, err := im.Accounts.Admit(in)
	if err != nil {
		return nil, err
	}
	p := &plan{writes: writes, identity: []string{"email", "username", "sourceId"}}
	for _, w := range writes[1:] {
		if r, _, err := w.Item(); err != nil {
			return nil, err
		} else if k := r.Key(); k.PK == k.SK {
			p.names = append(p.names, k)
		}
	}
	if u.TOTPSecret != "" {
		secret, err := mfa.CheckImported(u.TOTPSecret)
		if err != nil {
			return nil, err
		}
		at, now := len(p.writes), im.Now()
		p.seal = func(ctx context.Context) (err error) {
			p.writes[at], err = mfa.Imported(ctx, im.Seal, in.ID, secret, now)
			return err
		}
		w, err := mfa.Imported(ctx, unsealed{}, in.ID, secret, now)
		if err != nil {
			return nil, err
		}
		p.writes = append(p.writes, w)
	}
	if name != "" {
		made := org.Imported{ID: DeriveID(o.Source, personal, u.ID), SourceID: u.ID, Batch: o.Batch, Name: name, Admins: []string{in.ID}, CreatedAt: in.CreatedAt}
		more, err := made.Writes(im.Now(), in.ID)
		if err != nil {
			return nil, err
		}
		p.writes = append(p.writes, more...)
	}
	return p, im.profile(ctx, p, in.ID, in.Profile)
}

// unsealed leaves secrets out: a plan that is only compared or rehearsed needs no
// seal, and asks no key service for one.
type unsealed struct{}

// Seal implements mfa.Sealer.
func (unsealed) Seal(context.Context, []byte, string) (string, error) { return "", nil }

// Open implements mfa.Sealer.
func (unsealed) Open(context.Context, string, string) ([]byte, bool, error) {
	return nil, false, errors.New("nothing was sealed")
}

// profile plans a user's profile: with the rest where the table keeps it, and
// just before the rest where a system of record does.
func (im *Importer) profile(ctx context.Context, p *plan, userID string, profile account.Profile) error {
	if im.Config.Profile.Source == "http" {
		p.before = func(ctx context.Context) error {
			_, err := im.Accounts.AdmitProfile(ctx, userID, profile)
			return err
		}
		return nil
	}
	writes, err := im.Accounts.AdmitProfile(ctx, userID, profile)
	p.writes = append(p.writes, writes...)
	return err
}

// personalName names a personal organization after its owner.
func personalName(in *account.Imported) string {
	local, _, _ := strings.Cut(in.Email, "@")
	for _, name := range []string{in.Profile.FirstName + " " + in.Profile.LastName, in.Username, local} {
		name = strings.TrimSpace(strings.Map(func(r rune) rune {
			if oneline.Fits(string(r)) {
				return r
			}
			return -1
		}, name))
		if name != "" {
			return name
		}
	}
	return "Personal"
}

// find gives the id of the user a reference names; needs gives what it needs.
func (u UserRef) needs() []table.Key {
	if u.Email == "" {
		return nil
	}
	if email, err := account.NormalizeEmail(u.Email); err == nil {
		return []table.Key{table.EmailClaim(email)}
	}
	return nil
}

func (u UserRef) find(o *Options, found map[table.Key]table.Record) (string, error) {
	set := 0
	for _, s := range []string{u.User, u.UserID, u.Email} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return "", fault.Invalidf("body", "expected one of user, userId and email")
	}
	switch {
	case u.User != "":
		return DeriveID(o.Source, Users, u.User), nil
	case u.UserID != "":
		if !id.Valid(u.UserID) {
			return "", fault.Invalidf("body.userId", "expected an id in canonical form")
		}
		return u.UserID, nil
	}
	email, err := account.NormalizeEmail(u.Email)
	if err != nil {
		return "", err
	}
	r, ok := found[table.EmailClaim(email)]
	if !ok {
		return "", fault.Invalidf("body.email", "expected the address of a user who is here")
	}
	return r.Text("userId"), nil
}

// place gives the id of what a line lies under: by the other system's id, or by
// the id here.
func place(o *Options, k Kind, field, source, here string) (string, error) {
	switch {
	case (source == "") == (here == ""):
		return "", fault.Invalidf("body", "expected one of %s and %sId", field, field)
	case source != "":
		return DeriveID(o.Source, k, source), nil
	case !id.Valid(here):
		return "", fault.Invalidf("body."+field+"Id", "expected an id in canonical form")
	}
	return here, nil
}

type organizationRow struct{ Organization }

func (r organizationRow) id() string { return r.ID }

func (r organizationRow) needs(*Options) []table.Key {
	var keys []table.Key
	for _, a := range r.Admins {
		keys = append(keys, a.needs()...)
	}
	return keys
}

func (r organizationRow) plan(_ context.Context, im *Importer, o *Options, found map[table.Key]table.Record) (*plan, error) {
	in := org.Imported{ID: DeriveID(o.Source, Organizations, r.ID), SourceID: r.ID, Batch: o.Batch, Name: r.Name}
	for _, a := range r.Admins {
		userID, err := a.find(o, found)
		if err != nil {
			return nil, err
		}
		in.Admins = append(in.Admins, userID)
	}
	var err error
	if in.CreatedAt, err = im.moment(r.CreatedAt); err != nil {
		return nil, err
	}
	writes, err := in.Writes(im.Now())
	return &plan{writes: writes, identity: []string{"name", "sourceId"}}, err
}

type entityRow struct{ Entity }

func (r entityRow) id() string                 { return r.ID }
func (r entityRow) needs(*Options) []table.Key { return nil }

func (r entityRow) plan(_ context.Context, im *Importer, o *Options, _ map[table.Key]table.Record) (*plan, error) {
	orgID, err := place(o, Organizations, "organization", r.Organization, r.OrganizationID)
	if err != nil {
		return nil, err
	}
	origin := entity.Origin{ID: DeriveID(o.Source, Entities, r.ID), SourceID: r.ID, Batch: o.Batch}
	if origin.CreatedAt, err = im.moment(r.CreatedAt); err != nil {
		return nil, err
	}
	writes, err := entity.Imported(origin, orgID, entity.Fresh{Type: r.Type, Name: r.Name, Attributes: r.Attributes}, im.Now())
	return &plan{writes: writes, identity: []string{"org", "type", "name", "attributes", "sourceId"}}, err
}

type grantRow struct{ Grant }

func (r grantRow) id() string { return r.User + r.UserID + r.Email }

func (r grantRow) needs(o *Options) []table.Key {
	return append(r.UserRef.needs(), entityKey(o, r.Entity, r.EntityID)...)
}

func (r grantRow) plan(_ context.Context, im *Importer, o *Options, found map[table.Key]table.Record) (*plan, error) {
	userID, err := r.find(o, found)
	if err != nil {
		return nil, err
	}
	onOrg, onEntity := r.Organization != "" || r.OrganizationID != "", r.Entity != "" || r.EntityID != ""
	switch {
	case onOrg == onEntity:
		return nil, fault.Invalidf("body", "expected either an organization with a role or an entity with a level")
	case onOrg:
		if r.Role == "" || r.Level != "" || r.ExpiresAt.Sent {
			return nil, fault.Invalidf("body.role", "expected a role, and no level or end, in an organization")
		}
		orgID, err := place(o, Organizations, "organization", r.Organization, r.OrganizationID)
		if err != nil {
			return nil, err
		}
		role, err := access.ParseOrgRole(r.Role)
		if err != nil {
			return nil, fault.Invalidf("body.role", "expected a role")
		}
		return &plan{writes: org.ImportedMember(userID, orgID, role, o.Batch, im.Now()), identity: []string{"role"}}, nil
	}
	if r.Level == "" || r.Role != "" {
		return nil, fault.Invalidf("body.level", "expected a level, and no role, on an entity")
	}
	entityID, orgID, err := entityOf(o, r.Entity, r.EntityID, found)
	if err != nil {
		return nil, err
	}
	writes, err := entity.ImportedGrant(userID, entityID, orgID, r.Level, r.ExpiresAt, o.Batch, im.Now())
	return &plan{writes: writes, identity: []string{"level", "expiresAt"}, uses: []table.Key{table.Membership(userID, orgID)}}, err
}

// entityKey is what must be read to know where an entity belongs.
func entityKey(o *Options, source, here string) []table.Key {
	entityID, err := place(o, Entities, "entity", source, here)
	if err != nil {
		return nil
	}
	return []table.Key{table.Entity(entityID)}
}

// entityOf gives an entity's id and its organization.
func entityOf(o *Options, source, here string, found map[table.Key]table.Record) (entityID, orgID string, err error) {
	if entityID, err = place(o, Entities, "entity", source, here); err != nil {
		return "", "", err
	}
	r, ok := found[table.Entity(entityID)]
	if !ok {
		return "", "", fault.Invalidf("body.entity", "expected an entity that is there")
	}
	return entityID, r.Text("org"), nil
}

type documentRow struct{ Document }

func (r documentRow) id() string { return r.ID }

func (r documentRow) needs(o *Options) []table.Key { return entityKey(o, r.Entity, r.EntityID) }

func (r documentRow) plan(_ context.Context, im *Importer, o *Options, found map[table.Key]table.Record) (*plan, error) {
	entityID, orgID, err := entityOf(o, r.Entity, r.EntityID, found)
	if err != nil {
		return nil, err
	}
	origin := entity.Origin{ID: DeriveID(o.Source, Documents, r.ID), SourceID: r.ID, Batch: o.Batch}
	if origin.CreatedAt, err = im.moment(r.CreatedAt); err != nil {
		return nil, err
	}
	writes, err := entity.ImportedDocument(origin, entityID, orgID, entity.FreshDocument{Title: r.Title, ContentType: r.ContentType, Content: r.Content}, im.Now())
	return &plan{writes: writes, identity: []string{"entity", "title", "contentType", "sourceId"}}, err
}
