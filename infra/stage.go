package main

import (
	"fmt"
	"net/url"
	"strings"
)

// Stage is the configuration of one deployment.
type Stage struct {
	Name        string
	Account     string // empty: the one of the credentials
	Region      string // empty: likewise
	PublicURL   string // origin of clients and links; https
	CORSOrigins []string
	MailFrom    string
	// MailDomain makes an SES identity of that domain; empty where it exists already.
	MailDomain string
	// SandboxRecipients are verified addresses that mail may go to while the
	// account is in SES's sandbox, where that needs a permission for each.
	SandboxRecipients []string
	// KMSKey is the ARN of a customer-managed key for the table; empty means AWS's own.
	KMSKey string
	// SealWithKMS makes a KMS key that seals the secrets of authenticator apps.
	// SealKeys are the ARNs of further ones, which open what they sealed; without
	// SealWithKMS the first of them seals, and without any the key ring does.
	SealWithKMS bool
	SealKeys    []string
	// Domain and Certificate (ARN, of the same region) give the API a custom domain.
	Domain, Certificate string
	// Front puts CloudFront with a web application firewall before the API; nil
	// for none. It calls the API by Domain, which is then not for clients.
	Front *Front
	// HashConcurrency is how many instances each function that hashes passwords
	// may have; it is also kept free for them.
	HashConcurrency float64
	// RequestsPerSecond is what the gateway lets through of all clients together,
	// twice that for a moment.
	RequestsPerSecond float64
	RetentionDays     float64
	Protect           bool // deletion protection of the table
	AlarmTopic        string
	// Settings are LANYARD_ settings beyond those the stack sets.
	Settings map[string]string
}

// Front is the configuration of a CloudFront distribution before the API.
type Front struct {
	// Domain and Certificate (ARN, of us-east-1) are what clients use.
	Domain, Certificate string
	// RequestsPer5Minutes is how many requests of one address the firewall lets
	// through in five minutes, before the API's own limits.
	RequestsPer5Minutes float64
}

// check refuses configurations that would deploy and not protect.
func (s Stage) check() error {
	for _, origin := range s.CORSOrigins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.Contains(origin, "*") {
			return fmt.Errorf("stage %s: CORS origin %q: expected the likes of https://app.example.com, whose pages may act for signed-in users", s.Name, origin)
		}
	}
	if !strings.HasPrefix(s.PublicURL, "https://") {
		return fmt.Errorf("stage %s: PublicURL is %q; expected https", s.Name, s.PublicURL)
	}
	if (s.Domain == "") != (s.Certificate == "") {
		return fmt.Errorf("stage %s: Domain and Certificate belong together", s.Name)
	}
	if s.RequestsPerSecond <= 0 {
		return fmt.Errorf("stage %s: RequestsPerSecond is %v; the gateway would let nothing through", s.Name, s.RequestsPerSecond)
	}
	if s.RetentionDays <= 0 {
		return fmt.Errorf("stage %s: RetentionDays is %v; logs without an end are kept, and paid for, for ever", s.Name, s.RetentionDays)
	}
	if s.Front == nil {
		return nil
	}
	if s.Domain == "" || s.Certificate == "" || s.Front.Domain == "" || s.Front.Certificate == "" {
		return fmt.Errorf("stage %s: a front needs a domain and certificate of its own, and ones of the API that it calls", s.Name)
	}
	if s.Region != "us-east-1" {
		return fmt.Errorf("stage %s: Region is %q; a front and its firewall are made in us-east-1 alone", s.Name, s.Region)
	}
	if s.PublicURL != "https://"+s.Front.Domain {
		return fmt.Errorf("stage %s: PublicURL is %s, and clients use https://%s", s.Name, s.PublicURL, s.Front.Domain)
	}
	return nil
}

// stage gives the configuration of a stage by name. Operators edit this list.
func stage(name string) (Stage, error) {
	switch name {
	case "dev":
		return Stage{
			Name: "dev", PublicURL: "https://auth-dev.example.com", CORSOrigins: []string{"http://localhost:5173"},
			MailFrom: "Lanyard <no-reply@example.com>", HashConcurrency: 5, RequestsPerSecond: 100, RetentionDays: 14, Protect: true,
		}, nil
	case "prod":
		return Stage{
			Name: "prod", PublicURL: "https://auth.example.com", CORSOrigins: []string{"https://app.example.com"},
			MailFrom: "Lanyard <no-reply@example.com>", MailDomain: "example.com", HashConcurrency: 20, RequestsPerSecond: 500, RetentionDays: 90, Protect: true,
			SealWithKMS: true,
		}, nil
	}
	return Stage{}, fmt.Errorf("stage %q: expected dev or prod", name)
}
