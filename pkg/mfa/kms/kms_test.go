package kms_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/mfa/kms"
)

const (
	owner  = "01900000-0000-7000-8000-000000000001"
	other  = "01900000-0000-7000-8000-000000000002"
	secret = "12345678901234567890"
)

func connect(t *testing.T, s *kmstest.Service, keys ...string) mfa.KeyService {
	t.Helper()
	out, err := kms.Connect(config.MFA{KMSKeys: keys}, s.Config())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sealed(t *testing.T, s mfa.KeyService) []byte {
	t.Helper()
	raw, err := s.Encrypt(t.Context(), []byte(secret), owner)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestASecretOpensForItsUserAlone(t *testing.T) {
	var service kmstest.Service
	s := connect(t, &service, kmstest.Key)
	raw := sealed(t, s)
	if got, stale, err := s.Decrypt(t.Context(), raw, owner); err != nil || stale || string(got) != secret {
		t.Fatalf("%q, stale %v, %v", got, stale, err)
	}
	var wrong *types.InvalidCiphertextException
	if got, _, err := s.Decrypt(t.Context(), raw, other); !errors.As(err, &wrong) || got != nil {
		t.Errorf("moved to another user: %q, %v", got, err)
	}
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 1
		if got, _, err := s.Decrypt(t.Context(), bad, owner); err == nil {
			t.Fatalf("with byte %d changed it opens: %q", i, got)
		}
	}
	want := map[string]string{kms.ContextPurpose: kms.PurposeTOTP, kms.ContextUser: owner}
	for _, c := range service.Calls()[:2] {
		if c.Key != kmstest.Key || c.Region != "eu-north-1" || !maps.Equal(c.Context, want) {
			t.Errorf("call %+v", c)
		}
	}
}

func TestAKeyIsReplacedByNamingTheNextBeforeIt(t *testing.T) {
	var service kmstest.Service
	before := connect(t, &service, kmstest.Key)
	old := sealed(t, before)
	now := connect(t, &service, kmstest.Later, kmstest.Key)
	if got, stale, err := now.Decrypt(t.Context(), old, owner); err != nil || !stale || string(got) != secret {
		t.Errorf("of the earlier key: %q, stale %v, %v", got, stale, err)
	}
	renewed := sealed(t, now)
	if got, stale, err := now.Decrypt(t.Context(), renewed, owner); err != nil || stale || string(got) != secret {
		t.Errorf("of the later key: %q, stale %v, %v", got, stale, err)
	}
	if regions := service.Calls(); regions[len(regions)-1].Region != "eu-central-1" {
		t.Errorf("the later key is asked for in %s", regions[len(regions)-1].Region)
	}
	var incorrect *types.IncorrectKeyException
	if got, _, err := before.Decrypt(t.Context(), renewed, owner); !errors.As(err, &incorrect) {
		t.Errorf("a key that is not configured opens: %q, %v", got, err)
	}
}

func TestFailuresOfTheService(t *testing.T) {
	for name, c := range map[string]struct {
		fault kmstest.Fault
		times int // that it happens
		calls int // made in all
		error string
	}{
		"throttled once":    {kmstest.Throttled, 1, 2, ""},
		"throttled for now": {kmstest.Throttled, 9, 3, "ThrottlingException"},
		"reply lost":        {kmstest.Lost, 1, 2, ""},
		"replies lost":      {kmstest.Lost, 9, 3, "unexpected EOF"},
		"internal error":    {kmstest.Broken, 9, 3, "KMSInternalException"},
		"denied":            {kmstest.Denied, 9, 1, "AccessDeniedException"},
		"key disabled":      {kmstest.Disabled, 9, 1, "DisabledException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait between attempts
			var service kmstest.Service
			s := connect(t, &service, kmstest.Key)
			raw := sealed(t, s)
			for action, run := range map[string]func() ([]byte, error){
				"seal": func() ([]byte, error) { return s.Encrypt(t.Context(), []byte(secret), owner) },
				"open": func() ([]byte, error) { out, _, err := s.Decrypt(t.Context(), raw, owner); return out, err },
			} {
				left, before := c.times, len(service.Calls())
				service.Decide = func(context.Context, kmstest.Call) kmstest.Fault {
					if left--; left >= 0 {
						return c.fault
					}
					return kmstest.None
				}
				out, err := run()
				if calls := len(service.Calls()) - before; calls != c.calls {
					t.Errorf("%s: %d calls, want %d", action, calls, c.calls)
				}
				switch {
				case c.error == "" && (err != nil || len(out) == 0):
					t.Errorf("%s: %q, %v", action, out, err)
				case c.error != "" && (err == nil || out != nil || !strings.Contains(err.Error(), c.error)):
					t.Errorf("%s: %q, %v; want %s", action, out, err, c.error)
				}
			}
		})
	}
}

func TestARequestThatIsOverAsksNothing(t *testing.T) {
	var service kmstest.Service
	s := connect(t, &service, kmstest.Key)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Encrypt(ctx, []byte(secret), owner); !errors.Is(err, context.Canceled) {
		t.Errorf("seal: %v", err)
	}
	if _, _, err := s.Decrypt(ctx, []byte{1}, owner); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	if n := len(service.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestConnectingNeedsKeys(t *testing.T) {
	for _, keys := range [][]string{nil, {"alias/lanyard"}} {
		if _, err := kms.Connect(config.MFA{KMSKeys: keys}, aws.Config{}); err == nil {
			t.Errorf("%q is accepted", keys)
		}
	}
}
