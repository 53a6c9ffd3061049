package access

// Grantable is the highest level that someone with this standing on an entity
// may give to others there; LevelNone: none at all. Entity admins, organization
// admins and super-admin power give up to admin, organization managers up to
// manager. A manager by grant gives nothing: granting is the action manage, and
// the table keeps that from managers.
func (s Standing) Grantable() Level {
	switch {
	case s.Level == LevelAdmin:
		return LevelAdmin
	case s.Level == LevelManager && s.Source == FromOrgRole:
		return LevelManager
	default:
		return LevelNone
	}
}

// MayGrant reports whether someone with this standing on an entity may give the
// level to others there.
func (s Standing) MayGrant(level Level) bool {
	return level >= LevelViewer && level <= s.Grantable()
}

// MayChangeGrant reports whether someone with this standing on an entity may
// change another's grant there from one level to another; to LevelNone is to
// take it away. Both ends are bounded, so that nobody lowers or removes what
// they could not have given.
func (s Standing) MayChangeGrant(from, to Level) bool {
	return s.MayGrant(from) && (to == LevelNone || s.MayGrant(to))
}

// MaySeeGrants reports whether someone with this standing on an entity may see
// who else holds what there, and ask what others may do.
func (s Standing) MaySeeGrants() bool { return s.Grantable() != LevelNone }
