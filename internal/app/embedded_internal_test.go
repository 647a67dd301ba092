// Tests of what a process makes of its settings.

package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/testpg"
)

func TestNAT64IsLetThroughWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	const public, private = "https://[64:ff9b::808:808]/", "https://[64:ff9b::a00:1]/" // 8.8.8.8, 10.0.0.1
	for _, allowed := range []bool{false, true} {
		client := guarded(t, config.Config{EgressAllowNAT64: allowed})
		require.Equal(t, allowed, client.CheckURL(public) == nil)
		require.Error(t, client.CheckURL(private))
	}
}

func guarded(t *testing.T, cfg config.Config) *egress.Client {
	t.Helper()
	guard, err := egressConfig(cfg, Roles{})
	require.NoError(t, err)
	client, err := egress.New(guard)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestPostgresConnectionsAreThoseOfTheSetting(t *testing.T) {
	t.Parallel()
	url := testpg.URL(t)
	for set, want := range map[int]int{0: 20, 2: 2, 35: 35} {
		a := &App{cfg: config.Config{DatabaseURL: url, DatabaseConnections: set}, roles: Roles{Embedded: true}}
		require.NoError(t, a.openStore(t.Context()))
		pool, err := a.store.SQL()
		require.NoError(t, err)
		require.Equal(t, want, pool.Stats().MaxOpenConnections)
		require.NoError(t, a.Stop(t.Context()))
	}
}
