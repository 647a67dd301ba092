package temporaldev

import (
	"log/slog"

	"go.temporal.io/server/common/log"

	"github.com/posthorn/posthorn/internal/stmtcache"
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

// LocalMethods is how many methods are served without a network.
func (s *Server) LocalMethods() int { return len(s.engine.local.handlers) }

// KeepsStatements reports whether the files of a server that runs are opened
// through the cache of statements.
func (s *Server) KeepsStatements() (main, visibility bool, err error) {
	keeps := func(file string) (kept bool) {
		db, openErr := openAdmin(sqlConfig(file))
		if openErr != nil {
			err = openErr
			return false
		}
		defer func() { _ = db.Close() }()
		shared := sharedHandle(db)
		return shared != nil && stmtcache.Caches(shared.DB)
	}
	main, visibility = keeps(s.files.main), keeps(s.files.visibility)
	return main, visibility, err
}
