package account

import (
	"context"
	"errors"

	"github.com/lanyard-auth/lanyard/pkg/oneline"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Address is a postal address.
type Address struct {
	Street     string `json:"street,omitempty" maxLength:"200" dynamo:"street,omitempty"`
	Street2    string `json:"street2,omitempty" maxLength:"200" dynamo:"street2,omitempty"`
	City       string `json:"city,omitempty" maxLength:"100" dynamo:"city,omitempty"`
	Region     string `json:"region,omitempty" maxLength:"100" dynamo:"region,omitempty"`
	PostalCode string `json:"postalCode,omitempty" maxLength:"20" dynamo:"postalCode,omitempty"`
	Country    string `json:"country,omitempty" maxLength:"2" pattern:"^([A-Z]{2})?$" patternDescription:"ISO 3166-1 alpha-2" dynamo:"country,omitempty"`
}

// Profile describes a person; nothing in it decides anything.
type Profile struct {
	FirstName string  `json:"firstName" maxLength:"100" dynamo:"firstName,omitempty"`
	LastName  string  `json:"lastName" maxLength:"100" dynamo:"lastName,omitempty"`
	Phone     string  `json:"phone" maxLength:"32" dynamo:"phone,omitempty"`
	Language  string  `json:"language" maxLength:"35" doc:"BCP 47 tag." dynamo:"language,omitempty"`
	Currency  string  `json:"currency" maxLength:"3" doc:"ISO 4217 code." dynamo:"currency,omitempty"`
	Address   Address `json:"address" dynamo:"address,omitempty"`
}

// ProfileChange is a partial profile: absent fields stay as they are.
type ProfileChange struct {
	FirstName *string  `json:"firstName,omitempty" maxLength:"100"`
	LastName  *string  `json:"lastName,omitempty" maxLength:"100"`
	Phone     *string  `json:"phone,omitempty" maxLength:"32" pattern:"^[+0-9 ().-]*$" patternDescription:"a telephone number"`
	Language  *string  `json:"language,omitempty" maxLength:"35" pattern:"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$" patternDescription:"a BCP 47 language tag"`
	Currency  *string  `json:"currency,omitempty" maxLength:"3" pattern:"^([A-Z]{3})?$" patternDescription:"an ISO 4217 code"`
	Address   *Address `json:"address,omitempty" doc:"Replaces the whole address."`
}

// check refuses names and addresses that would not fit on one line. It is for the
// profile of a request or of a line of a file, at body.profile.
func (c *ProfileChange) check() error {
	if c == nil {
		return nil
	}
	var problems []error
	look := func(field string, s *string) {
		if s != nil {
			problems = append(problems, oneline.Check("body.profile."+field, *s))
		}
	}
	look("firstName", c.FirstName)
	look("lastName", c.LastName)
	if a := c.Address; a != nil {
		look("address.street", &a.Street)
		look("address.street2", &a.Street2)
		look("address.city", &a.City)
		look("address.region", &a.Region)
		look("address.postalCode", &a.PostalCode)
	}
	return errors.Join(problems...)
}

// apply gives p with the change made.
func (c *ProfileChange) apply(p Profile) Profile {
	if c == nil {
		return p
	}
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&p.FirstName, c.FirstName)
	set(&p.LastName, c.LastName)
	set(&p.Phone, c.Phone)
	set(&p.Language, c.Language)
	set(&p.Currency, c.Currency)
	if c.Address != nil {
		p.Address = *c.Address
	}
	return p
}

// ProfileSource is where profiles are kept.
//
// Load gives a user's profile, the zero Profile for a user without one.
// prefetched is the profile item when a read of the user's partition brought
// it; sources outside the table ignore it. An error means that the source did
// not answer.
//
// Save stores a profile: either by giving writes for the transaction of the
// change, or at once.
type ProfileSource interface {
	Load(ctx context.Context, userID string, prefetched *table.Record) (Profile, error)
	Save(ctx context.Context, userID string, p Profile) ([]*table.Write, error)
}

// tableProfiles keeps profiles beside the auth state.
type tableProfiles struct{}

type profileItem struct {
	table.Key
	Profile
}

func (tableProfiles) Load(_ context.Context, _ string, prefetched *table.Record) (Profile, error) {
	if prefetched == nil {
		return Profile{}, nil
	}
	var it profileItem
	err := prefetched.Decode(&it)
	return it.Profile, err
}

func (tableProfiles) Save(_ context.Context, userID string, p Profile) ([]*table.Write, error) {
	return []*table.Write{table.Put(profileItem{Key: table.UserProfile(userID), Profile: p})}, nil
}
