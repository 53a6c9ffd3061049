package facts

import (
	"strconv"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// MetAtMost is the size of a generation.
const MetAtMost = metAtMost

// MeetOthers fills so many generations with other resources.
func MeetOthers(s *Source, generations int) {
	for i := range generations * metAtMost {
		s.met.remember(access.Resource{Kind: access.KindEntity, ID: strconv.Itoa(i), OrganizationID: "o"})
	}
}

// Met is how many are remembered.
func Met(s *Source) int { return len(s.met.new) + len(s.met.older) }
