// Tests of what keys may make of themselves.

package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAnExpiringKeyCannotMakeItselfPermanent(t *testing.T) {
	t.Parallel()
	at := &clock{now: time.Now()}
	w := newWorldWith(t, at.Now, nil)
	keys := "/v1/applications/" + w.application("standard", "") + "/keys"
	expires := func(in time.Duration) string {
		return at.Now().Add(in).UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	body := func(role, expires string) string {
		return `{"role":"` + role + `","name":"k","expires_at":"` + expires + `"}`
	}
	own, sooner, later := expires(time.Hour), expires(time.Minute), expires(time.Hour+time.Second)
	admin := w.op("POST", keys, body("admin", own)).is(201)["key"].(string)

	heir := w.do(admin, "POST", keys, `{"role":"admin","name":"k"}`).is(201)
	require.True(t, sameTime(t, own, heir["expires_at"]))
	require.True(t, sameTime(t, own, w.do(admin, "POST", keys, `{"role":"member","name":"k","expires_at":null}`).is(201)["expires_at"]))
	require.True(t, sameTime(t, own, w.do(admin, "POST", keys, body("admin", own)).is(201)["expires_at"]))
	require.True(t, sameTime(t, sooner, w.do(admin, "POST", keys, body("member", sooner)).is(201)["expires_at"]))
	w.do(admin, "POST", keys, body("admin", later)).problem(422, models.CodeValidation, "expires_at")
	w.do(heir["key"].(string), "POST", keys, body("admin", later)).problem(422, models.CodeValidation, "expires_at")
	require.Nil(t, w.do(w.key("", "operator"), "POST", keys, `{"role":"admin","name":"k"}`).is(201)["expires_at"])

	at.advance(time.Hour)
	w.do(heir["key"].(string), "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
}

func TestAnExpiringOperatorKeyCannotMakeItselfPermanent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	operator := w.op("POST", "/v1/keys", `{"role":"operator","name":"k","expires_at":"`+own+`"}`).is(201)["key"].(string)
	require.True(t, sameTime(t, own, w.do(operator, "POST", "/v1/keys", `{"role":"operator","name":"k"}`).is(201)["expires_at"]))
	keys := "/v1/applications/" + w.application("standard", "") + "/keys"
	require.True(t, sameTime(t, own, w.do(operator, "POST", keys, `{"role":"admin","name":"k"}`).is(201)["expires_at"]))
}

// sameTime compares a time that was asked for with one that was answered.
func sameTime(t *testing.T, want string, got any) bool {
	t.Helper()
	asked, err := time.Parse(time.RFC3339, want)
	require.NoError(t, err)
	text, ok := got.(string)
	require.True(t, ok, "no time: %v", got)
	answered, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return asked.Equal(answered)
}
