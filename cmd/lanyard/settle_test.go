package main

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/migrate"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func TestTheFirstCommandOnADeployedTableNotesItsVersion(t *testing.T) {
	for name, c := range map[string]struct {
		absent  ifAbsent
		version int
	}{
		"one that fills it":  {makeAbsent, len(migrate.Versions())},
		"one that looks":     {reportAbsent, 1},
		"one for what is in": {refuseAbsent, 1},
		"one that rehearses": {pretendAbsent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{table: dynamotest.New(t).Table} // made, as a stack makes it, without a word of its version
			if err := s.prepare(t.Context(), c.absent); err != nil {
				t.Fatal(err)
			}
			m, err := migrate.New(s.table, migrate.Options{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if st, err := m.Status(t.Context()); err != nil || st.Version != c.version {
				t.Errorf("%+v %v", st, err)
			}
		})
	}
	// Without the table, or the right to look, the command goes on.
	s := &store{table: table.New(dynamotest.Config(), "absent", table.Options{Transport: dynamotest.New(t).Transport})}
	if err := s.prepare(t.Context(), makeAbsent); err != nil {
		t.Error(err)
	}
}
