package app_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
)

func TestTheRateLimitsOfTheConfigurationHold(t *testing.T) {
	t.Parallel()
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), "127.0.0.1:1")
	cfg.RateLimitApplication = 0.001
	w := start(t, cfg, app.Roles{API: true})
	application := w.application("standard", "")
	w.call("GET", "/v1/applications/"+application, nil, 200)
	refused := w.call("GET", "/v1/applications/"+application, nil, 429)
	require.Equal(t, "rate_limited", refused["code"])
	w.call("GET", "/v1/applications", nil, 200)
}
