package app_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/models"
)

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
	callers      = "00-" + callersTrace + "-" + callersSpan + "-01"
)

// publishedUnder publishes an event with the header traceparent and returns its id and its invocations'.
func (w *world) publishedUnder(traceparent, app, body string) (event string, invocations []string) {
	w.t.Helper()
	header := http.Header{}
	if traceparent != "" {
		header.Set("Traceparent", traceparent)
	}
	status, text := w.raw("POST", "/v1/applications/"+app+"/events", []byte(body), header)
	require.Equalf(w.t, 202, status, "%s", text)
	var answer struct {
		ID          string
		Invocations []struct{ ID string }
	}
	require.NoError(w.t, json.Unmarshal(text, &answer))
	for _, i := range answer.Invocations {
		invocations = append(invocations, i.ID)
	}
	return answer.ID, invocations
}

const tracedOverrides = `{"traceparent":true,"retry":{"kind":"fixed","interval":"20ms","max_attempts":5}}`

func TestReceiversGetTheTraceContextWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		const event = `{"type":"a.b","payload":{}}`
		app := w.application("standard", tracedOverrides)
		for name, given := range map[string]string{"given": callers, "none": "", "not valid": "00-" + callersTrace + "-0-01"} {
			receiver := newSink(t, status(503, 503, 200)...)
			sub := w.subscription(app, receiver.URL, nil)
			id, invocations := w.publishedUnder(given, app, event)
			want := strings.ReplaceAll(id, "-", "")
			if given == callers {
				want = callersTrace
			}
			spans := map[string]bool{callersSpan: true}
			for _, r := range receiver.await(3) {
				got, ok := models.ParseTraceparent(r.header.Get("Traceparent"))
				require.True(t, ok, name)
				require.Equal(t, want, got[3:35], name)
				require.False(t, spans[got[36:52]], "each attempt is a span of its own")
				spans[got[36:52]] = true
			}
			w.becomes(invocations[0], "succeeded")
			headers, err := json.Marshal(w.logs(invocations[0])[0]["request"])
			require.NoError(t, err)
			require.Contains(t, string(headers), want, "the log shows it")
			w.call("POST", "/v1/subscriptions/"+sub["id"].(string)+"/test", nil, 202)
			_, ok := models.ParseTraceparent(receiver.await(4)[3].header.Get("Traceparent"))
			require.True(t, ok, "a test has one too")
			w.call("DELETE", "/v1/subscriptions/"+sub["id"].(string), nil, 204)
		}

		silent, receiver := w.application("standard", ""), newSink(t)
		w.subscription(silent, receiver.URL, nil)
		w.publishedUnder(callers, silent, event)
		require.NotContains(t, receiver.await(1)[0].header, "Traceparent")
	})
}

func TestATraceCrossesAPIWorkflowAndDelivery(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := newCollector(t)
			cfg := embedded(t)
			cfg.DatabaseURL, cfg.OTLPEndpoint = database(t), spans.url
			w := boot(t, cfg, everything)
			receiver := newSink(t, status(503, 200)...)
			app := w.application("standard", tracedOverrides)
			w.subscription(app, receiver.URL, nil)
			_, invocations := w.publishedUnder(callers, app, `{"type":"invoice.paid","payload":{}}`)
			w.becomes(invocations[0], "succeeded")
			got := receiver.await(2)
			w.stop() // sends what is left

			all := spans.spans(callersTrace)
			t.Logf("span, begin and duration in ms:\n%s", drawing(all))
			require.Equal(t, "publish", all[0].GetName())
			tries := attempts(all)
			require.Len(t, tries, 2)
			for i, span := range tries {
				names, top := path(all, span)
				activity := []string{"FirstAttempts", "Attempt"}[i]
				require.Equal(t, []string{"publish", "start workflow", activity, "attempt"}, names)
				require.Equal(t, callersSpan, top, "the publisher's own span is above all")
				require.Equal(t, "00-"+callersTrace+"-"+hex.EncodeToString(span.GetSpanId())+"-01", got[i].header.Get("Traceparent"))
				requireEvents(t, span, "connected", "request sent", "answer begins")
			}
		})
	}
}

// A trace goes on after a restart, from the database.
func TestATraceIsStoredWithItsEvent(t *testing.T) {
	t.Parallel()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := newCollector(t)
			cfg := embedded(t)
			cfg.DatabaseURL, cfg.OTLPEndpoint = database(t), spans.url
			w := boot(t, cfg, everything)
			receiver := newSink(t, status(503, 200)...)
			app := w.application("standard", `{"retry":{"kind":"fixed","interval":"1s","max_attempts":5}}`)
			hook := "/v1/subscriptions/" + w.subscription(app, receiver.URL, nil)["id"].(string)
			_, invocations := w.publishedUnder(callers, app, `{"type":"a.b","payload":{}}`)
			w.becomes(invocations[0], "retrying")
			w.call("PATCH", hook, object{"enabled": false}, 200)
			w.becomes(invocations[0], "paused")
			w.stop()

			w = boot(t, cfg, everything)
			w.call("PATCH", hook, object{"enabled": true}, 200)
			w.becomes(invocations[0], "succeeded")
			w.stop()
			all := spans.spans(callersTrace)
			tries := attempts(all)
			require.Len(t, tries, 2)
			for _, span := range tries {
				names, top := path(all, span)
				require.Equal(t, []string{"publish", "start workflow"}, names[:2])
				require.Equal(t, callersSpan, top)
			}
		})
	}
}

func TestTheCollectorsAddressIsNoEndpoint(t *testing.T) {
	t.Parallel()
	spans := newCollector(t)
	onEachOwn(t, func(cfg *config.Config) { cfg.OTLPEndpoint = spans.url }, func(w *world) {
		app := w.application("standard", "")
		body := object{"url": spans.url, "event_types": []string{"*"}}
		refused := w.call("POST", "/v1/applications/"+app+"/subscriptions", body, 422)
		require.Equal(w.t, "blocked_url", refused["code"])
	})
}
