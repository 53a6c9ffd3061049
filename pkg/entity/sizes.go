package entity

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// The size of a document's content is kept beside its title, so that a list can
// show it. Documents of before have none; these functions are the data migration
// that gives it to them, and takes it away again. Programs of before and after
// work side by side: an old one that writes new content leaves contentBytesOf at
// the version before, and a new one then shows no size until the next run.

// errMeanwhile says that a document changed, or went, between read and write.
var errMeanwhile = errors.New("changed meanwhile")

// sizeState is what the migration looks at.
type sizeState struct {
	table.Key
	ID      string `dynamo:"id"`
	Content int64  `dynamo:"contentVersion"`
	Bytes   *int64 `dynamo:"contentBytes"`
	BytesOf int64  `dynamo:"contentBytesOf"`
}

// MeasureDocuments writes the size of the content into those of the documents
// that do not have it, and says how many.
func MeasureDocuments(ctx context.Context, t *table.Table, documents []table.Record) (changed int64, err error) {
	for _, d := range documents {
		done, err := measure(ctx, t, d)
		if err != nil {
			return changed, fmt.Errorf("measure document %s: %w", d.Text("id"), err)
		}
		if done {
			changed++
		}
	}
	return changed, nil
}

func measure(ctx context.Context, t *table.Table, r table.Record) (bool, error) {
	for range attempts {
		var d sizeState
		if err := r.Decode(&d); err != nil {
			return false, err
		}
		if d.Bytes != nil && d.BytesOf == d.Content {
			return false, nil
		}
		found, err := t.GetMany(ctx, []table.Key{table.Document(d.ID), table.DocumentContent(d.ID)}, table.Strong)
		if err != nil {
			return false, err
		}
		now, there := found[table.Document(d.ID)]
		if !there {
			return false, nil // deleted meanwhile
		}
		var c contentItem
		if body, ok := found[table.DocumentContent(d.ID)]; ok {
			if err := body.Decode(&c); err != nil {
				return false, err
			}
		}
		if r = now; c.Version != d.Content {
			continue // somebody is writing it
		}
		err = t.Write(ctx, table.Update(d.Key).Set("contentBytes", int64(len(c.Content))).Set("contentBytesOf", d.Content).
			If("contentVersion = ?", d.Content).Else(errMeanwhile))
		if !errors.Is(err, errMeanwhile) {
			return err == nil, err
		}
	}
	return false, nil // busy; the verification will name it
}

// ForgetSizes takes the sizes away again, and says how many there were.
func ForgetSizes(ctx context.Context, t *table.Table, documents []table.Record) (changed int64, err error) {
	for _, r := range documents {
		var d sizeState
		if err := r.Decode(&d); err != nil {
			return changed, err
		}
		if d.Bytes == nil && d.BytesOf == 0 {
			continue
		}
		err := t.Write(ctx, table.Update(d.Key).Remove("contentBytes").Remove("contentBytesOf").IfExists().Else(errMeanwhile))
		if errors.Is(err, errMeanwhile) {
			continue
		}
		if err != nil {
			return changed, fmt.Errorf("forget size of document %s: %w", d.ID, err)
		}
		changed++
	}
	return changed, nil
}

// WrongSizes gives the ids of the documents whose size is missing or not that of
// their content.
func WrongSizes(ctx context.Context, t *table.Table, documents []table.Record) ([]string, error) {
	var out []string
	for _, r := range documents {
		var d sizeState
		if err := r.Decode(&d); err != nil {
			return nil, err
		}
		var c contentItem
		err := t.Get(ctx, table.DocumentContent(d.ID), table.Strong, &c)
		switch {
		case errors.Is(err, table.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("read document %s: %w", d.ID, err)
		}
		if d.Bytes == nil || d.BytesOf != d.Content || c.Version == d.Content && *d.Bytes != int64(len(c.Content)) {
			out = append(out, d.ID)
		}
	}
	return out, nil
}
