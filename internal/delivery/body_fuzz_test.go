package delivery_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// FuzzBody: whatever is accepted has a body in every provider's form, with the payload in it byte for byte.
func FuzzBody(f *testing.F) {
	registry, err := profiles.New("")
	require.NoError(f, err)
	f.Add([]byte(`{"amount":100.50,"id":"a"}`), "tenant", "", 3)
	f.Add([]byte(` [1e400, "\u0000\ud800", "<&>"] `), "\xff\"\\", "2014-06-18T14:20:30.45+03:00", 0)
	f.Add([]byte(`null`), "", "2026-02-30T00:00:00Z", -1)
	f.Fuzz(func(t *testing.T, payload []byte, tenant, occurredAt string, retry int) {
		if models.CheckPayload(payload) != nil {
			return
		}
		if _, err := time.Parse(time.RFC3339Nano, occurredAt); err != nil {
			occurredAt = ""
		}
		for _, name := range registry.Names() {
			p, ok := registry.Get(name)
			require.True(t, ok)
			body, err := delivery.Body(delivery.Facts{
				Spec: &p.Spec, Payload: payload, Wire: `"t"`, OccurredAt: occurredAt, AcceptedAt: time.Unix(0, 0), EventID: "e",
				Tenant: tenant, Version: tenant, RetryCount: retry,
			})
			require.NoError(t, err, name)
			require.True(t, json.Valid(body), "%s: %s", name, body)
			require.True(t, bytes.Contains(body, payload), name)
		}
	})
}
