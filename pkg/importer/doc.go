// Package importer brings users, organizations, entities, grants and documents
// from other systems into Lanyard.
//
// A file is JSON Lines or CSV; see Row types for its fields. Every line is held
// to what a request is held to: the same schema checks, the same forms of
// addresses, names and levels, the same conditions in the same transactions. A
// line can make its own records and nothing else: there is no field for a role
// of the platform, a key of the table or a flag, ids are derived from the source
// id, and every write requires that nothing is there.
//
// One line is one transaction, so an import can be cut off anywhere. Run again,
// it finds what is there by the source id and goes on; lines whose result is
// there already count as unchanged, and nothing that was changed since is
// written over. Which line wins where two contradict each other depends on their
// order alone.
//
// Everything made by an import carries its batch, and a batch can be taken back.
// What happens is recorded once a run in the audit trail, not once a line; the
// batch on each record says the rest.
//
// It must not know other systems' formats: package convert turns them into lines.
package importer
