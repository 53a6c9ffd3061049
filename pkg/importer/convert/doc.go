// Package convert reads files of users and of everything else as other systems
// write them, and turns them into the lines of package importer: Lanyard's own
// JSON Lines and CSV, Cognito's CSV, Auth0's and GoTrue's (Supabase) exports,
// Firebase's auth:export and Keycloak's realm.
//
// It reads in bounded memory, whatever the file's size, and it judges nothing:
// what a line says is checked by package importer, as if a stranger had written
// it. Roles, permissions and metadata of other systems are not carried over.
package convert
