package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/posthorn/posthorn/models"
)

// How many refused authorisations are logged, and of each key how many are in the audit log: whoever tries many keys, or
// much with one, must not fill the disk. All are counted.
const (
	denialsPerSecond = 5
	denialsAtOnce    = 50

	auditedDenialsEvery  = time.Minute
	auditedDenialsAtOnce = 10
	// auditDenialTimeout bounds the writing of one: its answer waits for it.
	auditDenialTimeout = 5 * time.Second
)

// denials logs refused authorisations, so many a second, and says of how many it did not.
type denials struct {
	// audited bounds those of each key in the audit log.
	audited *limits

	mu      sync.Mutex
	limiter *rate.Limiter
	skipped int
}

func newDenials() *denials {
	return &denials{
		audited: newLimitsOf(rate.Every(auditedDenialsEvery), auditedDenialsAtOnce, maxLimiters),
		limiter: rate.NewLimiter(denialsPerSecond, denialsAtOnce),
	}
}

// take reports whether one more is to be logged now, and how many were not since the last that was.
func (d *denials) take(now time.Time) (skipped int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.limiter.AllowN(now, 1) {
		d.skipped++
		return 0, false
	}
	skipped, d.skipped = d.skipped, 0
	return skipped, true
}

// noteDenial counts and logs a request that lacks credentials, has wrong ones (401) or whose role is too low (403). The
// latter has somebody who asked, and goes into the audit log. Nothing of what the client wrote is in the line, neither
// the credentials nor the path.
func (s *server) noteDenial(ctx context.Context, c *call, status int, code models.Code) {
	switch status {
	case http.StatusForbidden:
		s.auditDenial(ctx, c)
	case http.StatusUnauthorized:
	default:
		return
	}
	s.Denied(code)
	skipped, ok := s.denials.take(s.Now())
	if !ok {
		return
	}
	s.Logger.LogAttrs(ctx, slog.LevelWarn, "request denied", requestAttr(ctx), slog.String("code", string(code)),
		slog.String("route", c.route.id), slog.String("remote_address", remoteAddress(c.request.RemoteAddr)),
		slog.String("key_id", c.principal.KeyID), slog.String("role", string(c.principal.Role)),
		slog.Int("not_logged_before", skipped))
}

// auditDenial stores who was denied what. A database that does not take it makes the answer no other one.
func (s *server) auditDenial(ctx context.Context, c *call) {
	if s.denials.audited.take(c.principal.KeyID, s.Now()) != nil {
		return
	}
	entry := c.entry
	if entry == nil { // on a route that is not audited, or before its handler
		entry = s.newEntry(ctx, c)
	}
	entry.Denied = true
	if entry.SubjectType == "" {
		entry.SubjectType = subjectDeployment
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditDenialTimeout)
	defer cancel()
	if err := s.Store.NoteDenial(ctx, entry); err != nil {
		s.Logger.WarnContext(ctx, "denial not in the audit log", requestAttr(ctx), slog.Any("error", err))
	}
}
