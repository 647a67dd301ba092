package profiles_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// registry holds the built-in profiles and the other providers' of testdata.
func registry(t *testing.T) *profiles.Registry {
	t.Helper()
	r, err := profiles.New("testdata")
	require.NoError(t, err)
	return r
}

func profile(t *testing.T, name string) *profiles.Profile {
	t.Helper()
	p, ok := registry(t).Get(name)
	require.True(t, ok, name)
	return p
}

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	r, err := profiles.New("")
	require.NoError(t, err)
	require.Equal(t, []string{"standard", "viva"}, r.Names())
	_, ok := r.Get("alviere")
	require.False(t, ok)
}

func TestEveryProviderOfTheContractCanBeSaid(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"alviere", "aria", "bridge", "standard", "thredd", "viva"}, registry(t).Names())
	alviere := profile(t, "alviere")
	require.Equal(t, models.RoleOperator, alviere.ManagedBy)
	require.Equal(t, models.Ordering{Kind: models.OrderingFIFO, Key: "subscription"}, alviere.Ordering)
	require.True(t, alviere.Signing.OmitWebhookHeaders)
	require.True(t, alviere.HasVersion("WALLET_TRANSACTION", "2022-01-01"), "a date is a version's text")
	require.False(t, alviere.HasVersion("ACCOUNT", "2022-01-01"))
	require.Equal(t, models.Ordering{Kind: models.OrderingLatestWins, Scope: "type"}, profile(t, "aria").Ordering)
	require.Equal(t, `"TEST_EVENT"`, profile(t, "bridge").TestEvent.Type)
	require.Equal(t, `101`, profile(t, "thredd").TestEvent.Type)
	deprecated, ok := profile(t, "aria").ResolveType("advance.created")
	require.True(t, ok && deprecated.Deprecated)
}

func TestVivaAsInTheContract(t *testing.T) {
	t.Parallel()
	p := profile(t, "viva")
	require.Equal(t, []models.EnvelopeMember{
		{Key: "EventData", Value: models.ValuePayload},
		{Key: "EventTypeId", Value: models.ValueType},
		{Key: "Created", Value: models.ValueTime},
	}, p.Envelope)
	require.Equal(t, models.TimeAsGiven, p.Time)
	require.True(t, p.Success.Matches(200))
	require.False(t, p.Success.Matches(201))
	require.Equal(t, 10*time.Second, p.Timeout.Std())
	require.Equal(t, 73, *p.Retry.Preview().Attempts)
	require.Equal(t, "72h0m0s", p.Retry.Preview().Total.String())
	require.Equal(t, models.OrderingNone, p.Ordering.Kind)
	require.Equal(t, profiles.Verification{Kind: profiles.VerificationHandshake, Member: "Key"}, p.Verification)
	require.Equal(t, 100, p.SubscriptionLimit)
	require.Equal(t, models.RoleAdmin, p.ManagedBy)
	require.Equal(t, models.On410Failure, p.On410)
}

func TestStandardAsInTheContract(t *testing.T) {
	t.Parallel()
	p := profile(t, "standard")
	require.Empty(t, p.Envelope)
	require.Equal(t, models.Signing{Scheme: models.SigningStandard, Versions: []string{"v1", "v1a"}}, p.Signing)
	require.Equal(t, 20, p.Auth.CustomHeaders)
	require.Equal(t, 10, *p.Retry.Preview().Attempts)
	require.InDelta(t, 0.1, p.Retry.Jitter, 0)
	require.Equal(t, 24*time.Hour, p.RetryAfter.Std())
	require.Equal(t, models.On410Gone, p.On410)
	require.JSONEq(t, `{"type":"webhook.test"}`, p.TestEvent.Payload)
	require.Equal(t, 2048, p.URL.MaxURLLength())
}

// The order of contract.md section 4.
func TestJSONHasEveryKnobInOrder(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(profile(t, "viva"))
	require.NoError(t, err)
	require.Equal(t, []string{
		"name", "envelope", "time", "wire", "types_per_subscription", "versions", "auth", "signing", "success",
		"timeout", "retry", "retry_after", "on_410", "ordering", "entity", "verification", "url",
		"subscription_limit", "managed_by", "test_event", "suppress", "traceparent", "catalogue",
	}, keysOf(t, raw))
	require.Contains(t, string(raw), `"test_event":{"type":1796,"payload":"{\n  \"Amount\": 100.50,`)
	require.Contains(t, string(raw), `{"name":"transaction.created","wire":1796,"group":"Transactions",`)
	require.Contains(t, string(raw), `"schema":{"properties":{"TransactionTypeId":{"enum":[0,5,6,9,15,16]}}}`)
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("notes.txt", "not a profile")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700))
	minimal, err := os.ReadFile("testdata/aria.yaml")
	require.NoError(t, err)
	write("a.yml", string(minimal))
	r, err := profiles.New(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"aria", "standard", "viva"}, r.Names())

	write("b.yaml", string(minimal))
	_, err = profiles.New(dir)
	require.EqualError(t, err, filepath.Join(dir, "b.yaml")+`: name "aria" is taken by another profile`)
	_, err = profiles.New(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = profiles.New("", profile(t, "viva"))
	require.EqualError(t, err, `viva: name "viva" is taken by another profile`)
}

// keysOf are the members of a JSON object in their order.
func keysOf(t *testing.T, raw []byte) []string {
	t.Helper()
	var keys []string
	var values map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &values))
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		keys = append(keys, fmt.Sprint(key))
		var skip json.RawMessage
		require.NoError(t, decoder.Decode(&skip))
	}
	require.Len(t, keys, len(values))
	return keys
}
