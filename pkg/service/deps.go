package service

import (
	"log/slog"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Deps is what services are made from. All fields are required.
type Deps struct {
	Config config.Config
	Table  *table.Table
	Now    func() time.Time
	Log    *slog.Logger
}
