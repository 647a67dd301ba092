package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// Prometheus' own parser takes the rules, and the documentation has each of them. That their metrics exist, and that they
// fire, is shown on a running system: internal/app.
func TestAlertRulesLoadAndAreDocumented(t *testing.T) {
	t.Parallel()
	groups, faults := rulefmt.ParseFile("prometheus/alerts.yaml", false)
	require.Empty(t, faults)
	docs, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			name := rule.Alert.Value
			require.False(t, names[name], name)
			names[name] = true
			require.Contains(t, string(docs), "`"+name+"`")
			require.Contains(t, []string{"critical", "warning", "info"}, rule.Labels["severity"], name)
			require.NotEmpty(t, rule.Annotations["summary"], name)
			require.NotEmpty(t, rule.Annotations["description"], name)
			require.LessOrEqual(t, time.Duration(rule.For), 15*time.Minute, name)
		}
	}
	require.NotEmpty(t, names)
}

// What Grafana needs of a dashboard: panels with ids of their own, on the grid, whose expressions Prometheus can parse.
func TestDashboardLoads(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("grafana/posthorn.json")
	require.NoError(t, err)
	var dashboard struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Targets     []struct{ RefID, Expr, LegendFormat string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.Equal(t, "Posthorn", dashboard.Title)
	require.NotEmpty(t, dashboard.UID)
	require.NotZero(t, dashboard.SchemaVersion)
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		require.False(t, ids[panel.ID], panel.Title)
		ids[panel.ID] = true
		require.NotEmpty(t, panel.Title)
		require.LessOrEqual(t, panel.GridPos.X+panel.GridPos.W, 24, panel.Title)
		require.Positive(t, panel.GridPos.H, panel.Title)
		require.Equal(t, panel.Type != "row", len(panel.Targets) > 0, panel.Title)
		for _, target := range panel.Targets {
			require.NotEmpty(t, target.LegendFormat, panel.Title)
			_, err := parser.ParseExpr(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
			require.NoError(t, err, panel.Title)
		}
	}
}
