package table

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Key is the primary key of an item. Item structs embed it.
type Key struct {
	PK string `dynamo:"PK,hash"`
	SK string `dynamo:"SK,range"`
}

// IndexKey is the key of an item in GSI1, for items that are listed by
// something other than their partition. An empty IndexKey keeps an item out.
type IndexKey struct {
	GSI1PK string `dynamo:"GSI1PK,omitempty" index:"GSI1,hash"`
	GSI1SK string `dynamo:"GSI1SK,omitempty" index:"GSI1,range"`
}

// Sort-key prefixes within a user's partition. They are chosen so that one
// Query reads exactly what one decision needs: ACCESS# for permissions,
// CREDENTIAL#…SESSION#~ for a sign-in, PROFILE…PROFILE~ for the user alone.
const (
	PrefixAccess     = "ACCESS#"
	PrefixCredential = "CREDENTIAL#"
	PrefixProfile    = "PROFILE"
	PrefixSession    = "SESSION#"
	OutboxPrefix     = "OUTBOX#"   // of partitions
	ThrottlePrefix   = "THROTTLE#" // of partitions
	OneTimePrefix    = "TOKEN#"    // of partitions
	endOfProfile     = "PROFILE~"
	endOfSessions    = "SESSION#~"
)

// User is the partition of one user.
func User(userID string) string { return "USER#" + userID }

// UserState is the auth state: status, role, e-mail, what ends sessions.
func UserState(userID string) Key { return Key{User(userID), "PROFILE"} }

// UserProfile is the descriptive profile, when the table is its source.
func UserProfile(userID string) Key { return Key{User(userID), "PROFILE#DATA"} }

// Password is the password credential.
func Password(userID string) Key { return Key{User(userID), PrefixCredential + "PASSWORD"} }

// TOTP is the authenticator-app credential.
func TOTP(userID string) Key { return Key{User(userID), PrefixCredential + "TOTP"} }

// RecoveryCodes are the codes that stand in for a lost authenticator app.
func RecoveryCodes(userID string) Key { return Key{User(userID), PrefixCredential + "RECOVERY"} }

// Session is one refresh token family.
func Session(userID, sessionID string) Key { return Key{User(userID), PrefixSession + sessionID} }

// EmailClaim makes a normalised address unique.
func EmailClaim(normalised string) Key { k := "EMAIL#" + normalised; return Key{k, k} }

// UsernameClaim makes a normalised username unique.
func UsernameClaim(normalised string) Key { k := "USERNAME#" + normalised; return Key{k, k} }

// OneTime is a one-time token by the hex SHA-256 of its secret.
func OneTime(hash string) Key { k := OneTimePrefix + hash; return Key{k, k} }

// Organization is an organization's own item.
func Organization(orgID string) Key { return Key{"ORG#" + orgID, "META"} }

// Invitation is one invitation of an organization.
func Invitation(orgID, inviteID string) Key { return Key{"ORG#" + orgID, "INVITE#" + inviteID} }

// Membership is a user's role in an organization.
func Membership(userID, orgID string) Key { return Key{User(userID), PrefixAccess + "ORG#" + orgID} }

// Entity is an entity's own item.
func Entity(entityID string) Key { return Key{"ENTITY#" + entityID, "META"} }

// Grant is a user's level on an entity.
func Grant(userID, entityID string) Key {
	return Key{User(userID), PrefixAccess + "ENTITY#" + entityID}
}

// Document is a document's own item, without its content.
func Document(docID string) Key { return Key{"DOC#" + docID, "META"} }

// DocumentContent is a document's content.
func DocumentContent(docID string) Key { return Key{"DOC#" + docID, "CONTENT"} }

// Share is a user's level on one document.
func Share(userID, docID string) Key { return Key{User(userID), PrefixAccess + "DOC#" + docID} }

// SuperAdmin is the fact that a user holds the platform role ADMIN, beside
// their other access facts so that one Query reads them all.
func SuperAdmin(userID string) Key { return Key{User(userID), PrefixAccess + "SUPERADMIN"} }

// Delegation is super-admin power lent to a user; scope is "platform" or an
// organization's id.
func Delegation(userID, scope string) Key {
	return Key{User(userID), PrefixAccess + "DELEGATION#" + scope}
}

// DelegationID finds a delegation's key by its id.
func DelegationID(id string) Key { k := "DELEGATION#" + id; return Key{k, k} }

// AdminCount is the counter that keeps the last super admin.
func AdminCount() Key { return Key{"META", "ADMINS"} }

// SchemaVersion is the migration state.
func SchemaVersion() Key { return Key{"META", "SCHEMA"} }

// Audit is one event in a stream (a tenant's, a user's or the platform's),
// partitioned by month.
func Audit(stream string, at time.Time, eventID string) Key {
	at = at.UTC()
	return Key{AuditPartition(stream, at), at.Format("2006-01-02T15:04:05.000Z") + "#" + eventID}
}

// AuditPartition is the partition of a stream's month.
func AuditPartition(stream string, month time.Time) string {
	return "AUDIT#" + stream + "#" + month.UTC().Format("200601")
}

// OutboxShards is how many partitions the outbox is spread over.
const OutboxShards = 8

// Outbox is one mail waiting to be sent. The shard follows from the id, so that
// a retry of the same write meets the same item.
func Outbox(mailID string) Key {
	return Key{OutboxPartition(shardOf(mailID, OutboxShards)), mailID}
}

// OutboxPartition is one shard of the outbox.
func OutboxPartition(shard int) string { return OutboxPrefix + strconv.Itoa(shard) }

// DeadMail is a mail that was given up. Dead mails have a partition of their
// own, so that what is read to send the living does not grow with them.
func DeadMail(mailID string) Key { return Key{DeadMailPartition(), mailID} }

// DeadMailPartition is where every dead mail is.
func DeadMailPartition() string { return "DEADMAIL" }

// LocalMail is one mail in the mailbox of a local deployment.
func LocalMail(mailID string) Key { return Key{LocalMailPartition(), mailID} }

// LocalMailPartition is the mailbox of a local deployment.
func LocalMailPartition() string { return "MAILBOX" }

// Task is work that follows a write and may take many more: a cascade.
func Task(taskID string) Key { return Key{TaskPartition(shardOf(taskID, OutboxShards)), taskID} }

// TaskPartition is one shard of the tasks.
func TaskPartition(shard int) string { return fmt.Sprintf("TASK#%d", shard) }

// Throttle is one counter of one window. kind is the policy's name, subject an
// opaque digest of whom it counts.
func Throttle(kind, subject, window string) Key {
	return Key{ThrottlePrefix + kind + "#" + subject, window}
}

// shardOf spreads ids over n partitions by their last characters, which are
// random in a UUIDv7.
func shardOf(id string, n int) int {
	var h uint32 = 2166136261 // FNV-1a
	for i := max(0, len(id)-12); i < len(id); i++ {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return int(h % uint32(n))
}

// Lists in GSI1. Each gives the index partition and the sort key.

// UserShards is how many index partitions the list of all users is spread over.
const UserShards = 16

// UserListPartition is one shard of the list of all users.
func UserListPartition(shard int) string { return fmt.Sprintf("USERS#%02d", shard) }

// InUserList puts a user into the list of all users, oldest first.
func InUserList(userID string) IndexKey {
	return IndexKey{UserListPartition(shardOf(userID, UserShards)), userID}
}

// OrgMembers is the index partition of an organization's members.
func OrgMembers(orgID string) string { return "ORG#" + orgID + "#MEMBERS" }

// OrgEntities is the index partition of an organization's entities.
func OrgEntities(orgID string) string { return "ORG#" + orgID + "#ENTITIES" }

// InOrgEntities puts an entity into its organization's list, in the order of
// types and then of age, so that one type is one run of it.
func InOrgEntities(orgID, entityType, entityID string) IndexKey {
	return IndexKey{OrgEntities(orgID), OrgEntitiesOfType(entityType) + entityID}
}

// OrgEntitiesOfType is the prefix of the sort keys of one type's entities.
func OrgEntitiesOfType(entityType string) string { return url.QueryEscape(entityType) + "#" }

// OrgShards is how many index partitions the list of all organizations is spread over.
const OrgShards = 8

// OrgListPartitions are the shards of the list of all organizations.
func OrgListPartitions() []string {
	out := make([]string, OrgShards)
	for i := range out {
		out[i] = orgListPartition(i)
	}
	return out
}

func orgListPartition(shard int) string { return fmt.Sprintf("ORGS#%02d", shard) }

// InOrgList puts an organization into the list of all organizations, oldest first.
func InOrgList(orgID string) IndexKey {
	return IndexKey{orgListPartition(shardOf(orgID, OrgShards)), orgID}
}

// OrgGrants is the index partition of all grants and shares below an organization.
func OrgGrants(orgID string) string { return "ORG#" + orgID + "#GRANTS" }

// EntityGrants is the index partition of an entity's grants.
func EntityGrants(entityID string) string { return "ENTITY#" + entityID + "#GRANTS" }

// EntityDocuments is the index partition of an entity's documents.
func EntityDocuments(entityID string) string { return "ENTITY#" + entityID + "#DOCS" }

// DocumentShares is the index partition of a document's shares.
func DocumentShares(docID string) string { return "DOC#" + docID + "#SHARES" }

// Delegations is the index partition of every delegation in force.
func Delegations() string { return "DELEGATIONS" }

// IDFrom gives what follows the last '#' of a key part.
func IDFrom(part string) string { return part[strings.LastIndexByte(part, '#')+1:] }
