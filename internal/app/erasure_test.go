package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storetest"
)

// erasure asks for one, body as JSON, and returns its id.
func (w *world) erasure(body object) string {
	w.t.Helper()
	return w.call("POST", "/v1/erasures", body, 202)["id"].(string)
}

// erased waits for the end of an erasure and returns its record.
func (w *world) erased(id string) object {
	w.t.Helper()
	var record object
	require.Eventually(w.t, func() bool {
		record = w.call("GET", "/v1/erasures/"+id, nil, 200)
		return record["state"] == "completed"
	}, patience, 20*time.Millisecond, "the erasure did not end")
	return record
}

// canaryOf is a text that nothing else has in it.
func canaryOf(t *testing.T) string {
	t.Helper()
	return "canary-" + strings.ReplaceAll(fmt.Sprintf("%p", t), "0x", "") + "-" + fmt.Sprint(time.Now().UnixNano())
}

// newEcho is a receiver that answers what it was sent.
func newEcho(t *testing.T, status int) *httptest.Server {
	t.Helper()
	return newReceiver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.Copy(w, r.Body)
	}))
}

func TestAnErasedEntityIsNowhere(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		canary := canaryOf(t)
		echo, failing := newEcho(t, 200), newEcho(t, 500)
		slow := newSink(t, answer{status: 200, after: 2 * time.Second})
		app := w.application("standard", `{"retry":{"kind":"fixed","interval":"1h"},"ordering":{"kind":"fifo","key":"entity"}}`)
		w.subscription(app, echo.URL, nil)
		w.subscription(app, failing.URL, nil)
		w.subscription(app, slow.URL, nil)
		body := func(entity string) string {
			return fmt.Sprintf(`{"type":"a.b","entity_id":%q,"idempotency_key":"key of %s","payload":{"is":%q}}`, entity, entity, entity)
		}
		event, ids := w.published(app, body(canary))
		other, others := w.published(app, body("another"))
		w.becomes(ids[0], "succeeded")
		w.becomes(ids[1], "retrying")
		w.becomes(others[0], "succeeded")
		w.call("POST", "/v1/applications/"+app+"/redeliveries", object{"ids": []string{ids[0], others[0]}}, 202)
		slow.await(1)
		require.NotEmpty(t, storetest.Holding(storetest.Dump(t, w.app.Store()), canary), "what is looked for can be found")

		id := w.erasure(object{"application_id": app, "entity_id": canary, "reason": "asked for by the customer"})
		record := w.erased(id)

		removed := record["removed"].(map[string]any)
		require.Equal(t, []any{1.0, 3.0}, []any{removed["events"], removed["invocations"]})
		require.GreaterOrEqual(t, removed["attempts"], 3.0)
		require.Nil(t, record["entity_id"])
		for _, path := range []string{"/v1/events/" + event, "/v1/invocations/" + ids[0], "/v1/invocations/" + ids[2] + "/logs"} {
			w.call("GET", path, nil, 404)
		}
		require.Empty(t, w.call("GET", "/v1/applications/"+app+"/events?entity_id="+canary, nil, 200)["items"])
		w.call("GET", "/v1/events/"+other, nil, 200)
		require.NotEmpty(t, w.logs(others[0]))
		w.becomes(others[2], "succeeded")
		require.Empty(t, storetest.Holding(storetest.Dump(t, w.app.Store()), canary))
		found := w.call("GET", "/v1/erasures?application_id="+app+"&entity_id="+canary, nil, 200)["items"].([]any)
		require.Equal(t, id, found[0].(map[string]any)["id"], "who knows the entity finds the record")
		entries := w.audit(app)
		require.Equal(t, []any{"complete-erasure", id, removed}, []any{entries[0]["action"], entries[0]["subject_id"], entries[0]["detail"]})
		require.Equal(t, []any{"create-erasure", id}, []any{entries[1]["action"], entries[1]["subject_id"]})
		w.workflowCloses("invocation/" + ids[1]) // nothing waits an hour for what is gone
		again, _ := w.published(app, body(canary))
		require.NotEqual(t, event, again)
		w.erased(w.erasure(object{"application_id": app, "entity_id": canary, "reason": "r"}))
	})
}

func TestAnErasedTenantIsNowhere(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		canary := canaryOf(t)
		receiver := newSink(t, answer{status: 200, body: canary})
		app := w.call("POST", "/v1/applications", object{
			"name": canary, "external_id": canary, "profile": "standard", "overrides": object{"retry": object{"kind": "fixed", "interval": "1h"}},
		}, 201)["id"].(string)
		admin := w.as(w.newKey(app, "admin"))
		sub := admin.subscription(app, receiver.URL+"/"+canary, object{"name": canary, "filter": `entity_id == "` + canary + `"`})["id"].(string)
		_, ids := w.published(app, fmt.Sprintf(`{"type":"a.b","entity_id":%q,"payload":{"is":%q}}`, canary, canary))
		w.becomes(ids[0], "succeeded")
		receiver.answers(answer{status: 500, body: canary})
		_, open := w.published(app, fmt.Sprintf(`{"type":"a.b","entity_id":%q,"payload":{"is":%q}}`, canary, canary))
		w.becomes(open[0], "retrying")
		admin.call("POST", "/v1/subscriptions/"+sub+"/test", nil, 202)
		receiver.await(3)
		require.NotEmpty(t, storetest.Holding(storetest.Dump(t, w.app.Store()), canary))

		id := w.erasure(object{"application_id": app, "reason": "the contract ended"})
		status, _ := admin.raw("GET", "/v1/subscriptions/"+sub, nil, nil)
		require.Equal(t, 401, status, "its keys open nothing from the 202 on")
		record := w.erased(id)

		removed := record["removed"].(map[string]any)
		require.Equal(t, []any{2.0, 3.0, 1.0, 1.0}, []any{
			removed["events"], removed["invocations"], removed["subscriptions"], removed["keys"],
		})
		w.call("GET", "/v1/applications/"+app, nil, 404)
		require.Empty(t, storetest.Holding(storetest.Dump(t, w.app.Store()), canary))
		actions := map[any]bool{}
		for _, entry := range w.audit(app) {
			actions[entry["action"]] = true
		}
		require.True(t, actions["create-application"] && actions["create-subscription"], "who did what is kept")
		w.call("POST", "/v1/erasures", object{"application_id": app, "reason": "again"}, 422)
	})
}

// An erasure goes on where it was after its process was killed: what was removed stays removed and counted once, what
// was in flight then is removed with the rest.
func TestAnErasureSurvivesACrash(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const events = 250 // more than a batch
			canary := canaryOf(t)
			hanging := newSink(t, answer{hang: true})
			dir, url := t.TempDir(), database(t)
			w, process := spawn(t, dir, url)
			app := w.application("standard", `{"timeout":"60s","retry":{"kind":"fixed","interval":"1h"}}`)
			batch := make([]string, events)
			for i := range batch {
				batch[i] = fmt.Sprintf(`{"type":"a.b","entity_id":%q,"payload":{"is":%q}}`, canary, canary)
			}
			w.call("POST", "/v1/applications/"+app+"/events/batch", `{"events":[`+strings.Join(batch, ",")+`]}`, 202)
			w.subscription(app, hanging.URL, nil)
			w.publish(app, batch[0])
			hanging.await(1)
			id := w.erasure(object{"application_id": app, "entity_id": canary, "reason": "r"})
			require.Eventually(t, func() bool {
				record := w.call("GET", "/v1/erasures/"+id, nil, 200)
				return record["removed"].(map[string]any)["events"] == float64(events)
			}, patience, 10*time.Millisecond, "all but the one in flight")
			require.Equal(t, "running", w.call("GET", "/v1/erasures/"+id, nil, 200)["state"])
			kill(t, process)

			w, process = spawn(t, dir, url)
			record := w.erased(id)
			require.InDelta(t, events+1, record["removed"].(map[string]any)["events"], 0)
			kill(t, process)
			opened, err := store.Open(t.Context(), store.Options{URL: url})
			require.NoError(t, err)
			t.Cleanup(opened.Close)
			require.Empty(t, storetest.Holding(storetest.Dump(t, opened), canary))
		})
	}
}
