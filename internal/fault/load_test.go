package fault_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load is an application with its subscriptions, its publisher and their receiver: what a test puts through a
// deployment, and what is judged afterwards.
type load struct {
	d         *deployment
	app       string
	receiver  *receiver
	publisher *publisher
	// interval is the fixed delay between attempts, and attempts how many the policy allows; 0 = any number.
	interval time.Duration
	attempts int
	ordering string
	// secrets are the subscriptions': no log may have them.
	secrets []string
	// before is what the processes held when the load was made.
	before map[string]usage
}

// kind is the event type that only the nth subscription of a load gets.
func kind(n int) string { return fmt.Sprintf("kind.%d", n) }

// loadOf says how a load differs from the usual: unordered, tried again after 200 ms any number of times.
type loadOf struct {
	// subscriptions is how many there are, each with an event type of its own; 0 = 1.
	subscriptions int
	// ordering is a knob's value; "" = none.
	ordering string
	interval time.Duration
	attempts int
	// timeout is how long an attempt may take, as text; "" = 5s.
	timeout string
	// receiver is shared with another load; nil = a new one.
	receiver *receiver
}

// newLoad makes the application and its subscriptions.
func newLoad(t *testing.T, d *deployment, o loadOf) *load {
	t.Helper()
	l := &load{d: d, receiver: o.receiver, interval: o.interval, attempts: o.attempts, ordering: o.ordering}
	if l.receiver == nil {
		l.receiver = newReceiver(t)
	}
	if l.interval == 0 {
		l.interval = 200 * time.Millisecond
	}
	if l.ordering == "" {
		l.ordering = "none"
	}
	if o.timeout == "" {
		o.timeout = "5s"
	}
	retry := fmt.Sprintf(`{"kind":"fixed","interval":%q,"max_attempts":%d}`, l.interval, l.attempts)
	overrides := fmt.Sprintf(`{"retry":%s,"timeout":%q,"ordering":%q,"subscription_limit":1000}`, retry, o.timeout, l.ordering)
	l.app = d.client.call(t, "POST", "/v1/applications",
		fmt.Sprintf(`{"name":%q,"profile":"standard","overrides":%s}`, t.Name(), overrides), 201)["id"].(string)
	for n := range max(1, o.subscriptions) {
		l.subscribe(t, n)
	}
	l.publisher = &publisher{client: d.client, app: l.app}
	l.before = d.usages(t)
	return l
}

func (l *load) subscribe(t *testing.T, n int) {
	t.Helper()
	path := "/" + l.app + pathOf(n)
	body, err := json.Marshal(object{"url": l.receiver.URL + path, "event_types": []string{kind(n)}})
	require.NoError(t, err)
	made := l.d.client.call(t, "POST", "/v1/applications/"+l.app+"/subscriptions", string(body), 201)
	secret := made["secret"].(string)
	require.NoError(t, l.receiver.knows(path, place{l.app, made["id"].(string)}, secret))
	l.secrets = append(l.secrets, secret)
}

// usages are what the processes hold now.
func (d *deployment) usages(t *testing.T) map[string]usage {
	t.Helper()
	held := map[string]usage{}
	for _, p := range d.processes() {
		used, err := p.usage()
		require.NoError(t, err)
		held[p.Name] = used
	}
	return held
}
