package app_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rules are what a profile asks of its clients, by an example that it takes and by what it refuses.
type rules struct {
	// subscription is one that has everything that the profile requires, and nothing else.
	subscription object
	// optional are members of it that may as well be left out.
	optional []string
	// unused are members that the profile has no use for.
	unused object
	// wrong are changes of the subscription, by the place of the fault.
	wrong map[string][]object
	// event is one that it takes, of the subscription's type.
	event object
	// unknown are types that it does not know.
	unknown []any
	// refused are changes of the event, by the place of the fault.
	refused map[string][]object
}

const hookURL = "https://example.com/hook"

// unusedOf are the members that only some profiles use; those used by this one are left out.
func unusedOf(used ...string) object {
	unused := object{"version": "2021-11-18.1", "security_key": "k1", "headers": object{"X-Api-Key": "k"}}
	for _, member := range used {
		delete(unused, member)
	}
	return unused
}

func types(list ...any) object { return object{"event_types": append([]any{}, list...)} }

// manyHeaders are one more than n.
func manyHeaders(n int) object {
	headers := object{}
	for i := range n + 1 {
		headers["X-"+strings.Repeat("A", i+1)] = "1"
	}
	return object{"headers": headers}
}

func rulesOf() map[string]rules {
	onlyOne := func(one, other any) map[string][]object {
		return map[string][]object{
			"event_types":    {types(), types(one, other), {"event_types": one}},
			"event_types[0]": {types("FOO"), types("*"), types(""), types(true)},
		}
	}
	all := map[string]rules{
		"standard": {
			subscription: types("loan.*"), unused: unusedOf("headers"),
			wrong: map[string][]object{
				"event_types":    {types(), {"event_types": "*"}},
				"event_types[0]": {types("a b"), types("lo*n"), types(""), types(strings.Repeat("x", 129)), types(nil)},
				"event_types[1]": {types("a", "a")},
				"headers":        {manyHeaders(20), {"headers": []string{"X-A: 1"}}},
				"headers.Host":   {{"headers": object{"Host": "example.org"}}},
				"headers.X-A":    {{"headers": object{"X-A": "a\r\nB: c"}}, {"headers": object{"X-A": 1}}},
			},
			event: object{"type": "loan.created"}, unknown: []any{"a b", "", ".a", strings.Repeat("x", 129)},
			refused: map[string][]object{"entity_id": {{"entity_id": strings.Repeat("x", 129)}}},
		},
		"alviere": {
			subscription: object{"event_types": []any{"ACCOUNT"}, "version": "2021-11-18.1", "security_key": "k1"},
			unused:       unusedOf("version", "security_key"), wrong: onlyOne("ACCOUNT", "CHECK"),
			event: object{"type": "ACCOUNT"}, unknown: []any{"FOO", "account", "ACTIVITY", "*", 1},
		},
		"bridge": {
			subscription: types("item.created", "item.refreshed"), unused: unusedOf(),
			wrong: map[string][]object{
				"event_types":    {types(), {"event_types": "item.created"}},
				"event_types[0]": {types("item.deleted"), types("item.*"), types("*"), types("TEST_EVENT")},
				"event_types[1]": {types("item.created", "item.created")},
			},
			event: object{"type": "item.created"}, unknown: []any{"item.deleted", "TEST_EVENT", "item.*", "Item.Created"},
		},
		"aria": {
			subscription: types("loan.updated"), unused: unusedOf(), wrong: onlyOne("loan.updated", "loan.created"),
			event: object{"type": "loan.updated", "payload": object{"id": "L"}}, unknown: []any{"loan.paid", "loan", "*", 101},
			refused: map[string][]object{"payload/id": {{"payload": object{"id": strings.Repeat("x", 129)}}}},
		},
		"thredd": {
			subscription: types(101), optional: []string{"event_types"}, unused: unusedOf("headers"),
			wrong: map[string][]object{
				"event_types":    {{"event_types": 101}},
				"event_types[0]": {types(111), types("101a"), types("*"), types(1.5)},
				"event_types[1]": {types(101, "101")},
				"headers":        {manyHeaders(3)},
			},
			event: object{"type": 101}, unknown: []any{111, 100, 113, "101a"},
		},
		"viva": {
			subscription: types(1796), unused: unusedOf(), wrong: onlyOne(1796, 1797),
			event: object{"type": 1796}, unknown: []any{1798, "1795", "transaction", 0},
			refused: map[string][]object{
				"payload/TransactionTypeId": {{"payload": object{"TransactionTypeId": 4}}, {"payload": object{"TransactionTypeId": "5"}}},
			},
		},
	}
	alviere := all["alviere"].wrong
	alviere["version"] = []object{{"version": "1999-01-01.1"}, {"version": ""}, {"version": 1}, {"version": nil}}
	alviere["security_key"] = []object{{"security_key": ""}, {"security_key": "a\r\nB: c"}, {"security_key": 1}, {"security_key": nil}}
	return all
}

// badURLs are none that any profile delivers to.
func badURLs() []any {
	return []any{
		"", nil, 1, "http://example.com/hook", "ftp://example.com/hook", "/hook", "example.com/hook", "https://", "https:///x",
		"https://user:pass@example.com/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://exa mple.com/",
		"https://example.com/" + strings.Repeat("x", 2048),
	}
}

// badAnywhere are changes of a subscription that no profile takes, by the place of the fault.
func badAnywhere() map[string][]object {
	return map[string][]object{
		"subscription_type":       {{"subscription_type": "email"}},
		"name":                    {{"name": strings.Repeat("n", 201)}, {"name": 1}},
		"enabled":                 {{"enabled": "yes"}},
		"secret":                  {{"secret": "mine"}}, // read-only, or unknown
		"event_type":              {{"event_type": "loan.updated"}},
		"delivery":                {{"delivery": "fast"}},
		"delivery.timeout":        {{"delivery": object{"timeout": "61s"}}, {"delivery": object{"timeout": "99ms"}}},
		"delivery.retry.kind":     {{"delivery": object{"retry": object{"kind": "often"}}}},
		"delivery.retry.interval": {{"delivery": object{"retry": object{"kind": "fixed", "interval": "9ms"}}}},
		"delivery.signing":        {{"delivery": object{"signing": object{"scheme": "none"}}}},
	}
}

// badEvents are changes of an event that no profile takes, by the place of the fault.
func badEvents() map[string][]object {
	return map[string][]object{
		"type":            {{"type": nil}, {"type": true}, {"type": []any{"a"}}},
		"occurred_at":     {{"occurred_at": "yesterday"}, {"occurred_at": 1611681789}},
		"not_before":      {{"not_before": "2026-11-21"}, {"not_before": "9999-01-01T00:00:00Z"}},
		"idempotency_key": {{"idempotency_key": ""}, {"idempotency_key": strings.Repeat("k", 257)}, {"idempotency_key": "a\nb"}},
		"sequence":        {{"sequence": "1"}, {"sequence": 1.5}},
		"data":            {{"data": object{}}}, // an unknown member
	}
}

func TestBadInputPerProfileIsNamedAndNothingOfItStored(t *testing.T) {
	t.Parallel()
	for name, r := range rulesOf() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(w *world) {
				app := w.application(name, "")
				w.refusesSubscriptions("/v1/applications/"+app+"/subscriptions", r)
				w.refusesEvents("/v1/applications/"+app+"/events", r)
			})
		})
	}
}

func with(base, change object) object {
	changed := maps.Clone(base)
	maps.Copy(changed, change)
	return changed
}

func without(base object, member string) object {
	changed := maps.Clone(base)
	delete(changed, member)
	return changed
}

func (w *world) refusesSubscriptions(path string, r rules) {
	w.t.Helper()
	base := with(r.subscription, object{"url": hookURL})
	refused := func(body object, place string) {
		w.t.Helper()
		text, _ := json.Marshal(body)
		require.Equal(w.t, []string{place}, w.refusedAt("POST", path, body), string(text))
	}
	for member := range base {
		if len(r.optional) == 0 || r.optional[0] != member {
			refused(without(base, member), member)
		}
	}
	for member, value := range r.unused {
		refused(with(base, object{member: value}), member)
	}
	for _, url := range badURLs() {
		refused(with(base, object{"url": url}), "url")
	}
	for _, wrong := range []map[string][]object{r.wrong, badAnywhere()} {
		for place, changes := range wrong {
			for _, change := range changes {
				refused(with(base, change), place)
			}
		}
	}
	require.Empty(w.t, w.listed(path))

	made := w.call("POST", path, base, 201) // the example is one: each refusal was for its one fault
	hook := "/v1/subscriptions/" + made["id"].(string)
	before := w.call("GET", hook, nil, 200)
	for place, changes := range r.wrong {
		for _, change := range changes {
			require.Equal(w.t, []string{place}, w.refusedAt("PATCH", hook, with(change, object{"name": "changed"})), change)
		}
	}
	require.Equal(w.t, before, w.call("GET", hook, nil, 200))
	w.call("DELETE", hook, nil, 204)
}

func (w *world) refusesEvents(path string, r rules) {
	w.t.Helper()
	base := with(object{"payload": object{}}, r.event)
	refused := func(body object, place string) {
		w.t.Helper()
		text, _ := json.Marshal(body)
		require.Equal(w.t, []string{place}, w.refusedAt("POST", path, body), string(text))
	}
	refused(without(base, "type"), "type")
	refused(without(base, "payload"), "payload")
	for _, unknown := range r.unknown {
		refused(with(base, object{"type": unknown}), "type")
	}
	for _, wrong := range []map[string][]object{r.refused, badEvents()} {
		for place, changes := range wrong {
			for _, change := range changes {
				refused(with(base, change), place)
			}
		}
	}
	require.Empty(w.t, w.listed(path))
	w.call("POST", path, base, 202)
	require.Len(w.t, w.listed(path), 1)
}
