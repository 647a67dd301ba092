package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

// vivaApp is an application of the viva profile, seen with its admin's key: as its customers see Posthorn.
type vivaApp struct {
	*world

	app string
	// operator is the same world with the operator's key.
	operator *world
	// adminKey and memberKey are the application's.
	adminKey, memberKey string
	// token is what its endpoints must show to be verified.
	token string
}

// viva makes an application with the overrides (JSON text; "" = none).
func (w *world) viva(overrides string) *vivaApp {
	w.t.Helper()
	return w.vivaOf(w.application("viva", overrides))
}

func (w *world) vivaOf(app string) *vivaApp {
	w.t.Helper()
	v := &vivaApp{operator: w, app: app}
	v.adminKey, v.memberKey = w.newKey(v.app, "admin"), w.newKey(v.app, "member")
	v.world = w.as(v.adminKey)
	v.token = w.tokenOf(v.app)
	return v
}

func (w *world) newKey(app, role string) string {
	w.t.Helper()
	body := object{"role": role, "name": "test"}
	return w.call("POST", "/v1/applications/"+app+"/keys", body, 201)["key"].(string)
}

// tokenOf is what the application's URLs must show to be verified.
func (w *world) tokenOf(app string) string {
	w.t.Helper()
	return w.as(w.newKey(app, "admin")).call("GET", "/api/messages/config/token", nil, 200)["Key"].(string)
}

// unverified makes a webhook whose URL is still to be verified, and returns its path.
func (v *vivaApp) unverified(url string, eventType int) string {
	v.t.Helper()
	sub := v.subscription(v.app, url, object{"event_types": []int{eventType}})
	require.Equal(v.t, "unverified", sub["status"])
	return "/v1/subscriptions/" + sub["id"].(string)
}

// webhook makes a verified webhook at the receiver and returns its path.
func (v *vivaApp) webhook(receiver *sink, eventType int) string {
	v.t.Helper()
	receiver.shows(answer{status: 200, body: keyAnswer(v.token)})
	sub := v.unverified(receiver.URL+"/hook", eventType)
	require.Equal(v.t, true, v.call("POST", sub+"/verify", nil, 200)["verified"])
	return sub
}

// keyAnswer is what a URL must answer to be verified.
func keyAnswer(key string) string { return fmt.Sprintf(`{"Key":%q}`, key) }

// fire publishes a transaction and returns the ids of its messages.
func (v *vivaApp) fire(eventType int) []string {
	v.t.Helper()
	_, ids := v.operator.published(v.app, fmt.Sprintf(`{"type":%d,"payload":{"Amount": 100.50}}`, eventType))
	return ids
}

// fired is fire where one webhook gets it.
func (v *vivaApp) fired() string {
	v.t.Helper()
	ids := v.fire(1796)
	require.Len(v.t, ids, 1)
	return ids[0]
}

// message reads one by the provider's route.
func (v *vivaApp) message(id string) object {
	v.t.Helper()
	return v.call("GET", "/webhooks/v1/messages/"+id, nil, 200)
}

// messageBecomes waits for the message's responseStatus and its number of deliveries.
func (v *vivaApp) messageBecomes(id string, responseStatus, deliveries int) object {
	v.t.Helper()
	var last object
	require.Eventually(v.t, func() bool {
		last = v.message(id)
		return last["responseStatus"] == float64(responseStatus) && len(last["deliveries"].([]any)) == deliveries
	}, patience, 10*time.Millisecond, "responseStatus %d after %d deliveries", responseStatus, deliveries)
	return last
}

// messages lists by the provider's route.
func (v *vivaApp) messages(query string) []object {
	v.t.Helper()
	status, body := v.raw("GET", "/webhooks/v1/messages?"+query, nil, nil)
	require.Equal(v.t, http.StatusOK, status, string(body))
	var list []object
	require.NoError(v.t, json.Unmarshal(body, &list), "a bare array: %s", body)
	require.NotNil(v.t, list)
	return list
}

// listed are the ids of the messages that the query finds.
func (v *vivaApp) listed(query string) []string {
	v.t.Helper()
	ids := []string{}
	for _, m := range v.messages(query) {
		ids = append(ids, m["messageId"].(string))
	}
	return ids
}

// statusOf is the status of a request with the header instead of the key's.
func (w *world) statusOf(method, path, authorization string) int {
	w.t.Helper()
	status, _ := w.raw(method, path, nil, http.Header{"Authorization": {authorization}})
	return status
}

func (v *vivaApp) redeliver(id string) {
	v.t.Helper()
	v.call("POST", "/webhooks/v1/messages/"+id+":redeliver", nil, 202)
}

// posts are the requests but for the handshake's.
func (s *sink) posts() []request {
	var posts []request
	for _, r := range s.got() {
		if r.method == http.MethodPost {
			posts = append(posts, r)
		}
	}
	return posts
}

// targets are what was asked for. A port may have been another test's: what is there by accident has another target.
func (s *sink) targets() []string {
	var targets []string
	for _, r := range s.got() {
		targets = append(targets, r.target)
	}
	return targets
}

// awaitPosts returns the POSTs once there are n.
func (s *sink) awaitPosts(n int) []request {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return len(s.posts()) >= n }, patience, 5*time.Millisecond, "%d POSTs", n)
	return s.posts()
}

// timeOf reads a time of an answer.
func timeOf(t require.TestingT, value any) time.Time {
	at, err := time.Parse(time.RFC3339, value.(string))
	require.NoError(t, err)
	return at
}

// every is a policy that retries without end, so many milliseconds apart.
func every(milliseconds, attempts int) string {
	return fmt.Sprintf(`{"retry":{"kind":"fixed","interval":"%dms","max_attempts":%d}}`, milliseconds, attempts)
}
