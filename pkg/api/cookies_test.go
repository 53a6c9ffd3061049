package api_test

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
)

func TestCookiesLiveForWholeSecondsAndNoShorterThanTheirTokens(t *testing.T) {
	for life, want := range map[time.Duration]int{
		900 * time.Second:                      900,
		900*time.Second - time.Millisecond:     900, // made a moment ago
		899*time.Second + time.Nanosecond:      900,
		time.Nanosecond:                        1,
		0:                                      -1, // http.Cookie's way to say Max-Age=0
		-time.Nanosecond:                       -1,
		-time.Hour:                             -1,
		7*24*time.Hour - 5*time.Millisecond:    7 * 24 * 3600,
		30*24*time.Hour - 999*time.Microsecond: 30 * 24 * 3600,
	} {
		c := api.Cookies{Secure: true}
		if got := c.SetAccess("v", life).MaxAge; got != want {
			t.Errorf("access cookie for %s: Max-Age %d, want %d", life, got, want)
		}
		if got := c.SetRefresh("v", life).MaxAge; got != want {
			t.Errorf("refresh cookie for %s: Max-Age %d, want %d", life, got, want)
		}
	}
}
