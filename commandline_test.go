package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// hook is a `posthorn listen` that runs.
type hook struct {
	t       *testing.T
	url     string
	command *exec.Cmd
	out     *bytes.Buffer
}

// startListen runs the command on a free port.
func startListen(t *testing.T, arguments ...string) *hook {
	t.Helper()
	h := &hook{t: t, out: &bytes.Buffer{}}
	var err error
	h.command, _, err = service(t.Context(), append([]string{"listen", "--listen", "127.0.0.1:0", "--json"}, arguments...)...)
	require.NoError(t, err)
	h.command.Stdout = h.out
	said, err := h.command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, h.command.Start())
	line, err := bufio.NewReader(said).ReadString('\n')
	require.NoError(t, err, "%s", line)
	h.url = strings.Fields(line)[2] + "/hook"
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return h
}

// deliveries are what the command printed, once it has ended, with its error.
func (h *hook) deliveries() (list []map[string]any, err error) {
	h.t.Helper()
	err = h.command.Wait()
	for line := range strings.Lines(h.out.String()) {
		var one map[string]any
		require.NoError(h.t, json.Unmarshal([]byte(line), &one))
		list = append(list, one)
	}
	return list, err
}

// nowhere is a subscription's URL before its receiver is there.
const nowhere = "http://127.0.0.1:1/"

// moveTo gives the subscription the receiver's URL.
func (n *tenant) moveTo(subscription, url string) {
	n.t.Helper()
	_, err := n.ChangeSubscriptionWithResponse(n.t.Context(), subscription, posthorn.SubscriptionChange{URL: &url})
	require.NoError(n.t, err)
}

// publishCommand runs `posthorn publish` and returns what it printed.
func (n *tenant) publishCommand(arguments ...string) (string, error) {
	n.t.Helper()
	return runCommand(n.t, "", append([]string{"publish", "--url", n.url, "--key", operatorKey, n.id}, arguments...)...)
}

// runCommand runs Posthorn with the text as its standard input until it ends.
func runCommand(t *testing.T, input string, arguments ...string) (string, error) {
	t.Helper()
	command := program(t.Context(), arguments...)
	var out bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &out
	err := command.Run()
	return out.String(), err
}

func TestPublishArrivesAtListenVerified(t *testing.T) {
	t.Parallel()
	n := newTenant(t, "standard")
	created := n.subscribe(posthorn.SubscriptionCreation{URL: nowhere, EventTypes: &[]string{"invoice.*"}})
	h := startListen(t, "--count", "1", "--secret", *created.Secret)
	n.moveTo(created.ID, h.url)
	const payload = `{"amount": 100.50, "id":9007199254740993, "text":"<&>"}`
	file := filepath.Join(t.TempDir(), "payload.json")
	require.NoError(t, os.WriteFile(file, []byte(payload+"\n"), 0o600))

	out, err := n.publishCommand("--type", "invoice.paid", "--payload", "@"+file, "--wait", "--idempotency-key", "k")
	require.NoError(t, err, out)
	require.Regexp(t, `^accepted   event \S+ for 1 subscriptions\nsucceeded  invocation \S+, attempts: 1, `+h.url+"\n$", out)
	list, err := h.deliveries()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{"verified", "/hook", payload, 200.0},
		[]any{list[0]["verdict"], list[0]["path"], list[0]["body"], list[0]["status"]})

	out, err = n.publishCommand("--type", "invoice.paid", "--payload", payload, "--idempotency-key", "k")
	require.NoError(t, err, out)
	require.Contains(t, out, "duplicate  event ")
}

func TestListenSaysWhatIsWrongAndPublishHowItEnded(t *testing.T) {
	t.Parallel()
	n := newTenant(t, "standard")
	once := posthorn.DeliveryForm{Retry: &posthorn.RetryPolicy{Kind: "fixed", Interval: new("1m"), MaxAttempts: new(int64(1))}}
	created := n.subscribe(posthorn.SubscriptionCreation{URL: nowhere, EventTypes: &[]string{"*"}, Delivery: &once})
	h := startListen(t, "--count", "1", "--secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	n.moveTo(created.ID, h.url)

	out, err := n.publishCommand("--type", "a", "--payload", "{}", "--wait")
	exit := &exec.ExitError{}
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, out, "failed     invocation ")
	require.Contains(t, out, "posthorn: 1 of 1 invocations did not succeed\n")
	list, err := h.deliveries()
	require.ErrorAs(t, err, &exit)
	require.Equal(t, "wrong", list[0]["verdict"])
	require.InDelta(t, 401, list[0]["status"], 0)
}

func TestListenKnowsEachProfile(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		creation  posthorn.SubscriptionCreation
		arguments []string
		secret    bool
		event     string
		verdict   string
	}{
		"bridge": {
			creation: posthorn.SubscriptionCreation{EventTypes: &[]string{"item.created"}},
			secret:   true, event: "item.created", verdict: "verified",
		},
		"alviere": {
			creation: posthorn.SubscriptionCreation{
				EventTypes: &[]string{"ACCOUNT"}, SecurityKey: new("opensesame"), Version: new("2021-11-18.1"),
			},
			arguments: []string{"--secret", "opensesame"}, event: "ACCOUNT", verdict: "verified",
		},
		"thredd": {
			creation:  posthorn.SubscriptionCreation{EventTypes: &[]string{"101"}, Headers: &map[string]string{"X-Token": "opensesame"}},
			arguments: []string{"--require", "X-Token=opensesame"}, event: "101", verdict: "verified",
		},
		"aria": {
			creation: posthorn.SubscriptionCreation{EventTypes: &[]string{"loan.updated"}}, event: "loan.updated", verdict: "not verified",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTenant(t, name)
			p.creation.URL = nowhere
			created := n.subscribe(p.creation)
			arguments := append(p.arguments, "--count", "1", "--profile", name)
			if p.secret {
				arguments = append(arguments, "--secret", *created.Secret)
			}
			h := startListen(t, arguments...)
			n.moveTo(created.ID, h.url)
			out, err := n.publishCommand("--type", p.event, "--payload", `{"id":"1"}`, "--wait")
			require.NoError(t, err, out)
			list, err := h.deliveries()
			require.NoError(t, err)
			require.Equal(t, p.verdict, list[0]["verdict"])
		})
	}
}

func TestListenAnswersVivasHandshake(t *testing.T) {
	t.Parallel()
	n := newTenant(t, "viva")
	created := n.subscribe(posthorn.SubscriptionCreation{URL: nowhere, EventTypes: &[]string{"1796"}})
	h := startListen(t, "--count", "1", "--profile", "viva", "--handshake-key", n.vivaKey())
	n.moveTo(created.ID, h.url)
	_, err := n.VerifySubscriptionWithResponse(t.Context(), created.ID, posthorn.Nothing{})
	require.NoError(t, err)
	out, err := n.publishCommand("--type", "1796", "--payload", `{"Amount": 100.50}`, "--wait")
	require.NoError(t, err, out)
	list, err := h.deliveries()
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []any{"handshake", "GET"}, []any{list[0]["verdict"], list[0]["method"]})
	require.Contains(t, list[1]["body"], `"EventData":{"Amount": 100.50}`)
}

// vivaKey is what a URL of the application must show to be verified.
func (n *tenant) vivaKey() string {
	n.t.Helper()
	admin, err := n.CreateKeyWithResponse(n.t.Context(), n.id, posthorn.KeyCreation{Role: "admin", Name: "viva"})
	require.NoError(n.t, err)
	client, err := posthorn.New(n.url, admin.JSON201.Key)
	require.NoError(n.t, err)
	token, err := client.GetVerificationKeyWithResponse(n.t.Context())
	require.NoError(n.t, err)
	return token.JSON200.Key
}

func TestPublishTakesThePayloadFromStandardInputAndTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	n := newTenant(t, "standard")
	base := []string{"publish", "--url", n.url, "--key", operatorKey, "--type", "a"}
	out, err := runCommand(t, " []\n", append(base, "--payload", "-", n.id, "--wait")...)
	require.NoError(t, err, out)
	require.Contains(t, out, "for 0 subscriptions")

	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{n.id, "--payload", "{"}, "posthorn: payload is not JSON"},
		{[]string{n.id, "--payload", "@/nowhere/at/all"}, "posthorn: --payload: open /nowhere/at/all"},
		{[]string{n.id, "--payload", "1", "--occurred-at", "today"}, "422 validation_failed: the request is not valid: occurred_at "},
		{[]string{"01a1ff8a-5c63-7c57-b1a5-0d8a3c2f6d10", "--payload", "1"}, "404 not_found"},
		{[]string{n.id, "--payload", "1", "--key", "ph_wrong"}, "401 unauthenticated"},
		{[]string{n.id, "--payload", "1", "--url", "http://127.0.0.1:1"}, "connection refused"},
	} {
		out, err := runCommand(t, "", append(base, c.arguments...)...)
		require.Error(t, err)
		require.Contains(t, out, c.want)
	}
}

func TestListenRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for want, arguments := range map[string][]string{
		`there is no profile "nobody"`:             {"--profile", "nobody"},
		"the profile aria has no secret":           {"--profile", "aria", "--secret", "x"},
		"the profile bridge has no public key":     {"--profile", "bridge", "--public-key", "whpk_"},
		"the profile thredd does not verify URLs":  {"--profile", "thredd", "--handshake-key", "x"},
		"--respond must be 200 to 599":             {"--respond", "99"},
		"listen for deliveries: listen tcp: addre": {"--listen", "nowhere"},
	} {
		out, err := runCommand(t, "", append([]string{"listen"}, arguments...)...)
		require.Error(t, err)
		require.Contains(t, out, want)
	}
}
