package app_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/demo"
)

// What `posthorn demo --once` plays: the sample events of all five providers and of Standard Webhooks, delivered to
// receivers that compare every byte and check signatures, keys and order.
func TestDemoDeliversTheSamplesOfEveryProvider(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		var out bytes.Buffer
		err := demo.Run(t.Context(), demo.Options{BaseURL: w.url, OperatorKey: operatorKey, Out: &out, Once: true})
		require.NoError(t, err, out.String())
		require.Contains(t, out.String(),
			"15 events, 18 invocations: 17 delivered and 1 abandoned for a newer one, as must be, in ")
		require.Regexp(t, `senders  \d{2} of \d{2} proven`, out.String(), "Run has compared the numbers")
		require.Contains(t, out.String(), "order    3 of 3 events")
	})
}
