// Package observe is how operators see what happens: the log with one line for each attempt, the metrics, and traces
// where somebody collects them. docs/metrics.md says what each is for.
package observe

import (
	"io"
	"log/slog"
)

// NewLogger logs to w from the given level ("debug", "info", "warn", "error") on, as "text" or "json".
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
