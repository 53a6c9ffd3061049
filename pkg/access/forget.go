package access

// ForgetUsers drops what is kept about users. Call it after every write to
// their access facts, when the write has succeeded or may have: no cached
// answer in this process that begins later rests on older facts. Other
// processes follow within the cache's bound.
func (c *Checker) ForgetUsers(userIDs ...string) {
	for _, id := range userIDs {
		c.users.invalidate(id, func(h *held) (*held, bool) {
			// That there are very many facts is worth keeping; nothing else is.
			return &held{many: true, since: h.since}, h.many
		})
	}
}

// ForgetResources drops what is kept about resources. Call it after deleting
// one; of an entity or an organization it drops everything that lies under it.
func (c *Checker) ForgetResources(refs ...Ref) {
	for _, ref := range refs {
		switch ref.Kind {
		case KindOrganization:
			for k := KindOrganization; k <= KindDocument; k++ {
				c.places[k].invalidateIf(func(p place) bool { return p.OrganizationID == ref.ID })
			}
		case KindEntity:
			c.places[KindEntity].invalidate(ref.ID, nil)
			c.places[KindDocument].invalidateIf(func(p place) bool { return p.EntityID == ref.ID })
		case KindDocument:
			c.places[KindDocument].invalidate(ref.ID, nil)
		}
	}
}

// ForgetAll drops everything that is kept, and has a source of resources that
// remembers something of its own, with a method Forget, drop that as well.
func (c *Checker) ForgetAll() {
	if s, ok := c.resources.(interface{ Forget() }); ok {
		s.Forget()
	}
	c.users.invalidateIf(func(*held) bool { return true })
	for k := KindOrganization; k <= KindDocument; k++ {
		c.places[k].invalidateIf(func(place) bool { return true })
	}
}
