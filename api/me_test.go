package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAKeyIsToldWhatItIsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	operator := w.op("GET", "/v1/me", "").is(200)
	require.Equal(t, map[string]any{"role": "operator", "key_id": nil, "application_id": nil, "application_name": nil}, operator)
	for _, role := range []string{"admin", "member", "publisher"} {
		me := w.do(w.key(app, role), "GET", "/v1/me", "").is(200)
		require.Equal(t, role, me["role"])
		require.Equal(t, app, me["application_id"])
		require.Equal(t, "Shop", me["application_name"])
		require.True(t, models.IsID(me["key_id"].(string)))
	}
	require.Nil(t, w.do(w.key("", "publisher"), "GET", "/v1/me", "").is(200)["application_id"])
}

func TestAnApplicationsProfileHasItsOverrides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", `,"overrides":{"timeout":"3s"}`)
	p := w.do(w.key(app, "member"), "GET", "/v1/applications/"+app+"/profile", "").is(200)
	require.Equal(t, "3s", p["timeout"])
	require.Equal(t, "standard", p["name"])
}

// A check answers what the creation would, and creates nothing.
func TestASubscriptionIsCheckedWithoutBeingCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("aria", "")
	path := "/v1/applications/" + app + "/subscriptions"
	for _, body := range []string{
		`{}`, `{"url":"http://example.com","event_types":["none"],"security_key":"x","filter":"1 +"}`,
		`{"url":"https://127.0.0.1/","event_types":["advance.created"]}`, `{"url":1}`, `[]`,
	} {
		checked, created := w.op("POST", path+"/validate", body), w.op("POST", path, body)
		require.Equal(t, created.status, checked.status, body)
		require.GreaterOrEqual(t, checked.status, 400, body)
		a, b := checked.is(created.status), created.is(created.status)
		require.Equal(t, b["errors"], a["errors"], body)
		require.Equal(t, b["code"], a["code"], body)
	}
	good := `{"url":"https://example.com/hook","event_types":["advance.created"]}`
	require.Equal(t, []any{"event type advance.created is deprecated"}, w.op("POST", path+"/validate", good).is(200)["warnings"])
	require.Empty(t, w.op("GET", path, "").is(200)["items"])
	require.Empty(t, w.op("GET", "/v1/audit?action=create-subscription", "").is(200)["items"])
}

func TestATimelineHasEveryPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	path := "/v1/applications/" + app + "/timeline"
	got := w.op("GET", path+"?hours=1", "").is(200)
	require.Len(t, got["parts"], 24)
	require.Equal(t, "2m30s", got["width"])
	part := got["parts"].([]any)[0].(map[string]any)
	require.Equal(t, json.Number("0"), part["succeeded"])
	require.Nil(t, part["p95_ms"])
	for _, query := range []string{"?hours=0", "?hours=721", "?hours=x", "?subscription_id=x"} {
		require.Equal(t, 422, w.op("GET", path+query, "").status, query)
	}
}
