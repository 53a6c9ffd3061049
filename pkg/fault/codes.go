package fault

// Code is the stable, documented name of a fault. Clients may branch on it.
type Code string

// Every code a client can see. Add here, and the docs follow.
const (
	CodeInternal           Code = "internal_error"
	CodeUnavailable        Code = "temporarily_unavailable"
	CodeMalformed          Code = "malformed_request"
	CodeInvalidRequest     Code = "invalid_request"
	CodeInvalidCursor      Code = "invalid_cursor"
	CodeValidation         Code = "validation_failed"
	CodeUnsupportedMedia   Code = "unsupported_media_type"
	CodeTooLarge           Code = "body_too_large"
	CodeHeadersTooLarge    Code = "headers_too_large"
	CodeMethodNotAllowed   Code = "method_not_allowed"
	CodeNotAcceptable      Code = "not_acceptable"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeInvalidToken       Code = "invalid_token"
	CodeTokenExpired       Code = "token_expired"
	CodeSessionRevoked     Code = "session_revoked"
	CodeInvalidCredentials Code = "invalid_credentials"
	CodeInvalidRefresh     Code = "invalid_refresh_token"
	CodeMFAInvalid         Code = "invalid_mfa_code"
	CodeMFARequired        Code = "mfa_required"
	CodeForbidden          Code = "forbidden"
	CodeCrossOrigin        Code = "cross_origin_refused"
	CodeDelegateLimited    Code = "delegation_limited"
	CodeNotFound           Code = "not_found"
	CodeUsernameTaken      Code = "username_taken"
	CodeEmailTaken         Code = "email_taken"
	CodeLastAdmin          Code = "last_admin"
	CodeAlreadyExists      Code = "already_exists"
	CodeConflict           Code = "conflict"
	CodeMFAActive          Code = "mfa_already_active"
	CodeMFANotActive       Code = "mfa_not_active"
	CodeWeakPassword       Code = "password_refused"
	CodeInvalidOneTime     Code = "invalid_or_expired_token"
	CodeThrottled          Code = "too_many_requests"
	CodeProfileUnavailable Code = "profile_unavailable"
)

// Description is one row of the documented list.
type Description struct {
	Code    Code
	Kind    Kind
	Meaning string
}

// Descriptions lists every code with its kind and meaning, in document order.
func Descriptions() []Description {
	return []Description{
		{CodeMalformed, Malformed, "The request could not be read: broken JSON, a duplicate key, invalid UTF-8, or data after the end."},
		{CodeInvalidRequest, Malformed, "The request contradicts itself, for example two credentials for two different users."},
		{CodeInvalidCursor, Malformed, "The cursor is not one this list handed to this caller."},
		{CodeUnauthenticated, Unauthenticated, "No credentials were sent."},
		{CodeInvalidToken, Unauthenticated, "The access token is not valid."},
		{CodeTokenExpired, Unauthenticated, "The access token has expired; refresh it."},
		{CodeSessionRevoked, Unauthenticated, "The session has ended; sign in again."},
		{CodeInvalidCredentials, Unauthenticated, "The sign-in did not succeed."},
		{CodeInvalidRefresh, Unauthenticated, "The refresh token is not valid any more; sign in again."},
		{CodeMFAInvalid, Unauthenticated, "The second factor was not accepted."},
		{CodeMFARequired, Forbidden, "This needs a session with a second factor."},
		{CodeForbidden, Forbidden, "You may not do that."},
		{CodeCrossOrigin, Forbidden, "A browser sent this from an origin that is not allowed."},
		{CodeDelegateLimited, Forbidden, "Lent power does not reach this."},
		{CodeNotFound, NotFound, "There is no such thing, or not for you."},
		{CodeMethodNotAllowed, MethodNotAllowed, "This path does not answer that method."},
		{CodeNotAcceptable, NotAcceptable, "No acceptable representation."},
		{CodeConflict, Conflict, "The state changed or does not permit this; read it again."},
		{CodeAlreadyExists, Conflict, "It exists already."},
		{CodeUsernameTaken, Conflict, "That username is taken."},
		{CodeEmailTaken, Conflict, "That address belongs to another account."},
		{CodeLastAdmin, Conflict, "The last admin cannot leave, be removed or lose the role."},
		{CodeMFAActive, Conflict, "A second factor is active already."},
		{CodeMFANotActive, Conflict, "No second factor is active or being set up."},
		{CodeTooLarge, TooLarge, "The body is larger than this route takes."},
		{CodeUnsupportedMedia, UnsupportedMedia, "Send application/json."},
		{CodeValidation, Invalid, "The request breaks its schema or a rule; see errors."},
		{CodeWeakPassword, Invalid, "The password does not meet the policy; see errors."},
		{CodeInvalidOneTime, Invalid, "The link or token is not valid any more; ask for a new one."},
		{CodeHeadersTooLarge, HeadersTooLarge, "The request line and headers are larger than 10,240 bytes."},
		{CodeThrottled, Throttled, "Too many requests; wait as long as Retry-After says."},
		{CodeProfileUnavailable, Unavailable, "The system of record for profiles did not answer."},
		{CodeUnavailable, Unavailable, "A part this request needs did not answer; nothing was changed. Try again."},
		{CodeInternal, Internal, "Something went wrong on our side."},
	}
}

// describe finds a code's row; an unlisted code is an internal error, which a
// test keeps from happening.
func describe(c Code) Description {
	for _, d := range Descriptions() {
		if d.Code == c {
			return d
		}
	}
	return Description{Code: c, Kind: Internal, Meaning: "Something went wrong on our side."}
}

// Kind gives the class a code belongs to.
func (c Code) Kind() Kind { return describe(c).Kind }

// Meaning gives the standard sentence of a code.
func (c Code) Meaning() string { return describe(c).Meaning }
