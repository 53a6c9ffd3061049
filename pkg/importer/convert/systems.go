package convert

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/pkg/importer"
)

// Cognito reads the users of an Amazon Cognito user pool: the answer of
// ListUsers as "aws cognito-idp list-users" prints it, or CSV with the columns of
// its import template ("Importing users into user pools from a CSV file"), which
// export tools write. Cognito gives no password hashes to anybody: these users set
// a password by a mailed link. The id is sub where there is one, else the
// username.
func Cognito(r io.Reader) importer.Lines {
	b := bufio.NewReaderSize(r, 64<<10)
	if begins(b, '{') || begins(b, '[') {
		return objects(b, "Users", cognitoListed)
	}
	return rows(b, func(header []string) error {
		if !slices.Contains(header, "cognito:username") || !slices.Contains(header, "email") {
			return errors.New("no columns cognito:username and email: not a CSV of Cognito")
		}
		return nil
	}, func(c map[string]string) (any, error) { return cognitoUser(c) })
}

// cognitoListed converts a UserType of Cognito's API.
func cognitoListed(raw []byte) (any, error) {
	var c struct {
		Username   string         `json:"Username"`
		Attributes []cognitoValue `json:"Attributes"`
		CreatedAt  any            `json:"UserCreateDate"`
		Enabled    *bool          `json:"Enabled"`
		Status     string         `json:"UserStatus"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, errNotJSON
	}
	cells := map[string]string{}
	for _, a := range c.Attributes {
		cells[a.Name] = a.Value
	}
	cells["cognito:username"] = c.Username
	u, err := cognitoUser(cells)
	if err != nil {
		return nil, err
	}
	u.truth("suspended", c.Enabled != nil && !*c.Enabled)
	if c.Status == "EXTERNAL_PROVIDER" && cells["preferred_username"] == "" {
		delete(u, "username") // Google_1234: nobody chose that
	}
	switch at := c.CreatedAt.(type) {
	case string:
		t, err := moment(at)
		if err != nil {
			return nil, err
		}
		u.at(t)
	case float64: // version 1 of the AWS CLI gives seconds
		u.at(time.UnixMilli(int64(at * 1000)))
	}
	return u, nil
}

type cognitoValue struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

func cognitoUser(c map[string]string) (user, error) {
	u := user{}
	name := c["cognito:username"]
	if u.set("id", c["sub"]); c["sub"] == "" {
		u.set("id", name)
	}
	u.set("email", c["email"])
	if c["preferred_username"] != "" {
		name = c["preferred_username"]
	}
	u.username(name, c["email"])
	verified, err := flag(c["email_verified"])
	if err != nil {
		return nil, err
	}
	u.truth("emailVerified", verified && c["email"] != "")
	u.names(c["given_name"], c["family_name"], c["name"])
	u.set("profile.phone", c["phone_number"])
	u.language(c["locale"])
	return u, nil
}

// auth0User is a line of either of Auth0's files: the export of password hashes
// that its support gives out ("Export Data", "Password hashes"), or the bulk
// user import format, which its export extension and the Management API's export
// jobs write.
type auth0User struct {
	MongoID struct {
		OID string `json:"$oid"`
	} `json:"_id"`
	ID            string `json:"Id"`
	UserID        string `json:"user_id"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Username      string `json:"username"`
	GivenName     string `json:"given_name"`
	FamilyName    string `json:"family_name"`
	Name          string `json:"name"`
	PhoneNumber   string `json:"phone_number"`
	Blocked       bool   `json:"blocked"`
	CreatedAt     string `json:"created_at"`
	Hash          string `json:"passwordHash"`
	BulkHash      string `json:"password_hash"`
	Custom        struct {
		Algorithm string `json:"algorithm"`
		Hash      struct {
			Value string `json:"value"`
		} `json:"hash"`
	} `json:"custom_password_hash"`
	Factors []struct {
		TOTP struct {
			Secret string `json:"secret"`
		} `json:"totp"`
	} `json:"mfa_factors"`
}

// Auth0 reads Auth0's newline-delimited JSON, or the array of a bulk import. Ids
// are spelled "auth0|…", as its tokens spell them.
func Auth0(r io.Reader) importer.Lines {
	b := bufio.NewReaderSize(r, 64<<10)
	convert := func(raw []byte) (any, error) {
		var a auth0User
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, errNotJSON
		}
		u := user{}
		switch {
		case a.UserID != "":
			u.set("id", a.UserID)
		case a.ID != "":
			u.set("id", a.ID)
		case a.MongoID.OID != "":
			u.set("id", "auth0|"+a.MongoID.OID)
		}
		u.set("email", a.Email)
		u.truth("emailVerified", a.EmailVerified && a.Email != "")
		u.username(a.Username, a.Email)
		u.truth("suspended", a.Blocked)
		if a.Name == a.Email {
			a.Name = ""
		}
		u.names(a.GivenName, a.FamilyName, a.Name)
		u.set("profile.phone", a.PhoneNumber)
		at, err := moment(a.CreatedAt)
		if err != nil {
			return nil, err
		}
		u.at(at)
		for _, hash := range []string{a.Hash, a.BulkHash, a.Custom.Hash.Value} {
			if hash != "" {
				u["passwordHash"] = hash
				break
			}
		}
		for _, f := range a.Factors {
			if u["totpSecret"] == nil {
				u.set("totpSecret", f.TOTP.Secret)
			}
		}
		return u, nil
	}
	if begins(b, '[') {
		return objects(b, "users", convert)
	}
	return each(b, convert)
}

// GoTrue reads rows of auth.users of Supabase, which is GoTrue's table: CSV with
// a header, as psql's \copy … csv header and the dashboard write it, or JSON
// Lines, one row_to_json a line. Passwords are bcrypt. A ban that has ended by
// now is none.
func GoTrue(r io.Reader, now time.Time) importer.Lines {
	b := bufio.NewReaderSize(r, 64<<10)
	goTrueUser := func(c map[string]string) (any, error) { return goTrueUser(c, now) }
	if begins(b, '{') {
		return each(b, func(raw []byte) (any, error) {
			var row map[string]any
			if err := json.Unmarshal(raw, &row); err != nil {
				return nil, errNotJSON
			}
			cells := map[string]string{}
			for name, v := range row {
				switch v := v.(type) {
				case nil:
				case string:
					cells[name] = v
				case bool:
					cells[name] = strconv.FormatBool(v)
				default:
					text, err := json.Marshal(v)
					if err != nil {
						return nil, errNotJSON
					}
					cells[name] = string(text)
				}
			}
			return goTrueUser(cells)
		})
	}
	return rows(b, func(header []string) error {
		if !slices.Contains(header, "id") || !slices.Contains(header, "encrypted_password") {
			return errors.New("no columns id and encrypted_password: not auth.users of Supabase")
		}
		return nil
	}, goTrueUser)
}

func goTrueUser(c map[string]string, now time.Time) (any, error) {
	if c["deleted_at"] != "" {
		return nil, errors.New("deleted there")
	}
	u := user{}
	u.set("id", c["id"])
	u.set("email", c["email"])
	confirmed := c["email_confirmed_at"]
	if confirmed == "" {
		confirmed = c["confirmed_at"]
	}
	u.truth("emailVerified", confirmed != "" && c["email"] != "")
	u.set("passwordHash", c["encrypted_password"])
	if until, err := moment(c["banned_until"]); err != nil {
		return nil, err
	} else {
		u.truth("suspended", until.After(now))
	}
	at, err := moment(c["created_at"])
	if err != nil {
		return nil, err
	}
	u.at(at)
	if phone := c["phone"]; phone != "" && !strings.HasPrefix(phone, "+") {
		u.set("profile.phone", "+"+phone)
	} else {
		u.set("profile.phone", phone)
	}
	var meta struct {
		First string `json:"first_name"`
		Last  string `json:"last_name"`
		Full  string `json:"full_name"`
	}
	if raw := c["raw_user_meta_data"]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &meta); err != nil {
			return nil, errors.New("raw_user_meta_data is no JSON object")
		}
	}
	u.names(meta.First, meta.Last, meta.Full)
	return u, nil
}

// FirebaseHash are a Firebase project's hash parameters.
type FirebaseHash struct {
	SignerKey, SaltSeparator string // base64
	Rounds, MemoryCost       int
}

// ParseFirebaseHash reads the parameters as the Firebase console shows them
// (Authentication, Users, ⋮, Password hash parameters).
func ParseFirebaseHash(text []byte) (FirebaseHash, error) {
	var h FirebaseHash
	var err error
	algorithm := ""
	for _, m := range firebaseConfig.FindAllSubmatch(text, -1) {
		v := string(m[2])
		switch string(m[1]) {
		case "algorithm":
			algorithm = v
		case "base64_signer_key":
			h.SignerKey = v
		case "base64_salt_separator":
			h.SaltSeparator = v
		case "rounds":
			h.Rounds, err = strconv.Atoi(v)
		case "mem_cost":
			h.MemoryCost, err = strconv.Atoi(v)
		}
		if err != nil {
			return FirebaseHash{}, errors.New("hash parameters: expected a number")
		}
	}
	if algorithm != "SCRYPT" || h.SignerKey == "" || h.Rounds == 0 || h.MemoryCost == 0 {
		return FirebaseHash{}, errors.New("hash parameters: expected algorithm SCRYPT with base64_signer_key, base64_salt_separator, rounds and mem_cost")
	}
	return h, nil
}

// Firebase reads the JSON of "firebase auth:export". Users of other identity
// providers have no password there and set one by a mailed link; users with a
// telephone number alone cannot be imported.
func Firebase(r io.Reader, h FirebaseHash) importer.Lines {
	return objects(r, "users", func(raw []byte) (any, error) {
		var f struct {
			LocalID       string `json:"localId"`
			Email         string `json:"email"`
			EmailVerified bool   `json:"emailVerified"`
			DisplayName   string `json:"displayName"`
			PhoneNumber   string `json:"phoneNumber"`
			PasswordHash  string `json:"passwordHash"`
			Salt          string `json:"salt"`
			Disabled      bool   `json:"disabled"`
			CreatedAt     string `json:"createdAt"` // milliseconds
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil, errNotJSON
		}
		u := user{}
		u.set("id", f.LocalID)
		u.set("email", f.Email)
		u.truth("emailVerified", f.EmailVerified && f.Email != "")
		u.truth("suspended", f.Disabled)
		u.names("", "", f.DisplayName)
		u.set("profile.phone", f.PhoneNumber)
		if f.PasswordHash != "" {
			if h.SignerKey == "" {
				return nil, errors.New("a password hash needs the project's hash parameters")
			}
			std := strings.NewReplacer("-", "+", "_", "/")
			u["passwordHash"] = fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d$%s$%s$%s$%s", h.MemoryCost, h.Rounds,
				std.Replace(f.Salt), h.SaltSeparator, h.SignerKey, std.Replace(f.PasswordHash))
		}
		if f.CreatedAt != "" {
			ms, err := strconv.ParseInt(f.CreatedAt, 10, 64)
			if err != nil {
				return nil, errors.New("a time is in no known form")
			}
			u.at(time.UnixMilli(ms))
		}
		return u, nil
	})
}

// Keycloak reads the users of a realm as "kc.sh export" writes them: a document
// with an array users, or a file realm-users-0.json of its own. Realm roles,
// groups and clients are not carried over; federated users have no password
// there. Of several authenticator apps the first, which is the preferred one,
// comes along. The accounts of clients are no users.
func Keycloak(r io.Reader) importer.Lines {
	return objects(r, "users", func(raw []byte) (any, error) {
		var k struct {
			ID            string              `json:"id"`
			Realm         string              `json:"realm"`
			ClientOf      string              `json:"serviceAccountClientId"`
			Username      string              `json:"username"`
			Email         string              `json:"email"`
			EmailVerified bool                `json:"emailVerified"`
			Enabled       *bool               `json:"enabled"`
			FirstName     string              `json:"firstName"`
			LastName      string              `json:"lastName"`
			Created       int64               `json:"createdTimestamp"` // milliseconds
			Attributes    map[string][]string `json:"attributes"`
			Credentials   []struct {
				Type       string `json:"type"`
				Secret     string `json:"secretData"`
				Credential string `json:"credentialData"`
			} `json:"credentials"`
		}
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, errNotJSON
		}
		switch {
		case k.Username == "" && k.Realm != "":
			return nil, errors.New("a realm and not a user: export one realm, with --realm")
		case k.ClientOf != "":
			return nil, errors.New("the account of a client and not of a person")
		}
		u := user{}
		u.set("id", k.ID)
		u.set("email", k.Email)
		u.username(k.Username, k.Email)
		u.truth("emailVerified", k.EmailVerified && k.Email != "")
		u.truth("suspended", k.Enabled != nil && !*k.Enabled)
		u.names(k.FirstName, k.LastName, "")
		if l := k.Attributes["locale"]; len(l) == 1 {
			u.language(l[0])
		}
		for _, name := range []string{"phoneNumber", "phone"} {
			if p := k.Attributes[name]; len(p) == 1 {
				u.set("profile.phone", p[0])
			}
		}
		if k.Created > 0 {
			u.at(time.UnixMilli(k.Created))
		}
		for _, c := range k.Credentials {
			var err error
			switch {
			case c.Type == "password":
				u["passwordHash"], err = keycloakHash(c.Secret, c.Credential)
			case c.Type == "otp" && u["totpSecret"] == nil:
				u["totpSecret"], err = keycloakTOTP(c.Secret, c.Credential)
			}
			if err != nil {
				return nil, err
			}
		}
		return u, nil
	})
}

func keycloakHash(secretData, credentialData string) (string, error) {
	var s struct {
		Value string `json:"value"`
		Salt  string `json:"salt"`
	}
	var c struct {
		Iterations int                 `json:"hashIterations"`
		Algorithm  string              `json:"algorithm"`
		More       map[string][]string `json:"additionalParameters"`
	}
	if json.Unmarshal([]byte(secretData), &s) != nil || json.Unmarshal([]byte(credentialData), &c) != nil {
		return "", errors.New("a password credential is not as Keycloak writes it")
	}
	if c.Algorithm != "argon2" {
		return fmt.Sprintf("$%s$%d$%s$%s", c.Algorithm, c.Iterations, s.Salt, s.Value), nil
	}
	one := func(name string) string {
		if v := c.More[name]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
	if one("version") != "1.3" {
		return "", errors.New("argon2 of another version than 1.3")
	}
	return fmt.Sprintf("$argon2%s$v=19$m=%s,t=%d,p=%s$%s$%s", one("type"), one("memory"), c.Iterations, one("parallelism"),
		strings.TrimRight(s.Salt, "="), strings.TrimRight(s.Value, "=")), nil
}

func keycloakTOTP(secretData, credentialData string) (string, error) {
	var s struct {
		Value string `json:"value"`
	}
	var c struct {
		SubType   string `json:"subType"`
		Digits    int    `json:"digits"`
		Period    int    `json:"period"`
		Algorithm string `json:"algorithm"`
		Encoding  string `json:"secretEncoding"`
	}
	if json.Unmarshal([]byte(secretData), &s) != nil || json.Unmarshal([]byte(credentialData), &c) != nil {
		return "", errors.New("an authenticator app is not as Keycloak writes it")
	}
	if c.SubType != "totp" || c.Digits != 6 || c.Period != 30 || c.Algorithm != "HmacSHA1" {
		return "", errors.New("an authenticator app of another kind than TOTP with SHA-1, 6 digits and 30 seconds")
	}
	if c.Encoding == "BASE32" {
		return s.Value, nil
	}
	return secret32(s.Value), nil
}
