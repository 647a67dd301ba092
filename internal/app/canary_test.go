package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/internal/store/storetest"
)

// logBook keeps a process' whole log.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}

// histories are all workflows' histories, by workflow, once there are as many as expected at least.
func (w *world) histories(least int) map[string][]byte {
	w.t.Helper()
	ctx, temporal := w.t.Context(), w.app.TemporalClient()
	var listed *workflowservice.ListWorkflowExecutionsResponse
	require.Eventually(w.t, func() bool {
		var err error
		listed, err = temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000})
		return err == nil && len(listed.GetExecutions()) >= least
	}, patience, 50*time.Millisecond)
	all := map[string][]byte{}
	for _, execution := range listed.GetExecutions() {
		id := execution.GetExecution()
		var text bytes.Buffer
		_, _ = fmt.Fprintln(&text, execution)
		events := temporal.GetWorkflowHistory(ctx, id.GetWorkflowId(), id.GetRunId(), false,
			enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(w.t, err)
			_, _ = fmt.Fprintln(&text, event)
		}
		all["history of "+id.GetWorkflowId()+" "+id.GetRunId()] = text.Bytes()
	}
	return all
}

// spellings are the forms in which a secret may turn up.
func spellings(text string) []string {
	forms := []string{text, hex.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte(text))}
	if _, material, found := strings.Cut(text, "whsec_"); found {
		raw, _ := base64.StdEncoding.DecodeString(material)
		forms = append(forms, material, string(raw), hex.EncodeToString(raw))
	}
	quoted, _ := json.Marshal(text)
	return append(forms, string(quoted[1:len(quoted)-1]))
}

// search lists where any spelling of the canaries is.
func search(places map[string][]byte, canaries map[string]string) (found []string) {
	for name, canary := range canaries {
		for _, form := range spellings(canary) {
			for _, place := range storetest.Holding(places, form) {
				found = append(found, name+" in "+place)
			}
		}
	}
	return found
}

// canaries is what a test has given the system, by what it is: secrets, and what else is private.
type canaries struct{ secrets, private map[string]string }

// TestNoSecretLeavesItsPlace does all that a deployment does with values that are recognised wherever they turn up: the
// secrets in no log at debug level, no table, no file and no history, payloads in no log and no history.
func TestNoSecretLeavesItsPlace(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			book := &logBook{}
			cfg := embedded(t)
			cfg.OperatorKey, cfg.DatabaseURL, cfg.MasterKeys = "operator-canary-0123456789-0123456789", database(t), secret.GenerateMasterKey()
			logger := slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
			a, err := app.Start(context.WithoutCancel(t.Context()), cfg, everything, "test", logger)
			require.NoError(t, err)
			w := &world{t: t, app: a, cfg: cfg, key: cfg.OperatorKey, url: a.URL()}
			t.Cleanup(w.stop)
			c := canaries{
				secrets: map[string]string{"operator key": cfg.OperatorKey, "master key": cfg.MasterKeys},
				private: map[string]string{},
			}
			controls := w.liveWith(c)

			log, dump, histories := map[string][]byte{"log": book.bytes()}, storetest.Dump(t, a.Store()), w.histories(6)
			t.Logf("%d secrets; log of %d bytes, %d tables and files, %d histories", len(c.secrets), len(log["log"]), len(dump), len(histories))
			for place, hay := range map[string]map[string][]byte{"log": log, "dump": dump, "histories": histories} {
				require.NotEmptyf(t, search(hay, map[string]string{place: controls[place]}), "the search finds what is in the %s", place)
				require.Empty(t, search(hay, c.secrets), "secrets in the %s", place)
				if place != "dump" { // which is where they belong
					require.Empty(t, search(hay, c.private), "private data in the %s", place)
				}
			}
			require.NotEmpty(t, search(dump, c.private))
			planted := map[string][]byte{"planted": []byte("x " + hex.EncodeToString([]byte(c.secrets["admin's key"])))}
			require.Equal(t, []string{"admin's key in planted"}, search(planted, c.secrets), "a single one is noticed")
		})
	}
}

// liveWith has the canaries go everywhere, and returns for each place something that is rightly there.
func (w *world) liveWith(c canaries) (controls map[string]string) {
	t := w.t
	t.Helper()
	c.private["payload"], c.private["entity"], c.private["answer"] = "canary-payload", "canary-entity", "canary-answer"
	c.private["idempotency key"], c.private["url"] = "canary-idempotency", "canary-path"
	receiver := newSink(t, answer{status: 500, body: "canary-answer"}, answer{drop: true}, answer{status: 200, body: "canary-answer"})
	app := w.application("standard", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":9}}`)
	c.secrets["admin's key"] = w.newKey(app, "admin")
	c.secrets["member's key"] = w.newKey(app, "member")
	admin := w.as(c.secrets["admin's key"])
	c.secrets["header"], c.secrets["changed header"] = "Bearer canary-header", "canary-second-header"
	sub := admin.subscription(app, receiver.URL+"/canary-path?token=canary-path", object{
		"headers": object{"Authorization": c.secrets["header"], "X-Api-Key": "canary-api-key"},
	})
	c.secrets["api key header"], c.secrets["signing secret"] = "canary-api-key", sub["secret"].(string)
	hook := "/v1/subscriptions/" + sub["id"].(string)
	const event = `{"type":"a.b","entity_id":"canary-entity","idempotency_key":"canary-idempotency","payload":{"p":"canary-payload"}}`
	published, ids := w.published(app, event)
	w.becomes(ids[0], "succeeded")
	c.secrets["rotated secret"] = admin.rotated(sub["id"].(string), `{"overlap":"1h"}`)
	admin.call("PATCH", hook, object{"headers": object{"X-Second": c.secrets["changed header"]}}, 200)
	admin.call("POST", "/v1/invocations/"+ids[0]+"/redeliver", nil, 202)
	admin.call("POST", hook+"/test", nil, 202)
	receiver.await(5)
	job := admin.call("POST", "/v1/applications/"+app+"/redeliveries", object{"ids": ids}, 202)["id"]
	admin.jobEnds(job, patience)
	w.publish(app, event) // a repeat

	unreachable := newSink(t)
	unreachable.Close()
	gone := w.application("standard", `{"retry":{"kind":"fixed","interval":"20ms","max_attempts":2}}`)
	failing := w.subscription(gone, unreachable.URL+"/canary-path", object{"headers": object{"X-Key": "canary-of-the-lost"}})
	c.secrets["lost header"], c.secrets["lost secret"] = "canary-of-the-lost", failing["secret"].(string)
	_, lost := w.published(gone, `{"type":"a.b","payload":"canary-payload"}`)
	w.becomes(lost[0], "failed")

	alviere := w.application("alviere", "")
	c.secrets["security key"] = "canary-security-key"
	w.alviereSubscription(alviere, "ACCOUNT", receiver.URL, c.secrets["security key"])
	_, sent := w.published(alviere, `{"type":"ACCOUNT","payload":{"p":"canary-payload"}}`)
	w.becomes(sent[0], "succeeded")
	bridge := w.application("bridge", "")
	c.secrets["bridge secret"] = w.subscription(bridge, receiver.URL, object{"event_types": []string{"item.created"}})["secret"].(string)
	_, sent = w.published(bridge, `{"type":"item.created","payload":{"p":"canary-payload"}}`)
	w.becomes(sent[0], "succeeded")

	w.strangers(c, app, hook)
	w.erased(w.erasure(object{"application_id": app, "entity_id": "nobody", "reason": "r"}))
	w.call("DELETE", "/v1/applications/"+alviere, nil, 204)
	return map[string]string{"dump": published, "histories": ids[0], "log": "request-of-the-test"}
}

// strangers come with wrong credentials, and with requests that nothing comes of.
func (w *world) strangers(c canaries, app, hook string) {
	w.t.Helper()
	stranger, err := secret.NewAPIKey("admin")
	require.NoError(w.t, err)
	c.secrets["stranger's key"], c.secrets["stranger's word"] = stranger.Text, "canary-of-a-stranger"
	for _, authorization := range []string{
		"Bearer " + stranger.Text, "Bearer canary-of-a-stranger", "Basic Y2FuYXJ5OmNhbmFyeQ==", "canary-of-a-stranger",
	} {
		got, _ := w.raw("GET", hook, nil, http.Header{
			"Authorization": {authorization}, "X-Request-Id": {"request-of-the-test"}, "Cookie": {"s=canary-of-a-stranger"},
		})
		require.Equal(w.t, 401, got)
	}
	for _, body := range []string{`{"secret":"canary-of-a-stranger"}`, `{"headers":{"X-A":"canary-of-a-stranger\u0000"}}`, `canary-of-a-stranger`} {
		got, _ := w.raw("PATCH", hook, []byte(body), nil)
		require.Contains(w.t, []int{400, 422}, got)
	}
	got, _ := w.as(c.secrets["member's key"]).raw("POST", hook+"/rotate-secret", []byte(`{}`), nil)
	require.Equal(w.t, 403, got)
	got, _ = w.raw("GET", "/v1/applications/"+app+"/events?canary-of-a-stranger=canary-of-a-stranger", nil, nil)
	require.Equal(w.t, 422, got)
}
