package access_test

import (
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// The resolver needs no store: facts and a moment in, a decision out.
func ExampleDecide() {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	facts := &access.Facts{
		Memberships: map[string]access.Membership{"coastal": {OrganizationID: "coastal", Role: access.RoleMember}},
		Grants: map[string]access.Grant{
			"boat-1": {EntityID: "boat-1", Level: access.LevelEditor, ExpiresAt: now.Add(time.Hour)},
		},
	}
	boat := &access.Resource{Kind: access.KindEntity, ID: "boat-1", OrganizationID: "coastal"}
	for _, at := range []time.Time{now, now.Add(time.Hour)} {
		d := access.Decide(facts, boat, access.ActionEdit, at)
		fmt.Println(d.Allowed, d.Level, d.Source, "-", d.Reason)
	}
	// Output:
	// true editor grant - granted editor
	// false none none - the grant has expired
}
