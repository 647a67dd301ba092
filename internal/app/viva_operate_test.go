package app_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/config"
)

func TestVIV32_ADisabledWebhookKeepsItsRegistration(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(every(300, 500)), newSink(t)
		sub := v.webhook(receiver, 1796)
		delivered := v.fired()
		v.messageBecomes(delivered, 1, 1)
		receiver.answers(status(500)...)
		pending := v.fired()
		v.world.settledOnceOrMore(pending)

		off := v.call("POST", sub+"/disable", nil, 200)
		require.Equal(t, []any{false, true, "disabled"}, values(off, "enabled", "verified", "status"))
		<-time.After(100 * time.Millisecond) // what was in flight
		require.Empty(t, v.fire(1796))
		receiver.quiet(2 * time.Second)
		require.Equal(t, false, v.call("GET", sub, nil, 200)["enabled"])
		require.Equal(t, []string{pending, delivered}, v.listed("eventTypeId=1796"), "its history")
		require.Nil(t, v.message(pending)["nextRetry"])

		receiver.answers(status(200)...)
		require.Equal(t, "active", v.call("POST", sub+"/enable", nil, 200)["status"], "no new verification")
		v.messageBecomes(v.fired(), 1, 1)
		w.becomes(pending, "succeeded")
	})
}

// settledOnceOrMore waits for the invocation's first log entry, which others may have followed.
func (w *world) settledOnceOrMore(id string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return len(w.logs(id)) > 0 }, patience, 10*time.Millisecond)
}

// onEachOwn runs the test on worlds of its own, whose configuration change alters.
func onEachOwn(t *testing.T, change func(*config.Config), test func(w *world)) {
	t.Helper()
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := embedded(t)
			cfg.DatabaseURL = database(t)
			change(&cfg)
			test(start(t, cfg, everything))
		})
	}
}

func TestVIV33_SourceAddressesArePublishedAndUsed(t *testing.T) {
	t.Parallel()
	production, demo := []string{"51.138.37.238", "20.54.89.16"}, []string{"94.70.170.65"}
	onEachOwn(t, func(cfg *config.Config) {
		cfg.SourceIPsProduction, cfg.SourceIPsDemo = production, demo
		cfg.EgressBindAddress = "127.0.0.9"
	}, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		ips := w.as(v.memberKey).call("GET", "/v1/source-ips", nil, 200)
		require.Equal(t, object{"production": anyList(production), "demo": anyList(demo)}, ips)

		v.webhook(receiver, 1796)
		v.fired()
		receiver.awaitPosts(1)
		for _, r := range receiver.got() { // the handshake too
			from, _, err := net.SplitHostPort(r.from)
			require.NoError(t, err)
			require.Equal(t, "127.0.0.9", from, r.method)
		}
	})
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

func TestVIV33_DeliveriesGoThroughTheEgressProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.Header.Set("Via", "1.1 proxy")
		out.RequestURI = ""
		res, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = res.Body.Close() }()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(proxy.Close)
	onEachOwn(t, func(cfg *config.Config) { cfg.EgressProxyURL = proxy.URL }, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		v.messageBecomes(v.fired(), 1, 1)
		require.Len(t, receiver.got(), 2)
		for _, r := range receiver.got() { // the handshake too
			require.Equal(t, "1.1 proxy", r.header.Get("Via"), r.method)
		}
	})
}

func TestVIV34_ProductionAndDemoAreKeptApart(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		production, demo := w.inEnvironment("production"), w.inEnvironment("demo")
		bad := object{"name": "x", "profile": "viva", "environment": "staging"}
		w.call("POST", "/v1/applications", bad, 422)
		require.NotEqual(t, production.token, demo.token)
		receivers := map[*vivaApp]*sink{production: newSink(t), demo: newSink(t)}
		ids := map[*vivaApp]string{}
		for v, receiver := range receivers {
			v.webhook(receiver, 1796)
			ids[v] = v.fired()
			v.messageBecomes(ids[v], 1, 1)
		}
		for v, other := range map[*vivaApp]*vivaApp{production: demo, demo: production} {
			require.Len(t, receivers[v].posts(), 1)
			require.Equal(t, []string{ids[v]}, v.listed("eventTypeId=1796"))
			v.call("GET", messages+"/"+ids[other], nil, 404)
			v.call("GET", "/v1/invocations/"+ids[other], nil, 404)
			v.call("GET", "/v1/events/"+w.invocation(ids[other])["event_id"].(string), nil, 404)
			for _, list := range []string{"events", "subscriptions", "keys", "invocations"} {
				v.call("GET", "/v1/applications/"+other.app+"/"+list, nil, 404)
			}
		}
	})
}

// inEnvironment is viva in an environment.
func (w *world) inEnvironment(environment string) *vivaApp {
	w.t.Helper()
	body := object{"name": w.t.Name(), "profile": "viva", "environment": environment}
	made := w.call("POST", "/v1/applications", body, 201)
	require.Equal(w.t, environment, made["environment"])
	return w.vivaOf(made["id"].(string))
}
