package app_test

import (
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

const messages = "/webhooks/v1/messages"

func TestVIV12_TheListIsABareArrayOfOwnMessages(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, other, receiver := w.viva(""), w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		other.webhook(receiver, 1796)
		own, theirs := v.fired(), other.fired()
		receiver.awaitPosts(2)
		require.Equal(t, []string{own}, v.listed("eventTypeId=1796"))
		require.Equal(t, []string{theirs}, other.listed("eventTypeId=1796"))
		require.Equal(t, 401, v.statusOf("GET", messages+"?eventTypeId=1796", ""))
	})
}

func TestVIV13_EventTypeIdIsRequiredAndAnInteger(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		v.webhook(receiver, 1797)
		created, refunded := v.fire(1796), v.fire(1797)
		receiver.awaitPosts(2)
		for _, bad := range []string{"", "?eventTypeId=", "?eventTypeId=abc", "?eventTypeId=1796.5", "?before="} {
			require.Equal(t, "malformed_request", v.call("GET", messages+bad, nil, 400)["code"], bad)
		}
		require.Equal(t, created, v.listed("eventTypeId=1796"))
		require.Equal(t, refunded, v.listed("eventTypeId=1797"))
		require.EqualValues(t, 1797, v.messages("eventTypeId=1797")[0]["eventTypeId"])
		require.Empty(t, v.listed("eventTypeId=9999"))
	})
}

func TestVIV14_BeforeIsExclusive(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		ids := make([]string, 3)
		for i := range ids {
			ids[i] = v.fired()
			receiver.awaitPosts(i + 1)
			<-time.After(2 * time.Millisecond) // times are shown in milliseconds
		}
		slices.Reverse(ids) // newest first
		all := v.messages("eventTypeId=1796")
		require.Equal(t, ids, v.listed("eventTypeId=1796"))
		before := func(created any, form string) []string {
			at := timeOf(t, created).In(time.FixedZone("", 3*60*60)).Format(form)
			return v.listed("eventTypeId=1796&before=" + url.QueryEscape(at))
		}
		require.Equal(t, ids[1:], v.listed("eventTypeId=1796&before="+all[0]["created"].(string)))
		require.Equal(t, ids[1:], before(all[0]["created"], time.RFC3339Nano), "+03:00")
		require.Empty(t, before(all[2]["created"], time.RFC3339Nano))
		for _, bad := range []string{"yesterday", "2014-06-18", "1403090430"} {
			v.call("GET", messages+"?eventTypeId=1796&before="+bad, nil, 400)
		}
	})
}

func TestVIV15_ResponseStatusFilters(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		delivered := v.fired()
		v.messageBecomes(delivered, 1, 1)
		receiver.answers(status(500)...)
		failing := v.fired()
		v.messageBecomes(failing, 2, 1)
		require.Equal(t, []string{delivered}, v.listed("eventTypeId=1796&responseStatus=1"))
		require.Equal(t, []string{failing}, v.listed("eventTypeId=1796&responseStatus=2"))
		require.Equal(t, []string{failing, delivered}, v.listed("eventTypeId=1796"))
		for _, bad := range []string{"3", "0", "x"} {
			v.call("GET", messages+"?eventTypeId=1796&responseStatus="+bad, nil, 400)
		}
	})
}

func TestVIV16_AListedMessageHasEightKeys(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		receivers := map[string]*sink{
			"delivered": newSink(t), "retrying": newSink(t, status(503)...), "unanswered": newSink(t),
		}
		v := w.viva("")
		for _, receiver := range receivers {
			v.webhook(receiver, 1796)
		}
		receivers["unanswered"].Close()
		for _, id := range v.fire(1796) {
			v.world.settledOnce(id)
		}
		found := map[any]object{}
		for _, m := range v.messages("eventTypeId=1796") {
			require.ElementsMatch(t, []string{
				"messageId", "eventTypeId", "created", "responseStatus", "statusCode", "delivered", "nextRetry", "url",
			}, slices.Collect(maps.Keys(m)))
			require.True(t, models.IsID(m["messageId"].(string)))
			require.EqualValues(t, 1796, m["eventTypeId"])
			require.WithinDuration(t, time.Now(), timeOf(t, m["created"]), patience)
			found[m["url"]] = m
		}
		shown := func(receiver string) object { return found[receivers[receiver].URL+"/hook"] }
		last := func(m object) time.Time { return timeOf(t, w.logs(m["messageId"].(string))[0]["finished_at"]) }
		delivered, retrying, unanswered := shown("delivered"), shown("retrying"), shown("unanswered")
		require.Equal(t, []any{1.0, 200.0, nil}, values(delivered, "responseStatus", "statusCode", "nextRetry"))
		require.WithinDuration(t, last(delivered), timeOf(t, delivered["delivered"]), 2*time.Millisecond)
		require.Equal(t, []any{2.0, 503.0, nil}, values(retrying, "responseStatus", "statusCode", "delivered"))
		require.WithinDuration(t, last(retrying).Add(time.Hour), timeOf(t, retrying["nextRetry"]), 2*time.Millisecond)
		require.Equal(t, []any{2.0, nil, nil}, values(unanswered, "responseStatus", "statusCode", "delivered"))
		require.NotNil(t, unanswered["nextRetry"])

		w.call("POST", "/v1/applications/"+v.app+"/events",
			`{"type":1796,"payload":{},"not_before":"`+inAnHour()+`"}`, 202)
		require.Equal(t, []any{0.0, nil, nil, nil},
			values(v.messages("eventTypeId=1796&limit=1")[0], "responseStatus", "statusCode", "delivered", "nextRetry"))
	})
}

// settledOnce waits for the invocation's first log entry.
func (w *world) settledOnce(id string) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return len(w.logs(id)) == 1 }, patience, 10*time.Millisecond)
}

func values(o object, keys ...string) []any {
	list := make([]any, 0, len(keys))
	for _, key := range keys {
		list = append(list, o[key])
	}
	return list
}
