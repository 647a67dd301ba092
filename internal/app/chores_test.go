package app_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/secret"
)

func TestSecretsRotateLetsTheOldMasterKeyGo(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := external(t, database(t), "127.0.0.1:1")
			old := cfg.MasterKeys
			w := boot(t, cfg, app.Roles{API: true})
			application := w.application("standard", "")
			sub := "/v1/subscriptions/" + w.subscription(application, "https://example.com/", nil)["id"].(string)
			w.stop()

			cfg.MasterKeys = secret.GenerateMasterKey() + "," + old
			changed, err := app.RotateSecrets(t.Context(), cfg)
			require.NoError(t, err)
			require.Equal(t, 1, changed)
			changed, err = app.RotateSecrets(t.Context(), cfg)
			require.NoError(t, err)
			require.Zero(t, changed, "it was done already")

			cfg.MasterKeys = old
			start(t, cfg, app.Roles{API: true}).call("GET", sub, nil, 500)
		})
	}
}

func TestKeysOfTheCommandLineOpenTheAPI(t *testing.T) {
	t.Parallel()
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), "127.0.0.1:1")
	w := start(t, cfg, app.Roles{API: true})
	key, err := app.CreateKey(t.Context(), cfg, "operator", "", "test")
	require.NoError(t, err)
	w.as(key).call("GET", "/v1/applications", nil, 200)
	listed, err := app.ListKeys(t.Context(), cfg, "")
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.NoError(t, app.RevokeKey(t.Context(), cfg, listed[0].ID))
	w.as(key).call("GET", "/v1/applications", nil, 401)
}
