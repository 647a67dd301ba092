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

// How many refused authorisations are logged: whoever tries many keys must not fill the disk. All are counted.
const (
	denialsPerSecond = 5
	denialsAtOnce    = 50
)

// denials logs refused authorisations, so many a second, and says of how many it did not.
type denials struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	skipped int
}

func newDenials() *denials {
	return &denials{limiter: rate.NewLimiter(denialsPerSecond, denialsAtOnce)}
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

// noteDenial counts and logs a request that lacks credentials, has wrong ones (401) or whose role is too low (403).
// Nothing of what the client wrote is in the line, neither the credentials nor the path.
func (s *server) noteDenial(ctx context.Context, c *call, status int, code models.Code) {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
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
