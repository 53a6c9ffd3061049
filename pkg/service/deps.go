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

	// SessionsEnded is told, after the write, that sessions of a user ended or
	// their role changed, so that a session check cached in this process is
	// dropped at once. Other processes follow within the session-check bound.
	SessionsEnded func(userID string)
}
