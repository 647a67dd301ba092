package config_test

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
)

func TestDocumentIsTheOneGenerated(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/config.md")
	require.NoError(t, err)
	require.Equal(t, config.Markdown(), string(document), "run make docs")
}

func TestDocumentedFlagsAreTheRealOnes(t *testing.T) {
	t.Parallel()
	var c config.Config
	parser, err := kong.New(&c, kong.Exit(func(int) {}))
	require.NoError(t, err)
	for _, flag := range parser.Model.Flags {
		if flag.Name == "help" {
			continue
		}
		require.Contains(t, config.Markdown(), "| `--"+flag.Name+"` |")
		require.NotEmpty(t, flag.Envs, "flag %s has no variable", flag.Name)
		require.NotEmpty(t, flag.Help, "flag %s has no meaning", flag.Name)
	}
}

func TestValidateNamesFlagAndVariable(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]config.Config{
		"--operator-key (POSTHORN_OPERATOR_KEY)":                     {OperatorKey: "short"},
		"--egress-allow-cidrs (POSTHORN_EGRESS_ALLOW_CIDRS)":         {EgressAllowCIDRs: []string{"10.0.0.0"}},
		"--source-ips-demo (POSTHORN_SOURCE_IPS_DEMO)":               {SourceIPsDemo: []string{"localhost"}},
		"--egress-deny-cidrs (POSTHORN_EGRESS_DENY_CIDRS)":           {EgressDenyCIDRs: []string{"10.0.0.1"}},
		"--egress-bind-address (POSTHORN_EGRESS_BIND_ADDRESS)":       {EgressBindAddress: "eth0"},
		"--temporal-ui-url (POSTHORN_TEMPORAL_UI_URL)":               {TemporalUIURL: "ui"},
		"--rate-limit-key (POSTHORN_RATE_LIMIT_KEY)":                 {RateLimitKey: math.NaN()},
		"--rate-limit-application (POSTHORN_RATE_LIMIT_APPLICATION)": {RateLimitApplication: -1},
		"--database-connections (POSTHORN_DATABASE_CONNECTIONS)":     {DatabaseConnections: 1},
		"--retention (POSTHORN_RETENTION)":                           {Retention: time.Hour - 1},
	} {
		require.ErrorContains(t, c.Validate(), want)
	}
	require.NotContains(t, (&config.Config{OperatorKey: "secret-text"}).Validate().Error(), "secret-text")
	require.NoError(t, (&config.Config{}).Validate())
	require.ErrorContains(t, (&config.Config{Retention: -time.Hour}).Validate(), "POSTHORN_RETENTION")
	require.NoError(t, (&config.Config{Retention: time.Hour}).Validate())
	require.ErrorContains(t, (&config.Config{DatabaseConnections: 1001}).Validate(), "must be 2 to 1000")
	require.ErrorContains(t, (&config.Config{DatabaseConnections: -1}).Validate(), "must be 2 to 1000")
	require.NoError(t, (&config.Config{DatabaseConnections: 1000}).Validate())
}

func TestDatabaseDefaultsToAFileInTheDataFolder(t *testing.T) {
	t.Parallel()
	require.Equal(t, "sqlite:data/posthorn.db", (&config.Config{Data: "data"}).Database())
	require.Equal(t, "postgres://x", (&config.Config{DatabaseURL: "postgres://x"}).Database())
}
