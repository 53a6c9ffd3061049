package catalog

import (
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
)

// TestEveryPublicOperationHasALimitAndMayCount holds what operations declare to
// what the limiter does for them: a public one is limited, and one whose count
// is in the table may write it.
func TestEveryPublicOperationHasALimitAndMayCount(t *testing.T) {
	c, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range Operations(Services{}, nil) {
		limits := throttle.Of(c.Limits, &op.Spec)
		public := op.Access == api.Public || op.Access == api.Optional
		if public != (len(limits) > 0) && !op.Local {
			t.Errorf("%s is %s and has limits %v", op.ID, op.Access, limits)
		}
		if len(limits) == 0 || limits[0].Scope == throttle.Local {
			continue
		}
		if limits[0].Name == "public" {
			t.Errorf("%s has the general limit only: give it one of its own", op.ID)
		}
		for key, actions := range map[string][]api.Action{"THROTTLE#*": {api.PutItem, api.UpdateItem}, "AUDIT#*": {api.PutItem}} {
			for _, a := range actions {
				if !slices.ContainsFunc(op.Table, func(u api.Use) bool { return u.Keys == key && slices.Contains(u.Actions, a) }) {
					t.Errorf("%s counts its requests but may not %s %s", op.ID, a, key)
				}
			}
		}
	}
}
