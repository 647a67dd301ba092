package app_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/models"
)

// audit lists the audit log of an application, newest first.
func (w *world) audit(application string) []object {
	w.t.Helper()
	var list []object
	for _, item := range w.call("GET", "/v1/audit?application_id="+application, nil, 200)["items"].([]any) {
		list = append(list, item.(map[string]any))
	}
	return list
}

func TestTheAuditLogTellsWhatBecameOfAnApplication(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receiver := newSink(t, status(500)...)
		application := w.application("thredd", "")
		made := w.call("POST", "/v1/applications/"+application+"/keys", object{"role": "admin", "name": "κλειδί"}, 201)
		admin, key := w.as(made["key"].(string)), made["id"].(string)
		const credential = "Bearer a-credential-of-the-receiver"
		sub := admin.subscription(application, receiver.URL, object{
			"event_types": []string{}, "headers": object{"Authorization": credential},
		})["id"].(string)
		admin.call("POST", "/v1/subscriptions/"+sub+"/disable", nil, 200)
		began := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
		admin.call("DELETE", "/v1/keys/"+models.NewID(), nil, 404)
		header := http.Header{"X-Request-Id": {"from-the-test"}}
		code, _ := admin.raw("DELETE", "/v1/subscriptions/"+sub, nil, header)
		require.Equal(t, 204, code)
		admin.call("GET", "/v1/audit?application_id="+application, nil, 403)

		denied := w.call("GET", "/v1/audit?denied=true&application_id="+application, nil, 200)["items"].([]any)
		require.Len(t, denied, 1)
		require.Equal(t, "list-audit-entries", denied[0].(map[string]any)["action"])
		list := w.audit(application)
		var actions []any
		for _, entry := range list {
			actions = append(actions, entry["action"])
			require.Equal(t, "127.0.0.1", entry["remote_address"])
			require.Equal(t, application, entry["application_id"])
			require.Greater(t, entry["created_at"], began)
		}
		require.Equal(t, []any{
			"delete-subscription", "disable-subscription", "create-subscription", "create-key", "create-application",
		}, actions)
		require.Equal(t, []any{key, "admin", "subscription", sub, "from-the-test"}, []any{
			list[0]["actor"], list[0]["role"], list[0]["subject_type"], list[0]["subject_id"], list[0]["request_id"],
		})
		require.Equal(t, map[string]any{"Authorization": "***"}, list[2]["detail"].(map[string]any)["headers"])
		require.Equal(t, []any{"operator", key}, []any{list[3]["actor"], list[3]["subject_id"]})
		_, text := w.raw("GET", "/v1/audit?limit=500", nil, nil)
		require.False(t, bytes.Contains(text, []byte(credential)))
		require.False(t, bytes.Contains(text, []byte(made["key"].(string))))
	})
}

func TestTheCommandLineIsInTheAuditLogToo(t *testing.T) {
	t.Parallel()
	cfg := external(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), "127.0.0.1:1")
	w := start(t, cfg, app.Roles{API: true})
	application := w.application("standard", "")
	_, err := app.CreateKey(t.Context(), cfg, "admin", application, "test")
	require.NoError(t, err)
	listed, err := app.ListKeys(t.Context(), cfg, application)
	require.NoError(t, err)
	require.NoError(t, app.RevokeKey(t.Context(), cfg, listed[0].ID))
	require.Error(t, app.RevokeKey(t.Context(), cfg, listed[0].ID))
	list := w.audit(application)
	require.Len(t, list, 3)
	for i, action := range []string{"revoke-key", "create-key"} {
		require.Equal(t, []any{action, "operator", listed[0].ID, nil, nil}, []any{
			list[i]["action"], list[i]["actor"], list[i]["subject_id"], list[i]["remote_address"], list[i]["request_id"],
		})
	}
}

// Keys are looked up for every request, and no process remembers one.
func TestARevokedKeyIsRefusedByEveryProcessWithinASecond(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := external(t, database(t), "127.0.0.1:1")
			one, other := start(t, cfg, app.Roles{API: true}), start(t, cfg, app.Roles{API: true})
			application := one.application("standard", "")
			made := one.call("POST", "/v1/applications/"+application+"/keys", object{"role": "member", "name": "k"}, 201)
			const anything = "/v1/source-ips"
			member := other.as(made["key"].(string))
			member.call("GET", anything, nil, 200)
			one.call("DELETE", "/v1/keys/"+made["id"].(string), nil, 204)
			revoked := time.Now()
			code, _ := member.raw("GET", anything, nil, nil)
			require.Equal(t, 401, code)
			require.Less(t, time.Since(revoked), time.Second)
		})
	}
}
