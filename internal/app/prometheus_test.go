package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
)

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	dashboardFile = "../../deploy/grafana/posthorn.json"
)

// alerts are the expressions of the alert rules by name.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	groups, faults := rulefmt.ParseFile(alertsFile, false)
	require.Empty(t, faults)
	rules := map[string]string{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			rules[rule.Alert.Value] = rule.Expr.Value
		}
	}
	return rules
}

// charts are the expressions of the dashboard by panel, with Grafana's own variable filled in.
func charts(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	found := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found[panel.Title+" "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
		}
	}
	return found
}

// metricsOf are the names that an expression asks for.
func metricsOf(t *testing.T, expression string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseExpr(expression)
	require.NoError(t, err, expression)
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			names = append(names, selector.Name)
		}
		return nil
	})
	require.NotEmpty(t, names, expression)
	return names
}

// samples is a Prometheus as small as can be: it keeps what was scraped, by the text of its labels.
type samples struct {
	t      *testing.T
	series map[string]*storage.SeriesEntry
	points map[string][]chunks.Sample
}

func newSamples(t *testing.T) *samples {
	t.Helper()
	return &samples{t: t, series: map[string]*storage.SeriesEntry{}, points: map[string][]chunks.Sample{}}
}

// scrape keeps what a process shows, as of a time of the test's own.
func (s *samples) scrape(w *world, at time.Time) {
	s.t.Helper()
	status, text := w.raw("GET", "/metrics", nil, nil)
	require.Equal(s.t, 200, status)
	entries := textparse.NewPromParser(text, labels.NewSymbolTable())
	for {
		kind, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(s.t, err)
		if kind != textparse.EntrySeries {
			continue
		}
		_, _, value := entries.Series()
		var lset labels.Labels
		entries.Metric(&lset)
		b := labels.NewBuilder(lset) // an empty label is none, to Prometheus
		b.Set("instance", w.url)
		s.add(b.Labels().WithoutEmpty(), point{at.UnixMilli(), value})
	}
}

func (s *samples) add(lset labels.Labels, p point) {
	key := lset.String()
	s.points[key] = append(s.points[key], p)
	s.series[key] = storage.NewListSeries(lset, s.points[key])
}

// has reports whether a metric was scraped.
func (s *samples) has(name string) bool {
	for _, series := range s.series {
		if series.Labels().Get(labels.MetricName) == name {
			return true
		}
	}
	return false
}

// fires reports whether an alert's expression is true.
func (s *samples) fires(expression string, at time.Time) bool {
	s.t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1 << 20, Timeout: patience})
	defer func() { require.NoError(s.t, engine.Close()) }()
	query, err := engine.NewInstantQuery(s.t.Context(), &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return s.selected(matchers)
		},
	}}, nil, expression, at)
	require.NoError(s.t, err)
	defer query.Close()
	result := query.Exec(s.t.Context())
	require.NoError(s.t, result.Err, expression)
	vector, err := result.Vector()
	require.NoError(s.t, err, expression)
	return len(vector) > 0
}

func (s *samples) selected(matchers []*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, series := range s.series {
		matches := func(m *labels.Matcher) bool { return m.Matches(series.Labels().Get(m.Name)) }
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !matches(m) }) {
			set.series = append(set.series, series)
		}
	}
	slices.SortFunc(set.series, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

// firing are the alerts whose expressions are true.
func (s *samples) firing(rules map[string]string, at time.Time) (names []string) {
	s.t.Helper()
	for name, expression := range rules {
		if s.fires(expression, at) {
			names = append(names, name)
		}
	}
	return names
}

// point is a sample as Prometheus' engine takes it.
type point struct {
	at    int64
	value float64
}

func (p point) T() int64                      { return p.at }
func (p point) F() float64                    { return p.value }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool {
	s.at++
	return s.at < len(s.series)
}

func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// Every metric of ours that the documentation names is one that there is, and the other way round.
func requireDocumented(t *testing.T, s *samples) {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	histogramPart := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, series := range s.series {
		name := series.Labels().Get(labels.MetricName)
		if strings.HasPrefix(name, "posthorn_") {
			require.Contains(t, string(text), "`"+histogramPart.ReplaceAllString(name, "")+"`")
		}
	}
	for _, quoted := range regexp.MustCompile("`((posthorn|temporal)_[a-z_]+)`").FindAllSubmatch(text, -1) {
		name := string(bytes.Trim(quoted[1], "`"))
		require.True(t, s.has(name) || s.has(name+"_count"), name)
	}
}
