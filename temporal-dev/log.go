package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger passes the server's messages at warn and above to slog; below, the
// server narrates. It ends neither the process nor panics, whatever the server
// asks for: see Fatal.
type logger struct {
	out   *slog.Logger
	tags  []tag.Tag
	state *logState
}

// logState is shared by a logger and everything derived from it with With.
type logState struct {
	running atomic.Bool // between a complete start and the begin of the stop

	mu      sync.Mutex
	fatal   error // the first
	early   error // the last one said while the server starts
	repeats map[string]*repeat
}

// repeat counts what was left out of a message since it was last written.
type repeat struct {
	written time.Time
	skipped int
}

// repeatInterval is how long a message is not written again: when the disk
// stalls, each of a hundred calls complains in the same words.
const repeatInterval = 10 * time.Second

var (
	_ log.Logger     = (*logger)(nil)
	_ log.WithLogger = (*logger)(nil)
)

func newLogger(out *slog.Logger) *logger {
	return &logger{out: out, state: &logState{repeats: make(map[string]*repeat)}}
}

// With implements log.WithLogger. The tags are rendered only if a message is
// written, because the server derives loggers on its hot paths.
func (l *logger) With(tags ...tag.Tag) log.Logger {
	return &logger{out: l.out, tags: append(slices.Clip(l.tags), tags...), state: l.state}
}

func (l *logger) Debug(string, ...tag.Tag) {}
func (l *logger) Info(string, ...tag.Tag)  {}

func (l *logger) Warn(msg string, tags ...tag.Tag)   { l.write(slog.LevelWarn, msg, tags) }
func (l *logger) Error(msg string, tags ...tag.Tag)  { l.write(slog.LevelError, msg, tags) }
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.write(slog.LevelError, msg, tags) }

// Fatal ends the calling goroutine: the server expects it not to return, and a
// library must not end the process. During a start the reason becomes Start's
// error, afterwards it is logged.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	l.state.fail(reason(msg, tags))
	l.write(slog.LevelError, msg, tags)
	runtime.Goexit()
}

// Panic is Fatal: the server uses it for broken invariants of one shard.
func (l *logger) Panic(msg string, tags ...tag.Tag) { l.Fatal(msg, tags...) }

// write passes a message on. What is said while the server starts or stops it
// drops: a failure to start is returned, and the server's parts complain about
// each other while they stop (temporalio/temporal#6210).
func (l *logger) write(level slog.Level, msg string, tags []tag.Tag) {
	if !l.state.running.Load() {
		l.state.note(level, msg, tags)
		return
	}
	ctx, now := context.Background(), time.Now()
	if !l.out.Enabled(ctx, level) {
		return
	}
	skipped, ok := l.state.allow(msg, now)
	if !ok {
		return
	}
	fields := make([]any, 0, len(l.tags)+len(tags)+1)
	for _, t := range slices.Concat(l.tags, tags) {
		fields = append(fields, slog.Any(t.Key(), t.Value()))
	}
	if skipped > 0 {
		fields = append(fields, slog.Int("repeated", skipped))
	}
	r := slog.NewRecord(now, level, "temporal: "+msg, 0)
	r.AddAttrs(slog.Group("temporal", fields...))
	_ = l.out.Handler().Handle(ctx, r) // as slog.Logger does
}

// allow says whether a message is due, and how often it was not since the last
// time. The server's messages are constants, so the map stays small.
func (s *logState) allow(msg string, now time.Time) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repeats[msg]
	if r == nil {
		r = new(repeat)
		s.repeats[msg] = r
	}
	if now.Sub(r.written) < repeatInterval {
		r.skipped++
		return 0, false
	}
	skipped, r.skipped, r.written = r.skipped, 0, now
	return skipped, true
}

// reason makes an error from a message and its error tag.
func reason(msg string, tags []tag.Tag) error {
	for _, t := range tags {
		if t.Key() == "error" {
			return fmt.Errorf("%s: %v", msg, t.Value())
		}
	}
	return errors.New(msg)
}

func (s *logState) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == nil {
		s.fatal = err
	}
}

func (s *logState) note(level slog.Level, msg string, tags []tag.Tag) {
	if level < slog.LevelError {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.early = reason(msg, tags)
}

// overrun adds to the error of a start that took too long what the server said
// last.
func (s *logState) overrun(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.early != nil {
		return fmt.Errorf("%w; the server's last error: %w", err, s.early)
	}
	return err
}

// cause prefers the reason the server gave over the error it ended with.
func (s *logState) cause(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.fatal != nil {
		return s.fatal
	}
	return err
}
