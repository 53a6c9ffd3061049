// Package access answers one question: may this user do this to that entity or
// document, and by what right?
//
// It has two parts. The resolver (Resolve, Decide, ResolveRole) is pure: facts
// and a moment in, a standing or a decision out; its zero value denies. The
// Checker reads facts through two small interfaces it declares, caches them per
// user for a bounded time, and answers checks, batches, explanations and the
// candidates of lists from that one resolver.
//
// The rules, for a user and an entity:
//
//  1. A super admin, or the holder of an unexpired delegation over the platform
//     or over the entity's organization, is admin.
//  2. Who is not a member of the entity's organization holds nothing else.
//  3. An organization admin is admin, an organization manager is manager.
//  4. An unexpired grant on the entity gives its level.
//  5. An organization viewer is viewer; a plain member is nothing.
//
// For a document the rules are those of its entity, and besides them an
// unexpired share on that very document gives viewer or editor, membership or
// not. Where several rules speak the most permissive wins; between equals the
// one named is, in this order: organization admin or manager, grant,
// organization viewer, share, super-admin power. So no fact ever takes access
// away, and power that was not needed is not named.
//
// The package must not know the store, HTTP, or what kind of thing an entity
// is, and it does not judge whether the user may act at all: suspension and
// sessions are settled before anyone asks here.
package access
