package temporaldev

import (
	"log/slog"

	"go.temporal.io/server/common/log"
)

// NewRunningLogger is the server's logger after a complete start.
func NewRunningLogger(out *slog.Logger) log.Logger {
	l := newLogger(out)
	l.state.running.Store(true)
	return l
}

// LoadDynamicConfig parses dynamic config as Start does.
func LoadDynamicConfig(yaml string) error {
	_, err := loadDynamicConfig(yaml)
	return err
}
