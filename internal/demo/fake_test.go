package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakePosthorn answers the routes that the demo calls. It sends one attempt of each open delivery whenever somebody
// lists invocations.
type fakePosthorn struct {
	t *testing.T
	// spoil changes a body before it is sent; nil = nothing is spoilt.
	spoil func(string) string
	// disorder sends what should wait in its queue.
	disorder bool
	// overtaken is how those end that a newer event has overtaken; "" = abandoned.
	overtaken string

	mu            sync.Mutex
	applications  map[string]string // id → profile
	subscriptions []*fakeSubscription
	invocations   []*fakeInvocation
}

type fakeSubscription struct {
	ID          string            `json:"id"`
	Application string            `json:"application_id"`
	URL         string            `json:"url"`
	EventTypes  []string          `json:"event_types"`
	Secret      string            `json:"secret"`
	SecurityKey string            `json:"security_key"`
	Headers     map[string]string `json:"headers"`
}

type fakeInvocation struct {
	invocation
	Application string `json:"application_id"`
	to          *fakeSubscription
	profile     string
	eventID     string
	// body has {retry} where the number of attempts before goes.
	body string
	logs []attempt
}

const fakeProfiles = `{"items":[
	{"name":"standard","signing":{"scheme":"standard-webhooks"}},
	{"name":"alviere","signing":{"scheme":"none"},"auth":{"security_key_header":"Alviere-Auth"},"ordering":{"kind":"fifo"}},
	{"name":"bridge","signing":{"scheme":"hmac-sha256-hex","header":"BridgeApi-Signature"}},
	{"name":"aria","signing":{"scheme":"none"},"ordering":{"kind":"latest_wins"}},
	{"name":"thredd","signing":{"scheme":"none"},"auth":{"custom_headers":3}},
	{"name":"viva","signing":{"scheme":"none"},"verification":{"kind":"handshake","member":"Key"}},
	{"name":"unheard-of"}
]}`

const fakeKey = "B3248222FDCD1885AEAFE51CCC1B5607F00903F6"

func (f *fakePosthorn) handler() http.Handler {
	f.applications = map[string]string{}
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			_ = json.NewEncoder(w).Encode(answer(r))
		})
	}
	handle("GET /v1/profiles", func(*http.Request) any {
		return json.RawMessage(fakeProfiles)
	})
	handle("POST /v1/applications", f.createApplication)
	handle("POST /v1/applications/{app}/keys", func(*http.Request) any { return map[string]string{"key": "admin"} })
	handle("GET /api/messages/config/token", func(r *http.Request) any {
		if r.Header.Get("Authorization") != "Bearer admin" {
			return nil
		}
		return map[string]string{"Key": fakeKey}
	})
	handle("POST /v1/applications/{app}/subscriptions", f.createSubscription)
	handle("POST /v1/subscriptions/{id}/verify", f.verify)
	handle("POST /v1/subscriptions/{id}/test", f.test)
	handle("POST /v1/applications/{app}/events", f.accept)
	handle("GET /v1/applications/{app}/invocations", f.list)
	handle("GET /v1/invocations/{id}/logs", func(r *http.Request) any {
		for _, i := range f.invocations {
			if i.ID == r.PathValue("id") {
				return map[string]any{"items": i.logs}
			}
		}
		return nil
	})
	return mux
}

func (f *fakePosthorn) createApplication(r *http.Request) any {
	var in struct{ Profile string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	id := "app-" + in.Profile
	f.applications[id] = in.Profile
	return map[string]string{"id": id}
}

func (f *fakePosthorn) createSubscription(r *http.Request) any {
	s := &fakeSubscription{}
	_ = json.NewDecoder(r.Body).Decode(s)
	s.ID, s.Application, s.Secret = fmt.Sprintf("sub-%d", len(f.subscriptions)), r.PathValue("app"), testSecret
	f.subscriptions = append(f.subscriptions, s)
	return s
}

func (f *fakePosthorn) verify(r *http.Request) any {
	for _, s := range f.subscriptions {
		if s.ID == r.PathValue("id") {
			status, text := send(r.Context(), f.t, http.MethodGet, s.URL, "", "")
			return map[string]bool{"verified": status == http.StatusOK && strings.Contains(text, fakeKey)}
		}
	}
	return nil
}

func (f *fakePosthorn) accept(r *http.Request) any {
	var in struct {
		Type       json.RawMessage
		OccurredAt string `json:"occurred_at"`
		Payload    json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	app, eventID := r.PathValue("app"), fmt.Sprintf("event-%d", len(f.invocations))
	at, _ := time.Parse(time.RFC3339Nano, in.OccurredAt)
	body := strings.NewReplacer(
		"{payload}", string(in.Payload), "{type}", string(in.Type), "{time}", in.OccurredAt,
		"{unix}", fmt.Sprint(at.Unix()), "{id}", eventID, "{tenant}", app,
	).Replace(envelopeOf(f.applications[app]))
	links := []map[string]string{}
	for _, s := range f.subscriptions {
		if s.Application == app && s.wants(strings.Trim(string(in.Type), `"`)) {
			links = append(links, map[string]string{"id": f.fire(s, eventID, body), "subscription_id": s.ID})
		}
	}
	return map[string]any{"id": eventID, "created_at": time.Now(), "invocations": links}
}

// test sends Bridge's constant: the only test event that the demo asks for.
func (f *fakePosthorn) test(r *http.Request) any {
	for _, s := range f.subscriptions {
		if s.ID == r.PathValue("id") {
			body, err := payloads.ReadFile("testdata/bridge_test_event.json")
			require.NoError(f.t, err)
			return map[string]string{"invocation_id": f.fire(s, "", string(body))}
		}
	}
	return nil
}

// fire makes an invocation; one without an event is a test, and stands for its event itself.
func (f *fakePosthorn) fire(to *fakeSubscription, eventID, body string) string {
	i := &fakeInvocation{Application: to.Application, to: to, profile: f.applications[to.Application], body: body}
	i.ID, i.Status = fmt.Sprintf("inv-%d", len(f.invocations)), "pending"
	i.eventID = cmp.Or(eventID, i.ID)
	i.TemporalURL = "http://temporal.invalid/" + i.ID
	f.invocations = append(f.invocations, i)
	return i.ID
}

func envelopeOf(profile string) string {
	for _, scene := range scenarios() {
		if scene.profile == profile {
			return scene.envelope
		}
	}
	return ""
}

func (s *fakeSubscription) wants(name string) bool {
	for _, p := range s.EventTypes {
		if p == name || strings.HasSuffix(p, "*") && strings.HasPrefix(name, p[:len(p)-1]) {
			return true
		}
	}
	return false
}
