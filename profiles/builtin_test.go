package profiles_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// registry holds the built-in profiles.
func registry(t *testing.T) *profiles.Registry {
	t.Helper()
	r, err := profiles.New("")
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
	r := registry(t)
	require.Equal(t, []string{"alviere", "aria", "bridge", "standard", "thredd", "viva"}, r.Names())
	_, ok := r.Get("acme")
	require.False(t, ok)
}

// knobs are those of the built-in profiles, as GET /v1/profiles/{name} answers them. The catalogue and the test event
// have tests of their own.
func knobs() map[string]string {
	return map[string]string{
		"standard": `{
			"envelope": [], "time": "rfc3339_ms", "wire": {"type": "string", "open": true},
			"types_per_subscription": {"min": 1, "max": 0, "wildcards": true}, "versions": {"required": false},
			"auth": {"custom_headers": 20}, "signing": {"scheme": "standard-webhooks", "versions": ["v1", "v1a"]},
			"success": "2xx", "timeout": "15s", "retry": {
				"kind": "schedule", "delays": ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"], "jitter": 0.1
			}, "retry_after": "24h", "on_410": "gone", "ordering": {"kind": "none"}, "entity": {"sources": ["entity_id"]},
			"verification": {"kind": "none"}, "url": {"max_length": 2048}, "subscription_limit": 100,
			"managed_by": "admin", "suppress": [], "traceparent": false
		}`,
		"alviere": `{
			"envelope": [
				{"key": "event_uuid", "value": "event_id"}, {"key": "program_uuid", "value": "tenant"},
				{"key": "event_date", "value": "time"}, {"key": "event_retry", "value": "retry_count"},
				{"key": "event_type", "value": "type"}, {"key": "event_version", "value": "version"},
				{"key": "entity", "value": "payload"}
			], "time": "rfc3339_ms", "wire": {"type": "string", "open": false},
			"types_per_subscription": {"min": 1, "max": 1, "wildcards": false}, "versions": {"required": true},
			"auth": {"security_key_header": "Alviere-Auth"}, "signing": {"scheme": "none", "omit_webhook_headers": true},
			"success": "200", "timeout": "10s",
			"retry": {"kind": "polynomial", "initial": "20ms", "degree": 2, "max_interval": "2m"}, "retry_after": "0s",
			"on_410": "failure", "ordering": {"kind": "fifo", "key": "subscription"}, "entity": {"sources": []},
			"verification": {"kind": "none"}, "url": {"max_length": 2048}, "subscription_limit": 100,
			"managed_by": "operator", "suppress": [], "traceparent": false
		}`,
		"bridge": `{
			"envelope": [
				{"key": "content", "value": "payload"}, {"key": "timestamp", "value": "time"}, {"key": "type", "value": "type"}
			], "time": "unix_seconds", "wire": {"type": "string", "open": false},
			"types_per_subscription": {"min": 1, "max": 0, "wildcards": false}, "versions": {"required": false},
			"auth": {}, "signing": {"scheme": "hmac-sha256-hex", "header": "BridgeApi-Signature"},
			"success": "2xx", "timeout": "10s",
			"retry": {"kind": "exponential", "initial": "1m", "factor": 2, "max_attempts": 12, "max_age": "48h"},
			"retry_after": "0s", "on_410": "failure", "ordering": {"kind": "none"}, "entity": {"sources": []},
			"verification": {"kind": "none"}, "url": {"max_length": 2048}, "subscription_limit": 10,
			"managed_by": "admin", "suppress": [], "traceparent": false
		}`,
		"aria": `{
			"envelope": [
				{"key": "date", "value": "time"}, {"key": "event", "value": "type"}, {"key": "payload", "value": "payload"}
			], "time": "rfc3339_ms", "wire": {"type": "string", "open": false},
			"types_per_subscription": {"min": 1, "max": 1, "wildcards": false}, "versions": {"required": false},
			"auth": {}, "signing": {"scheme": "none"}, "success": "2xx", "timeout": "10s",
			"retry": {"kind": "exponential", "initial": "10s", "factor": 2, "max_interval": "1h"}, "retry_after": "0s",
			"on_410": "failure", "ordering": {"kind": "latest_wins", "scope": "type"},
			"entity": {"sources": ["payload.id", "entity_id"]}, "verification": {"kind": "none"},
			"url": {"max_length": 2048}, "subscription_limit": 100, "managed_by": "admin", "suppress": [],
			"traceparent": false
		}`,
		"thredd": `{
			"envelope": [
				{"key": "notificationId", "value": "event_id"}, {"key": "eventCode", "value": "type"},
				{"key": "createdTime", "value": "time"}, {"key": "payload", "value": "payload"}
			], "time": "rfc3339_ms", "wire": {"type": "integer", "open": false},
			"types_per_subscription": {"min": 0, "max": 0, "wildcards": false}, "versions": {"required": false},
			"auth": {"custom_headers": 3}, "signing": {"scheme": "none"}, "success": "2xx", "timeout": "10s", "retry": {
				"kind": "exponential", "initial": "1m", "factor": 2, "max_interval": "1h", "max_attempts": 10, "max_age": "24h"
			}, "retry_after": "0s", "on_410": "failure", "ordering": {"kind": "none"}, "entity": {"sources": []},
			"verification": {"kind": "none"}, "url": {"max_length": 2048}, "subscription_limit": 100,
			"managed_by": "admin", "suppress": [], "traceparent": false
		}`,
		"viva": `{
			"envelope": [
				{"key": "EventData", "value": "payload"}, {"key": "EventTypeId", "value": "type"},
				{"key": "Created", "value": "time"}
			], "time": "as_given", "wire": {"type": "integer", "open": false},
			"types_per_subscription": {"min": 1, "max": 1, "wildcards": false}, "versions": {"required": false},
			"auth": {}, "signing": {"scheme": "none"}, "success": "200", "timeout": "10s",
			"retry": {"kind": "fixed", "interval": "1h", "max_attempts": 73}, "retry_after": "0s", "on_410": "failure",
			"ordering": {"kind": "none"}, "entity": {"sources": []}, "verification": {"kind": "handshake", "member": "Key"},
			"url": {"max_length": 2048}, "subscription_limit": 100, "managed_by": "admin", "suppress": [{
				"type": "transaction.created", "when": [
					{"member": "TransactionTypeId", "equals": 5}, {"member": "CurrentInstallment", "min": 1}
				]
			}], "traceparent": false
		}`,
	}
}

func TestBuiltInProfilesHaveTheirKnobs(t *testing.T) {
	t.Parallel()
	for name, want := range knobs() {
		raw, err := json.Marshal(profile(t, name))
		require.NoError(t, err)
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(raw, &got))
		delete(got, "name")
		delete(got, "catalogue")
		delete(got, "test_event")
		shown, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, want, string(shown), name)
	}
}

func TestALV20_BRI18_ARI18_THR16_VIV22_SuccessRules(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alviere", "bridge", "aria", "thredd", "viva", "standard"} {
		success := profile(t, name).Success
		require.True(t, success.Matches(200), name)
		for _, other2xx := range []int{201, 202, 204, 299} {
			require.Equal(t, name != "alviere" && name != "viva", success.Matches(other2xx), "%s %d", name, other2xx)
		}
		for _, failure := range []int{199, 300, 301, 302, 400, 404, 410, 429, 500} {
			require.False(t, success.Matches(failure), "%s %d", name, failure)
		}
	}
}

// delays reads how long after the one before each retry of a policy comes, up to a number of retries.
func delays(p models.RetryPolicy, limit int) []time.Duration {
	var all []time.Duration
	start := time.Unix(0, 0)
	for last := start; len(all) < limit; {
		next, ok := p.Next(len(all)+1, start, last, "")
		if !ok {
			break
		}
		all, last = append(all, next.Sub(last)), next
	}
	return all
}

func sum(delays []time.Duration) (total time.Duration) {
	for _, delay := range delays {
		total += delay
	}
	return total
}

func TestALV21_22_DelaysOfAlviere(t *testing.T) {
	t.Parallel()
	all := delays(profile(t, "alviere").Retry, 5000)
	require.Len(t, all, 5000, "ALV-23: it never gives up")
	for i, delay := range all[:200] {
		n := i + 1
		require.Equal(t, min(2*time.Minute, time.Duration(n*n)*20*time.Millisecond), delay, "retry %d", n)
	}
}

func TestBRI19_20_DelaysOfBridge(t *testing.T) {
	t.Parallel()
	all := delays(profile(t, "bridge").Retry, 100)
	require.Len(t, all, 11, "12 attempts")
	for i, delay := range all {
		require.Equal(t, time.Minute<<i, delay)
	}
	require.Equal(t, 34*time.Hour+7*time.Minute, sum(all))
}

func TestARI5_DelaysOfAria(t *testing.T) {
	t.Parallel()
	all := delays(profile(t, "aria").Retry, 1000)
	require.Len(t, all, 1000, "indefinitely")
	for i, delay := range all {
		require.Equal(t, min(time.Hour, 10*time.Second<<min(i, 10)), delay)
	}
}

func TestTHR16_DelaysOfThredd(t *testing.T) {
	t.Parallel()
	all := delays(profile(t, "thredd").Retry, 100)
	require.Len(t, all, 9, "10 attempts")
	for i, delay := range all {
		require.Equal(t, min(time.Hour, time.Minute<<i), delay)
	}
	require.Less(t, sum(all), 24*time.Hour)
}

func TestVIV24_25_DelaysOfViva(t *testing.T) {
	t.Parallel()
	all := delays(profile(t, "viva").Retry, 100)
	require.Len(t, all, 72, "73 attempts")
	for _, delay := range all {
		require.Equal(t, time.Hour, delay)
	}
	require.Equal(t, 72*time.Hour, sum(all))
}

func TestDelaysOfStandard(t *testing.T) {
	t.Parallel()
	preview := profile(t, "standard").Retry.Preview()
	require.Equal(t, 10, *preview.Attempts)
	require.Equal(t, 75*time.Hour+35*time.Minute+5*time.Second, preview.Total.Std())
}

func TestBuiltInCatalogues(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"standard": nil,
		"alviere": { // ALV-6
			`"ACCOUNT"`, `"WALLET_TRANSACTION"`, `"ISSUED_CARD"`, `"BENEFICIARY"`, `"BANK_PM"`, `"CARD_PM"`, `"CHECK"`,
			`"DOSSIER"`, `"PAYMENT_INSTRUMENT"`,
		},
		"bridge": { // BRI-13, BRI-14
			`"item.created"`, `"item.refreshed"`, `"item.account.created"`, `"item.account.updated"`,
			`"payment.transaction.created"`, `"payment.transaction.updated"`, `"payment.link.updated"`,
			`"transfer.account.created"`, `"transfer.account.updated"`, `"transfer.created"`, `"transfer.updated"`,
		},
		"aria": { // ARI-3
			`"kyc.updated"`, `"contract.created"`, `"contract.updated"`, `"loan.created"`, `"loan.updated"`,
			`"loan.deleted"`, `"credit-limit.created"`, `"credit-limit.updated"`, `"credit-limit.deleted"`,
			`"advance.created"`, `"advance.updated"`,
		},
		"thredd": {"101", "102", "103", "104", "105", "106", "107", "108", "109", "110", "112"}, // THR-20
		"viva":   {"1796", "1797"},                                                              // VIV-2
	} {
		var wires []string
		for _, entry := range profile(t, name).Catalogue {
			wires = append(wires, entry.Wire)
			require.NotEmpty(t, entry.Description, entry.Name)
			if name != "viva" { // its names are ours
				require.Equal(t, entry.Name, strings.Trim(entry.Wire, `"`))
			}
		}
		require.Equal(t, want, wires, name)
	}
}

func TestBuiltInGroupsVersionsAndDeprecations(t *testing.T) {
	t.Parallel()
	groups := map[string]int{}
	for _, entry := range profile(t, "bridge").Catalogue {
		groups[entry.Group]++
	}
	require.Equal(t, map[string]int{"Banking Synchronization": 4, "Payment Initiation": 7}, groups)
	for _, entry := range profile(t, "alviere").Catalogue {
		require.Equal(t, []string{"2021-11-18.1"}, entry.Versions, entry.Name)
	}
	for _, name := range []string{"bridge", "aria", "thredd", "viva"} {
		for _, entry := range profile(t, name).Catalogue {
			require.Empty(t, entry.Versions)
			require.Equal(t, strings.HasPrefix(entry.Name, "advance."), entry.Deprecated, entry.Name) // ARI-4
		}
	}
	names := fmt.Sprint(profile(t, "viva").Catalogue[0].Name, " ", profile(t, "viva").Catalogue[1].Name)
	require.Equal(t, "transaction.created transaction.refunded", names)
}

func TestBuiltInTestEvents(t *testing.T) {
	t.Parallel()
	for name, wantType := range map[string]string{
		"standard": ``, "alviere": `"ACCOUNT"`, "bridge": `"TEST_EVENT"`, "aria": `"advance.created"`, "thredd": `101`,
		"viva": `1796`,
	} {
		event := profile(t, name).TestEvent
		require.Equal(t, wantType, event.Type, name)
		require.Equal(t, name == "bridge", event.Raw, "the others are put into the envelope")
	}
	require.JSONEq(t, `{"type":"webhook.test"}`, profile(t, "standard").TestEvent.Payload)
	require.JSONEq(t, `{
		"content": {"item_id": 1234567890, "status": 0, "user_uuid": "9a95b38f-f98b-417a-988b-9d0d584893e7"},
		"timestamp": 1611681789, "type": "TEST_EVENT"
	}`, profile(t, "bridge").TestEvent.Payload, "BRI-11")
	for _, name := range []string{"alviere", "aria", "thredd", "viva"} {
		event := profile(t, name).TestEvent
		found, ok := profile(t, name).ResolveType(strings.Trim(event.Type, `"`))
		require.True(t, ok, "a sample is of a type that can be subscribed to")
		require.NoError(t, profile(t, name).CheckPayload(found.Name, []byte(event.Payload)))
	}
	require.Equal(t, "78c9c54c-f656-472d-b303-8d13307d622a", idOf(t, profile(t, "aria").TestEvent.Payload))
}

func idOf(t *testing.T, payload string) string {
	t.Helper()
	var members struct{ ID string }
	require.NoError(t, json.Unmarshal([]byte(payload), &members))
	return members.ID
}
