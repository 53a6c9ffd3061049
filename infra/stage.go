package main

import "fmt"

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
	// KMSKey is the ARN of a customer-managed key for the table; empty means AWS's own.
	KMSKey string
	// Domain and Certificate (ARN, of the same region) give the API a custom domain.
	Domain, Certificate string
	// HashConcurrency is how many instances each function that hashes passwords
	// may have; it is also kept free for them.
	HashConcurrency float64
	RetentionDays   float64
	Protect         bool // deletion protection of the table
	AlarmTopic      string
	// Settings are LANYARD_ settings beyond those the stack sets.
	Settings map[string]string
}

// stage gives the configuration of a stage by name. Operators edit this list.
func stage(name string) (Stage, error) {
	switch name {
	case "dev":
		return Stage{
			Name: "dev", PublicURL: "https://auth-dev.example.com", CORSOrigins: []string{"http://localhost:5173"},
			MailFrom: "Lanyard <no-reply@example.com>", HashConcurrency: 5, RetentionDays: 14, Protect: true,
		}, nil
	case "prod":
		return Stage{
			Name: "prod", PublicURL: "https://auth.example.com", CORSOrigins: []string{"https://app.example.com"},
			MailFrom: "Lanyard <no-reply@example.com>", MailDomain: "example.com", HashConcurrency: 20, RetentionDays: 90, Protect: true,
		}, nil
	}
	return Stage{}, fmt.Errorf("stage %q: expected dev or prod", name)
}
