package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestListsAreReadInParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	w.subscription(app, anyType)
	for i := range 7 {
		w.event(app, fmt.Sprintf(`{"type":"t","payload":%d}`, i))
		w.key(app, "member")
	}
	for path, total := range map[string]int{
		"/v1/applications/" + app + "/events?":        7,
		"/v1/applications/" + app + "/events?type=t&": 7,
		"/v1/applications/" + app + "/invocations?":   7,
		"/v1/applications/" + app + "/keys?":          7,
		"/v1/applications/" + app + "/subscriptions?": 1,
		"/v1/profiles?":                 len(profileNames(t, w)),
		"/v1/event-types?profile=viva&": 2,
		"/v1/applications?":             1,
	} {
		for _, limit := range []int{1, 2, 3, 500} {
			var seen []string
			cursor := ""
			for range 20 {
				page := w.op("GET", fmt.Sprintf("%slimit=%d%s", path, limit, cursor), "").is(200)
				for _, item := range page["items"].([]any) {
					seen = append(seen, fmt.Sprint(item.(map[string]any)["id"], item.(map[string]any)["name"]))
				}
				if page["next_cursor"] == nil {
					break
				}
				require.Len(t, page["items"], limit)
				cursor = "&cursor=" + page["next_cursor"].(string)
			}
			require.Len(t, seen, total, path)
			require.Len(t, unique(seen), total, path)
		}
	}
}

func profileNames(t *testing.T, w *world) []any {
	t.Helper()
	return w.op("GET", "/v1/profiles?limit=500", "").is(200)["items"].([]any)
}

func unique(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

func TestF61_OnlyOurOwnCursorsOpen(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app, other := w.application("standard", ""), w.application("standard", "")
		for range 3 {
			w.event(app, `{"type":"t","payload":1}`)
			w.event(other, `{"type":"t","payload":1}`)
		}
		path := "/v1/applications/" + app + "/events"
		cursor := w.op("GET", path+"?limit=1", "").is(200)["next_cursor"].(string)
		w.op("GET", path+"?limit=2&cursor="+cursor, "").is(200)
		admin := w.key(app, "admin")
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		require.NoError(t, err)
		var bad []string
		for i := range raw {
			for bit := range 8 {
				flipped := append([]byte(nil), raw...)
				flipped[i] ^= 1 << bit
				bad = append(bad, base64.RawURLEncoding.EncodeToString(flipped))
			}
			bad = append(bad, base64.RawURLEncoding.EncodeToString(raw[:i]))
		}
		bad = append(bad, cursor[:len(cursor)-1], cursor+"A", cursor+"=", "x", "%00", "%ff", strings.Repeat("A", 4000), "2", "null")
		for _, sql := range injections() {
			bad = append(bad, base64.RawURLEncoding.EncodeToString([]byte(sql)),
				base64.RawURLEncoding.EncodeToString(append(raw[:cursorMAC:cursorMAC], sql...)))
		}
		for _, c := range bad {
			if c != "" {
				w.op("GET", path+"?cursor="+c, "").problem(400, models.CodeMalformed)
			}
		}
		for _, elsewhere := range []string{
			"/v1/applications/" + other + "/events?", path + "?type=t&", path + "?undelivered=true&",
			"/v1/applications/" + app + "/invocations?", "/v1/applications/" + app + "/keys?", "/v1/applications?",
			"/v1/profiles?", "/v1/event-types?profile=viva&", "/v1/erasures?", "/v1/audit?",
		} {
			w.op("GET", elsewhere+"cursor="+cursor, "").problem(400, models.CodeMalformed)
		}
		w.do(admin, "GET", path+"?cursor="+cursor, "").problem(400, models.CodeMalformed)
	})
}

// The rows behind a cursor may go, the one that it points at too: the rest of the list is still what follows.
func TestF61_ACursorOutlivesItsRows(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		app := w.application("standard", "")
		path := "/v1/applications/" + app + "/subscriptions"
		var ids []string
		for range 4 {
			ids = append(ids, w.subscription(app, anyType))
		}
		page := w.op("GET", path+"?limit=2", "").is(200)
		cursor := page["next_cursor"].(string)
		for _, id := range ids[1:3] { // newest first: the last one shown, and the first to come
			w.op("DELETE", "/v1/subscriptions/"+id, "").is(204)
		}
		for range 2 { // and again
			rest := w.op("GET", path+"?cursor="+cursor, "").is(200)
			require.Len(t, rest["items"], 1)
			require.Equal(t, ids[0], rest["items"].([]any)[0].(map[string]any)["id"])
			require.Nil(t, rest["next_cursor"])
		}
		w.op("DELETE", "/v1/subscriptions/"+ids[0], "").is(204)
		require.Empty(t, w.op("GET", path+"?cursor="+cursor, "").is(200)["items"])
	})
}

// While master keys are rotated, API processes have them in different orders.
func TestF61_ACursorOpensUnderEveryKeyOfTheDeployment(t *testing.T) {
	t.Parallel()
	old, fresh := bytes.Repeat([]byte("k"), 32), bytes.Repeat([]byte("n"), 32)
	one, other := cursors{keys: [][]byte{old, fresh}}, cursors{keys: [][]byte{fresh, old}}
	scope := []string{"app"}
	for _, pair := range [][2]cursors{{one, other}, {other, one}} {
		position, ok := pair[1].open(scope, pair[0].seal(scope, "7"))
		require.True(t, ok)
		require.Equal(t, "7", position)
	}
	_, ok := cursors{keys: [][]byte{fresh}}.open(scope, one.seal(scope, "7"))
	require.False(t, ok)
}

func TestBadQueriesAre422(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	base := "/v1/applications/" + own.app
	for query, place := range map[string]string{
		"/events?limit=0": "limit", "/events?limit=501": "limit", "/events?limit=x": "limit", "/events?limit=-1": "limit",
		"/events?limit=1.5": "limit", "/events?limit=99999999999999999999": "limit", "/events?limit=1&limit=2": "limit",
		"/events?after=yesterday": "after", "/events?before=2026-01-01": "before", "/events?nope=1": "nope",
		"/events?undelivered=maybe": "undelivered", "/events?type=no%20type": "type", "/events?type=%00": "type",
		"/events?entity_id=%00": "entity_id", "/events?entity_id=%ff": "entity_id",
		"/events?entity_id=" + strings.Repeat("x", 129): "entity_id",
		"/invocations?status=lost":                      "status", "/invocations?subscription_id=1": "subscription_id",
		"/invocations?event_id=nope": "event_id", "/invocations?event_type=%20": "event_type",
		"/subscriptions?status=paused": "status", "/subscriptions?event_type=a%20b": "event_type",
		"/keys?role=admin": "role", "/keys?%00=1": "\x00",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w.op("GET", base+query, "").problem(422, models.CodeValidation, place)
		})
	}
	w.op("GET", base+"/events?a=%zz", "").problem(422, models.CodeValidation)
	w.op("GET", base+"/events?limit=1;cursor=2", "").problem(422, models.CodeValidation)
	w.op("GET", "/v1/event-types", "").problem(422, models.CodeValidation, "profile")
	w.op("GET", "/v1/event-types?profile=nobody", "").problem(422, models.CodeValidation, "profile")
}

func TestFiltersNarrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	sub := w.subscription(app, `{"url":"https://example.com/a","event_types":["loan.*"],"name":"loans"}`)
	off := w.subscription(app, `{"url":"https://example.com/b","event_types":["*"],"enabled":false}`)
	loan := w.event(app, `{"type":"loan.updated","payload":1,"entity_id":"L1"}`)
	card := w.event(app, `{"type":"card.updated","payload":1,"entity_id":"C1"}`)
	count := func(query string) int {
		return len(w.op("GET", "/v1/applications/"+app+query, "").is(200)["items"].([]any))
	}
	at := loan["created_at"].(string)
	for query, want := range map[string]int{
		"/events": 2, "/events?type=loan.updated": 1, "/events?type=never.seen": 0, "/events?entity_id=C1": 1,
		"/events?undelivered=true": 2, "/events?undelivered=false": 2, "/events?before=2020-01-01T00:00:00Z": 0,
		"/events?after=2020-01-01T00:00:00%2B03:00": 2, "/events?after=2100-01-01T00:00:00Z": 0, "/events?status=": -1,
		"/events?after=" + at: 2, "/events?type=&entity_id=": 2,
		"/invocations": 1, "/invocations?subscription_id=" + sub: 1, "/invocations?subscription_id=" + off: 0,
		"/invocations?event_id=" + loan["id"].(string): 1, "/invocations?event_id=" + card["id"].(string): 0,
		"/invocations?event_type=loan.updated": 1, "/invocations?entity_id=L1": 1, "/invocations?entity_id=C1": 0,
		"/invocations?status=pending": 1, "/invocations?status=succeeded": 0, "/invocations?before=" + at: 0,
		"/subscriptions": 2, "/subscriptions?status=active": 1, "/subscriptions?status=disabled": 1,
		"/subscriptions?status=gone": 0, "/subscriptions?event_type=loan.*": 1, "/subscriptions?event_type=*": 1,
		"/subscriptions?event_type=loan.updated": 0,
	} {
		if want < 0 {
			w.op("GET", "/v1/applications/"+app+query, "").problem(422, models.CodeValidation)
			continue
		}
		require.Equal(t, want, count(query), query)
	}
}

func TestNothingIsOlderThanTheFirstYear(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		own := newTenant(w, "")
		app := "/v1/applications/" + own.app
		for _, list := range []string{app + "/events?", app + "/invocations?", "/v1/audit?application_id=" + own.app + "&"} {
			require.NotEmpty(w.t, w.op("GET", list+"before=", "").is(200)["items"], list)
			require.NotEmpty(w.t, w.op("GET", list+"after=0001-01-01T00:00:00Z", "").is(200)["items"], list)
			for _, before := range []string{"0001-01-01T00:00:00Z", "0001-01-01T02:00:00%2B02:00", "0000-01-01T00:00:00Z"} {
				require.Empty(w.t, w.op("GET", list+"before="+before, "").is(200)["items"], list+before)
			}
		}
		job := w.op("POST", app+"/redeliveries", `{"filter":{"before":"0001-01-01T00:00:00Z"}}`).is(202)
		require.Equal(w.t, []string{"0", "completed"}, []string{number(job, "matched"), job["state"].(string)})
	})
}
