// Package permission answers questions about rights: may this user do that to
// this entity or document, by what right, and on which may they. It speaks the
// product's own form (check, explain, entities) and that of the OpenID
// Foundation's Authorization API 1.0 (AuthZEN), from one resolver.
//
// Everyone may ask about themself. About another user may ask who could see
// that user's rights on the resource anyway: who manages it, managers and
// admins of its organization, and super admins. What does not exist, and what
// is none of the asker's business, answers alike: nobody is allowed anything.
//
// It must not know the store; it changes nothing.
package permission
