package app_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP collector that keeps in memory what it is sent.
type collector struct {
	url string
	mu  sync.Mutex
	all []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.url = newReceiver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collectorpb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.all = append(c.all, scope.GetSpans()...)
			}
		}
	})).URL
	return c
}

// spans are those of one trace, in the order in which they began.
func (c *collector) spans(traceID string) []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []*tracepb.Span
	for _, span := range c.all {
		if hex.EncodeToString(span.GetTraceId()) == traceID {
			spans = append(spans, span)
		}
	}
	slices.SortFunc(spans, func(a, b *tracepb.Span) int {
		return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano())
	})
	return spans
}

// path is the names of a span and of those above it, the topmost first; the last of those is nobody's here.
func path(spans []*tracepb.Span, span *tracepb.Span) (names []string, top string) {
	names, top = []string{span.GetName()}, hex.EncodeToString(span.GetParentSpanId())
	for {
		above := slices.IndexFunc(spans, func(s *tracepb.Span) bool { return hex.EncodeToString(s.GetSpanId()) == top })
		if above < 0 {
			slices.Reverse(names)
			return names, top
		}
		names, top = append(names, spans[above].GetName()), hex.EncodeToString(spans[above].GetParentSpanId())
	}
}

// attempts are the spans of attempts.
func attempts(spans []*tracepb.Span) (list []*tracepb.Span) {
	for _, span := range spans {
		if span.GetName() == "attempt" {
			list = append(list, span)
		}
	}
	return list
}

// drawing is a trace for people: one line for each span, below the one that it is part of, with times in ms.
func drawing(spans []*tracepb.Span) string {
	var out strings.Builder
	for _, span := range spans {
		names, _ := path(spans, span)
		name := strings.Repeat("  ", len(names)-1) + span.GetName()
		began := float64(span.GetStartTimeUnixNano()-spans[0].GetStartTimeUnixNano()) / 1e6
		took := float64(span.GetEndTimeUnixNano()-span.GetStartTimeUnixNano()) / 1e6
		_, _ = fmt.Fprintf(&out, "%-28s %8.1f %8.1f  %s\n", name, began, took, details(span, spans[0].GetStartTimeUnixNano()))
	}
	return out.String()
}

// details are the attributes that tell one attempt from another, and the events.
func details(span *tracepb.Span, start uint64) string {
	var parts []string
	for _, a := range span.GetAttributes() {
		switch key := a.GetKey(); key {
		case "posthorn.attempt", "http.response.status_code":
			parts = append(parts, fmt.Sprintf("%s=%d", key, a.GetValue().GetIntValue()))
		case "temporal.workflow_id", "posthorn.kind":
			parts = append(parts, key+"="+a.GetValue().GetStringValue())
		}
	}
	for _, e := range span.GetEvents() {
		parts = append(parts, fmt.Sprintf("[%s %.1f]", e.GetName(), float64(e.GetTimeUnixNano()-start)/1e6))
	}
	return strings.Join(parts, " ")
}

func requireEvents(t *testing.T, span *tracepb.Span, want ...string) {
	t.Helper()
	var names []string
	for _, e := range span.GetEvents() {
		names = append(names, e.GetName())
	}
	require.Equal(t, want, names)
}
