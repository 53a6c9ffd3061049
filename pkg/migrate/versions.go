package migrate

import (
	"context"
	"errors"

	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Migration leads from the version before it to its own.
type Migration struct {
	Version int
	Name    string
	Items   *Items // nil for the first, which makes the table itself
}

// Items is a migration of items of one kind, page by page. Up and Down give how
// many items they changed and may be given a page again; Wrong names the items
// that are not as Up leaves them.
type Items struct {
	PK, SK string // how the keys of the kind begin
	Up     func(ctx context.Context, t *table.Table, page []table.Record) (int64, error)
	Down   func(ctx context.Context, t *table.Table, page []table.Record) (int64, error)
	Wrong  func(ctx context.Context, t *table.Table, page []table.Record) ([]string, error)
}

// Versions are all migrations, in order.
func Versions() []Migration {
	return []Migration{
		{Version: 1, Name: "the table, its index and its time to live"},
		{Version: 2, Name: "the size of a document's content beside its title", Items: &Items{
			PK: table.Document("").PK, SK: table.Document("").SK,
			Up: entity.MeasureDocuments, Down: entity.ForgetSizes, Wrong: entity.WrongSizes,
		}},
	}
}

// ErrInUse says that a table which is to be deleted holds something.
var ErrInUse = errors.New("the table holds something: version 0, which is no table, is for empty ones")
