package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// fakePosthorn answers the routes that the demo calls. It sends one attempt of each open delivery whenever somebody
// lists invocations.
type fakePosthorn struct {
	t *testing.T
	// spoil changes a body before it is sent; nil = nothing is spoilt.
	spoil func(string) string

	mu            sync.Mutex
	applications  map[string]string // id → profile
	subscriptions []*fakeSubscription
	invocations   []*fakeInvocation
}

type fakeSubscription struct {
	ID          string   `json:"id"`
	Application string   `json:"application_id"`
	URL         string   `json:"url"`
	EventTypes  []string `json:"event_types"`
	Secret      string   `json:"secret"`
}

type fakeInvocation struct {
	invocation
	Application string `json:"application_id"`
	eventID     string
	url, body   string
	logs        []attempt
}

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
		return json.RawMessage(`{"items":[{"name":"standard","signing":{"scheme":"standard-webhooks"}},
			{"name":"viva","verification":{"kind":"handshake","member":"Key"}},{"name":"unheard-of"}]}`)
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
	name, body := strings.Trim(string(in.Type), `"`), string(in.Payload)
	if f.applications[r.PathValue("app")] == "viva" {
		body = fmt.Sprintf(`{"EventData":%s,"EventTypeId":%s,"Created":"%s"}`, in.Payload, in.Type, in.OccurredAt)
	}
	eventID := fmt.Sprintf("event-%d", len(f.invocations))
	links := []map[string]string{}
	for _, s := range f.subscriptions {
		if s.Application != r.PathValue("app") || !s.wants(name) {
			continue
		}
		i := &fakeInvocation{Application: r.PathValue("app"), eventID: eventID, url: s.URL, body: body}
		i.ID, i.Status = fmt.Sprintf("inv-%d", len(f.invocations)), "pending"
		i.TemporalURL = "http://temporal.invalid/" + i.ID
		f.invocations = append(f.invocations, i)
		links = append(links, map[string]string{"id": i.ID, "subscription_id": s.ID})
	}
	return map[string]any{"id": eventID, "created_at": time.Now(), "invocations": links}
}

func (s *fakeSubscription) wants(name string) bool {
	for _, p := range s.EventTypes {
		if p == name || strings.HasSuffix(p, "*") && strings.HasPrefix(name, p[:len(p)-1]) {
			return true
		}
	}
	return false
}

func (f *fakePosthorn) list(r *http.Request) any {
	items := []*fakeInvocation{}
	for _, i := range f.invocations {
		if i.Application == r.PathValue("app") {
			f.attempt(i)
			items = append(items, i)
		}
	}
	return map[string]any{"items": items}
}

// attempt sends an open invocation; nothing comes of a hanging receiver within 50 ms.
func (f *fakePosthorn) attempt(i *fakeInvocation) {
	if i.settled() {
		return
	}
	if f.spoil != nil {
		i.body = f.spoil(i.body)
	}
	started := time.Now()
	status := post(f.t, i)
	a := attempt{Number: len(i.logs) + 1, StartedAt: started, FinishedAt: time.Now(), Outcome: "failed"}
	next := time.Now().Add(time.Second)
	i.Status, i.NextAttemptAt = "retrying", &next
	switch wanted := strings.Contains(i.url, "/viva/"); {
	case status == 0:
		a.Error = &fault{Code: "timeout", Message: "no answer"}
	case status == 200 || status == 204 && !wanted:
		a.Outcome, a.StatusCode = "succeeded", &status
		i.Status, i.NextAttemptAt = "succeeded", nil
	default:
		a.StatusCode = &status
	}
	i.logs = append(i.logs, a)
	i.Attempts = len(i.logs)
}

func post(t *testing.T, i *fakeInvocation) int {
	t.Helper()
	client := &http.Client{Timeout: 50 * time.Millisecond}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.url, strings.NewReader(i.body))
	require.NoError(t, err)
	library, err := webhooks.NewWebhook(testSecret)
	require.NoError(t, err)
	now := time.Now()
	signature, err := library.Sign(i.eventID, now, []byte(i.body))
	require.NoError(t, err)
	request.Header.Set("Webhook-Id", i.eventID)
	request.Header.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()))
	request.Header.Set("Webhook-Signature", signature)
	answer, err := client.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
