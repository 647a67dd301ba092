package app_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVIV26_AnUnverifiedURLReceivesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		receiver.shows(answer{status: 200, body: keyAnswer(v.token)})
		sub := v.unverified(receiver.URL, 1796)
		require.Equal(t, false, v.call("GET", sub, nil, 200)["verified"])
		require.Empty(t, v.fire(1796))
		v.call("POST", sub+"/test", nil, 409)
		receiver.quiet(200 * time.Millisecond)

		v.call("POST", sub+"/verify", nil, 200)
		require.Equal(t, "active", v.call("GET", sub, nil, 200)["status"])
		require.Len(t, v.fire(1796), 1)
		receiver.awaitPosts(1)
		receiver.quiet(200 * time.Millisecond)
		require.Len(t, receiver.posts(), 1, "what was published before does not follow")
	})
}

func TestVIV27_ANewURLIsToBeVerifiedAnew(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, older, newer := w.viva(every(100, 1000)), newSink(t, status(500)...), newSink(t)
		newer.shows(answer{status: 200, body: keyAnswer(v.token)})
		sub := v.webhook(older, 1796)
		open := v.fired()
		older.awaitPosts(2)
		require.Equal(t, true, v.call("PATCH", sub, object{"name": "renamed"}, 200)["verified"])
		older.awaitPosts(len(older.posts()) + 2) // a name changes nothing for what is open
		require.Equal(t, "unverified", v.call("PATCH", sub, object{"url": newer.URL}, 200)["status"])
		<-time.After(200 * time.Millisecond) // an attempt that was granted before arrives
		require.Eventually(t, func() bool { return len(v.logs(open)) == len(older.posts()) }, patience, 10*time.Millisecond,
			"an attempt that was in flight settles")

		attempts := len(older.posts())
		require.Empty(t, v.fire(1796))
		require.Nil(t, v.message(open)["nextRetry"], "nothing is sent while it is unverified")
		require.Equal(t, "paused", v.invocation(open)["status"])
		require.Equal(t, "conflict", v.call("POST", messages+"/"+open+":redeliver", nil, 409)["code"])
		older.quiet(500 * time.Millisecond) // five intervals
		require.Empty(t, newer.got())
		require.Len(t, older.posts(), attempts)

		v.call("POST", sub+"/verify", nil, 200)
		v.messageBecomes(open, 1, attempts+1)
		require.Equal(t, older.posts()[0].body, newer.posts()[0].body, "what was open goes to the new URL")
		v.fired()
		newer.awaitPosts(2)
		newer.quiet(200 * time.Millisecond)
		require.Len(t, newer.posts(), 2)
		require.Len(t, older.posts(), attempts)
		require.Equal(t, true, v.call("PATCH", sub, object{"name": "again"}, 200)["verified"])
	})
}

func TestVIV28_VerifyingIsOneGET(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		receiver.shows(answer{status: 200, body: keyAnswer(v.token)})
		sub := v.unverified(receiver.URL+"/path?query=1", 1796)
		receiver.quiet(200 * time.Millisecond)
		require.Empty(t, receiver.got(), "nothing is sent before the action")
		v.call("POST", sub+"/verify", nil, 200)
		receiver.quiet(100 * time.Millisecond)
		got := receiver.got()
		require.Len(t, got, 1)
		require.Equal(t, "GET", got[0].method)
		require.Equal(t, "/path?query=1", got[0].target)
		require.Empty(t, got[0].body)
	})
}

func TestVIV29_VerifiedOnlyByTheKeyInItsForm(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, other := w.viva(""), w.viva("")
		elsewhere := newSink(t, answer{status: 200, body: keyAnswer(v.token)})
		for name, c := range map[string]struct {
			shown  answer
			reason string
		}{
			"another value":    {answer{status: 200, body: keyAnswer("B3248222FDCD1885AEAFE51CCC1B5607F00903F6")}, "is not the application's key"},
			"another tenant's": {answer{status: 200, body: keyAnswer(other.token)}, "is not the application's key"},
			"lower-case value": {answer{status: 200, body: keyAnswer(strings.ToLower(v.token))}, "is not the application's key"},
			"lower-case key":   {answer{status: 200, body: `{"key":"` + v.token + `"}`}, `has no member "Key"`},
			"missing":          {answer{status: 200, body: `{}`}, `has no member "Key"`},
			"non-JSON":         {answer{status: 200, body: v.token}, "is not a JSON object"},
			"empty":            {answer{status: 200}, "is not a JSON object"},
			"404":              {answer{status: 404, body: keyAnswer(v.token)}, "404"},
			"500":              {answer{status: 500, body: keyAnswer(v.token)}, "500"},
			"201":              {answer{status: 201, body: keyAnswer(v.token)}, "201"},
			"redirect": {
				answer{status: 302, body: keyAnswer(v.token), header: http.Header{"Location": {elsewhere.URL + "/away"}}}, "302",
			},
			"timeout": {answer{hang: true}, "the request failed"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := &vivaApp{world: v.at(t), app: v.app}
				receiver := newSink(t)
				receiver.shows(c.shown)
				sub := v.unverified(receiver.URL, 1796)
				problem := v.call("POST", sub+"/verify", nil, 422)
				require.Equal(t, "verification_failed", problem["code"])
				require.Contains(t, problem["detail"], c.reason)
				require.Equal(t, "unverified", v.call("GET", sub, nil, 200)["status"])
				require.NotContains(t, elsewhere.targets(), "/away", "a redirect was followed")
			})
		}
		for name, body := range map[string]string{
			"as it is":     keyAnswer(v.token),
			"more members": `{"a":[1],"Key":"` + v.token + `","key":"x"}`,
			"white space":  "\r\n { \"Key\" :\t\"" + v.token + "\" } \n",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := &vivaApp{world: v.at(t), app: v.app}
				receiver := newSink(t)
				receiver.shows(answer{status: 200, body: body})
				sub := v.unverified(receiver.URL, 1796)
				require.Equal(t, object{"verified": true}, v.call("POST", sub+"/verify", nil, 200))
				require.Equal(t, "active", v.call("GET", sub, nil, 200)["status"])
			})
		}
	})
}

const token = "/api/messages/config/token"

func TestVIV30_TheTokenIsWhatTheURLHasToShow(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, other, receiver := w.viva(""), w.viva(""), newSink(t)
		code, body := v.raw("GET", token, nil, nil)
		require.Equal(t, 200, code)
		require.Regexp(t, `^\{"Key":"[0-9A-F]{40}"\}\s*$`, string(body))
		_, again := v.raw("GET", token, nil, nil)
		require.Equal(t, body, again)
		require.NotEqual(t, v.token, other.token)

		receiver.shows(answer{status: 200, body: string(body)}) // printed to the page as is
		v.call("POST", v.unverified(receiver.URL, 1796)+"/verify", nil, 200)
	})
}

func TestVIV31_StandardAuthenticationHeaders(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		id := v.fired()
		basic := func(user, key string) string {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+key))
		}
		for _, r := range []struct {
			method, path   string
			admin, members int
		}{
			{"GET", token, 200, 403},
			{"GET", messages + "?eventTypeId=1796", 200, 200},
			{"GET", messages + "/" + id, 200, 200},
			{"POST", messages + "/" + id + ":redeliver", 202, 403},
		} {
			for _, none := range []string{"", "Bearer x", "Basic x", basic(v.app, "x"), basic(w.viva("").app, v.adminKey)} {
				require.Equal(t, 401, v.statusOf(r.method, r.path, none), "%s %s", r.path, none)
			}
			for _, scheme := range []func(key string) string{
				func(key string) string { return "Bearer " + key },
				func(key string) string { return basic(v.app, key) },
			} {
				require.Equal(t, r.admin, v.statusOf(r.method, r.path, scheme(v.adminKey)), r.path)
				require.Equal(t, r.members, v.statusOf(r.method, r.path, scheme(v.memberKey)), r.path)
				require.Equal(t, 403, v.statusOf(r.method, r.path, scheme(operatorKey)), r.path)
			}
		}
		receiver.awaitPosts(3) // with the two redeliveries
		require.Equal(t, 401, v.statusOf("GET", "/v1/source-ips", basic(v.app, v.adminKey)), "Basic is for these routes only")
	})
}
