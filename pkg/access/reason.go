package access

// ReasonNone is the reason of every refusal about which nothing may be told: a
// resource that does not exist, is another tenant's, or simply not the user's.
const ReasonNone = "no role, grant or share gives access"

// Denied is the answer about a resource that does not exist, to whomever asks.
func Denied() Decision { return Decision{Reason: ReasonNone} }

// reason gives a constant sentence, so that no decision allocates.
func reason(allowed bool, level Level, source Origin, because FactKind) string {
	if !allowed {
		return refusal(level, because)
	}
	switch source {
	case FromOrgRole:
		switch level {
		case LevelAdmin:
			return "organization admin"
		case LevelManager:
			return "organization manager"
		default:
			return "organization viewer"
		}
	case FromGrant:
		switch level {
		case LevelAdmin:
			return "granted admin"
		case LevelManager:
			return "granted manager"
		case LevelEditor:
			return "granted editor"
		default:
			return "granted viewer"
		}
	case FromShare:
		if level == LevelEditor {
			return "document shared as editor"
		}
		return "document shared as viewer"
	default:
		if because == FactDelegation {
			return "delegated super-admin power"
		}
		return "super admin"
	}
}

func refusal(level Level, because FactKind) string {
	switch level {
	case LevelViewer:
		return "viewer does not include this action"
	case LevelEditor:
		return "editor does not include this action"
	case LevelManager:
		return "manager does not include this action"
	case LevelAdmin:
		return "not a known action"
	}
	switch because {
	case FactExpiredGrant:
		return "the grant has expired"
	case FactExpiredShare:
		return "the share has expired"
	default:
		return ReasonNone
	}
}
