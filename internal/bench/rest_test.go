package main

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Temporal UI's server leaves out members that are 0.
func TestAtRestWaitsUntilWorkflowsAreClosed(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	ui := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := `{}`
		if asked.Add(1) < 3 {
			answer = `{"count":"12"}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer ui.Close()
	s := &system{children: []*child{{Process: sleeping(t)}}, uiURL: ui.URL}
	at, err := s.atRest(t.Context())
	require.NoError(t, err)
	require.Zero(t, at.running)
	require.Positive(t, at.peakRSS)
	require.EqualValues(t, 3, asked.Load())
}

func TestAtRestFailsWithoutTheUI(t *testing.T) {
	t.Parallel()
	ui := httptest.NewServer(http.NotFoundHandler())
	defer ui.Close()
	_, err := (&system{uiURL: ui.URL}).atRest(t.Context())
	require.ErrorContains(t, err, "404")
}
