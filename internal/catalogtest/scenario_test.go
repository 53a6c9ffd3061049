package catalogtest

import "testing"

// Limits are on, as they are by default: what they write has to be within each
// function's policy too. That every request succeeds is tested where all of
// them are made.
func TestAScenarioStandsWithEverySettingAsShipped(t *testing.T) {
	if n := len(New(t, "LANYARD_THROTTLE=on").Requests()); n < 80 {
		t.Errorf("%d requests", n)
	}
}
