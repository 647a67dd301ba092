package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// exampleProfile is what the examples in examples/receivers know of a profile, and what a test publishes by it.
type exampleProfile struct {
	creation posthorn.SubscriptionCreation
	event    posthorn.Publication
	// variable is what the example reads its secret from; secret is known before the subscription, or "" = it answers it.
	variable, secret string
	// inURL: the secret is the end of the URL.
	inURL bool
	// credential is the header that proves the sender; "" = the URL does.
	credential string
	// signed: the credential is a signature over the body.
	signed bool
	// stamped: deliveries carry the time of their attempt.
	stamped bool
}

func exampleProfiles() map[string]exampleProfile {
	subscribe := func(eventType string) posthorn.SubscriptionCreation {
		return posthorn.SubscriptionCreation{URL: nowhere, EventTypes: &[]string{eventType}}
	}
	happened := func(eventType string) posthorn.Publication {
		return posthorn.Publication{Type: eventType, Payload: json.RawMessage(`{"id":"a-1", "amount": 100.50, "name":"Ελένη <&>"}`)}
	}
	alviere, thredd := subscribe("ACCOUNT"), subscribe("101")
	alviere.SecurityKey, alviere.Version = new("open-sesame"), new("2021-11-18.1")
	thredd.Headers = &map[string]string{"X-Webhook-Token": "open-sesame-too"}
	return map[string]exampleProfile{
		"standard": {
			creation: subscribe("*"), event: happened("invoice.paid"), variable: "STANDARD_SECRET",
			credential: "Webhook-Signature", signed: true, stamped: true,
		},
		"bridge": {
			creation: subscribe("item.created"), event: happened("item.created"), variable: "BRIDGE_SECRET",
			credential: "Bridgeapi-Signature", signed: true, stamped: true,
		},
		"alviere": {
			creation: alviere, event: happened("ACCOUNT"), variable: "ALVIERE_KEY", secret: "open-sesame",
			credential: "Alviere-Auth",
		},
		"thredd": {
			creation: thredd, event: happened("101"), variable: "THREDD_TOKEN", secret: "open-sesame-too",
			credential: "X-Webhook-Token", stamped: true,
		},
		"aria": {
			creation: subscribe("loan.updated"), event: happened("loan.updated"), variable: "ARIA_PATH",
			secret: "aria-5f1d7c9a", inURL: true, stamped: true,
		},
		"viva": {
			creation: subscribe("1796"), event: happened("1796"), variable: "VIVA_PATH",
			secret: "viva-0b8e3d42", inURL: true, stamped: true,
		},
	}
}

// Each example takes what a real Posthorn delivers by each profile, once, and refuses what is tampered with, too old,
// without its proof, or too large. Where a profile signs nothing, nobody can tell a body that was tampered with: there
// the proof itself is changed.
func TestTheReceiversInExamplesBelieveWhatIsGenuineOnly(t *testing.T) {
	t.Parallel()
	for language, command := range map[string][]string{
		"go":     {"go", "build", "-o", "{out}", "./examples/receivers/go"},
		"python": {"python3", "examples/receivers/python/receiver.py"},
		"node":   {"node", "examples/receivers/node/receiver.mjs"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			lookFor(t, command[0])
			if language == "go" {
				out := filepath.Join(t.TempDir(), "receiver")
				runIn(t, ".", nil, command[0], "build", "-o", out, command[4])
				command = []string{out}
			}
			tellGenuine(t, command)
		})
	}
}

func tellGenuine(t *testing.T, command []string) {
	t.Helper()
	var deliveries []*exampleDelivery
	environment := []string{}
	for name, p := range exampleProfiles() {
		d := &exampleDelivery{exampleProfile: p, t: t, name: name, tenant: newTenant(t, name)}
		d.subscription = d.tenant.subscribe(p.creation)
		if d.secret == "" {
			d.secret = *d.subscription.Secret
		}
		environment = append(environment, p.variable+"="+d.secret)
		if name == "viva" {
			environment = append(environment, "VIVA_KEY="+d.tenant.vivaKey())
		}
		deliveries = append(deliveries, d)
	}
	example := startExample(t, command, environment)
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			d.t, d.tenant.t, d.example = t, t, example
			d.deliver()
			d.refuses()
		})
	}
}

// exampleDelivery is a delivery of a profile to an example.
type exampleDelivery struct {
	exampleProfile
	t            *testing.T
	name         string
	tenant       *tenant
	subscription *posthorn.NewSubscription
	example      *exampleReceiver

	// What Posthorn sent.
	path   string
	header http.Header
	body   []byte
}

// deliver publishes an event, requires that the example took it, and keeps what was sent.
func (d *exampleDelivery) deliver() {
	require.NoError(d.t, d.post(nil, nil, http.StatusUnauthorized), "a guess")
	d.path = "/" + d.name
	if d.inURL {
		d.path += "/" + d.secret
	}
	tap := httptest.NewServer(http.HandlerFunc(d.passOn))
	d.t.Cleanup(tap.Close)
	d.tenant.moveTo(d.subscription.ID, tap.URL+d.path)
	if d.name == "viva" {
		_, err := d.tenant.VerifySubscriptionWithResponse(d.t.Context(), d.subscription.ID, posthorn.Nothing{})
		require.NoError(d.t, err)
	}
	accepted := d.tenant.publish(d.event)
	require.Len(d.t, accepted.Invocations, 1)
	last := d.tenant.ended(accepted.Invocations[0].ID)
	require.Equal(d.t, posthorn.InvocationStatusSucceeded, last.Status)
	require.EqualValues(d.t, 1, last.Attempts)
	require.Contains(d.t, string(d.body), string(d.event.Payload))
	require.Eventually(d.t, func() bool { return d.example.handled(d.name) == 1 }, patience, time.Millisecond)
}

// passOn hands a request on to the example and keeps it.
func (d *exampleDelivery) passOn(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	request, err := http.NewRequestWithContext(r.Context(), r.Method, d.example.url+r.URL.Path, bytes.NewReader(body))
	if err != nil || r.Method == "PRI" {
		return
	}
	request.Header = r.Header.Clone()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	if r.Method == http.MethodPost {
		d.header, d.body = r.Header.Clone(), body
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// refuses sends what Posthorn sent again, as it was and changed.
func (d *exampleDelivery) refuses() {
	same := func(http.Header) {}
	require.NoError(d.t, d.post(same, d.body, http.StatusOK), "a repeat is taken")
	var answered statusError
	err := d.post(same, bytes.Repeat([]byte(" "), 2<<20+1), http.StatusRequestEntityTooLarge)
	require.NotErrorAs(d.t, err, &answered, "it may hang up in the middle, but give no other answer")
	if d.signed {
		tampered := bytes.Replace(d.body, []byte("100.50"), []byte("900.50"), 1)
		require.NoError(d.t, d.post(same, tampered, http.StatusUnauthorized))
		require.NoError(d.t, d.post(same, append(d.body, '\n'), http.StatusUnauthorized))
	}
	if d.credential != "" {
		require.NoError(d.t, d.post(func(h http.Header) { h.Del(d.credential) }, d.body, http.StatusUnauthorized))
		require.NoError(d.t, d.post(func(h http.Header) { h.Set(d.credential, "") }, d.body, http.StatusUnauthorized))
		require.NoError(d.t, d.post(func(h http.Header) { h.Set(d.credential, h.Get(d.credential)[1:]) }, d.body, http.StatusUnauthorized))
	}
	if d.inURL {
		d.path += "x"
		require.NoError(d.t, d.post(same, d.body, http.StatusUnauthorized))
		d.path = strings.TrimSuffix(d.path, "x")
	}
	if d.stamped {
		for _, age := range []time.Duration{time.Hour, 6 * time.Minute, -6 * time.Minute} {
			require.NoError(d.t, d.post(d.sentBefore(age), d.body, http.StatusUnauthorized), age)
		}
		require.NoError(d.t, d.post(func(h http.Header) { h.Set("Webhook-Timestamp", "soon") }, d.body, http.StatusUnauthorized))
		require.NoError(d.t, d.post(d.sentBefore(4*time.Minute), d.body, http.StatusOK), "the clocks may differ")
	}
	require.Equal(d.t, 1, d.example.handled(d.name), "a repeat is handled once, and nothing else at all")
}

// sentBefore makes it a delivery of long ago: signed again by the library of Standard Webhooks where the signature
// covers the time, so that nothing but the age is wrong.
func (d *exampleDelivery) sentBefore(age time.Duration) func(http.Header) {
	return func(h http.Header) {
		at := time.Now().Add(-age)
		h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
		if d.name != "standard" {
			return
		}
		library, err := webhooks.NewWebhook(d.secret)
		require.NoError(d.t, err)
		signature, err := library.Sign(h.Get("Webhook-Id"), at, d.body)
		require.NoError(d.t, err)
		h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString([]byte("another secret's"))+" "+signature)
	}
}

// statusError is an answer with another status than the one required.
type statusError struct{ want, got int }

func (e statusError) Error() string {
	return "want " + strconv.Itoa(e.want) + ", got " + strconv.Itoa(e.got)
}

// post sends what Posthorn sent, its headers changed, with the body.
func (d *exampleDelivery) post(change func(http.Header), body []byte, want int) error {
	path := d.path
	if path == "" {
		path = "/" + d.name + strings.Repeat("/guess", map[bool]int{true: 1}[d.inURL])
	}
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.example.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if change != nil {
		request.Header = d.header.Clone()
		change(request.Header)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != want {
		return statusError{want, answer.StatusCode}
	}
	return nil
}

// exampleReceiver is an example that runs.
type exampleReceiver struct {
	url string

	mu    sync.Mutex
	lines []string
}

func startExample(t *testing.T, command, environment []string) *exampleReceiver {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Env = append(os.Environ(), environment...)
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		cancel()
		_ = process.Wait()
	})
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan(), "the example ended")
	e := &exampleReceiver{url: strings.TrimPrefix(lines.Text(), "listening on ")}
	go func() {
		for lines.Scan() {
			e.mu.Lock()
			e.lines = append(e.lines, lines.Text())
			e.mu.Unlock()
		}
	}()
	return e
}

// handled is how many events of the profile the example says that it handled.
func (e *exampleReceiver) handled(profile string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, line := range e.lines {
		if strings.HasPrefix(line, "handled "+profile+" ") {
			n++
		}
	}
	return n
}
