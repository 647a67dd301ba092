package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	sub := w.subscription(app, anyType)
	e := w.event(app, `{"type":"loan.updated","payload":{"a": 1.50, "b":"<&>"}}`)
	out := w.op("GET", "/v1/events/"+e["id"].(string), "")
	out.is(200)
	require.Contains(t, string(out.body), `"payload":{"a": 1.50, "b":"<&>"}`)
	t.Log(string(out.body), sub)
}
