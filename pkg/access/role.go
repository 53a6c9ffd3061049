package access

import "fmt"

// OrgRole is a user's role in an organization. The zero value is no role: the
// user is not a member.
type OrgRole uint8

// The roles, by how much they give on the organization's entities.
const (
	RoleNone OrgRole = iota
	RoleMember
	RoleViewer
	RoleManager
	RoleAdmin
)

// OrgRoles lists the roles a member can have, least first.
func OrgRoles() []OrgRole { return []OrgRole{RoleMember, RoleViewer, RoleManager, RoleAdmin} }

// Level is what the role alone gives on every entity of the organization.
func (r OrgRole) Level() Level {
	switch r {
	case RoleViewer:
		return LevelViewer
	case RoleManager:
		return LevelManager
	case RoleAdmin:
		return LevelAdmin
	default:
		return LevelNone
	}
}

// IsMember reports whether the role is any role at all.
func (r OrgRole) IsMember() bool { return r >= RoleMember && r <= RoleAdmin }

// MayCreateEntities reports whether the role may add entities to the organization.
func (r OrgRole) MayCreateEntities() bool { return r == RoleManager || r == RoleAdmin }

// MayChangeOrganization reports whether the role may change the organization
// itself: its name, members, invitations, and its end. It also opens its audit.
func (r OrgRole) MayChangeOrganization() bool { return r == RoleAdmin }

// String gives the role as the API spells it.
func (r OrgRole) String() string {
	switch r {
	case RoleNone:
		return "none"
	case RoleMember:
		return "member"
	case RoleViewer:
		return "viewer"
	case RoleManager:
		return "manager"
	case RoleAdmin:
		return "admin"
	default:
		return "unknown"
	}
}

// ParseOrgRole reads a role that a member can have; "none" is not one.
func ParseOrgRole(s string) (OrgRole, error) {
	for _, r := range OrgRoles() {
		if r.String() == s {
			return r, nil
		}
	}
	return RoleNone, fmt.Errorf("%q is not an organization role", s)
}

// MarshalText gives the API's spelling; an unknown role is an error.
func (r OrgRole) MarshalText() ([]byte, error) {
	if r > RoleAdmin {
		return nil, fmt.Errorf("organization role %d is unknown", r)
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads the API's spelling, "none" included.
func (r *OrgRole) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*r = RoleNone
		return nil
	}
	v, err := ParseOrgRole(string(text))
	if err == nil {
		*r = v
	}
	return err
}

// Origin is where a level comes from. The zero value is from nowhere.
type Origin uint8

// The origins.
const (
	FromNone Origin = iota
	FromOrgRole
	FromGrant
	FromShare
	FromSuperAdmin // a super admin's own power, or power lent by delegation
)

// String gives the origin as the API's "source" spells it.
func (o Origin) String() string {
	switch o {
	case FromNone:
		return "none"
	case FromOrgRole:
		return "org_role"
	case FromGrant:
		return "grant"
	case FromShare:
		return "share"
	case FromSuperAdmin:
		return "super_admin"
	default:
		return "unknown"
	}
}

// ParseOrigin reads an origin.
func ParseOrigin(s string) (Origin, error) {
	for o := FromNone; o <= FromSuperAdmin; o++ {
		if o.String() == s {
			return o, nil
		}
	}
	return FromNone, fmt.Errorf("%q is not the source of a decision", s)
}

// MarshalText gives the API's spelling; an unknown origin is an error.
func (o Origin) MarshalText() ([]byte, error) {
	if o > FromSuperAdmin {
		return nil, fmt.Errorf("source %d is unknown", o)
	}
	return []byte(o.String()), nil
}

// UnmarshalText reads the API's spelling.
func (o *Origin) UnmarshalText(text []byte) error {
	v, err := ParseOrigin(string(text))
	if err == nil {
		*o = v
	}
	return err
}
