package dashboard_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheSessionIsSealedAndNoScriptReadsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := &visitor{world: w}
	p := v.post("/sign-in", url.Values{"key": {operatorKey}}, http.StatusSeeOther)
	require.Equal(t, "/applications", p.Header().Get("Location"))
	require.True(t, v.cookie.HttpOnly)
	require.False(t, v.cookie.Secure, "there is no TLS here")
	require.Equal(t, http.SameSiteStrictMode, v.cookie.SameSite)
	require.Equal(t, 12*60*60, v.cookie.MaxAge)
	require.NotContains(t, v.cookie.Value, operatorKey)
	require.NotContains(t, v.get("/applications", http.StatusOK), operatorKey)

	behindTLS := (&visitor{world: w}).ask("POST", "/sign-in", url.Values{"key": {operatorKey}}, "X-Forwarded-Proto", "https")
	require.True(t, behindTLS.Result().Cookies()[0].Secure)
}

func TestWhoIsNotSignedInSeesTheSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard")
	nobody := &visitor{world: w}
	require.Contains(t, nobody.get("/", http.StatusOK), "API key")
	for _, path := range []string{"/applications", "/applications/" + app, "/retry-policies", "/jobs/none"} {
		require.NotContains(t, nobody.get(path, http.StatusUnauthorized), "Shop", path)
	}
	nobody.post("/applications", url.Values{"name": {"n"}, "profile": {"standard"}}, http.StatusUnauthorized)

	for _, key := range []string{"", "ph_admin_wrong", operatorKey + "x", "a\nb", string(make([]byte, 2000))} {
		v := &visitor{world: w}
		v.post("/sign-in", url.Values{"key": {key}}, http.StatusUnauthorized)
		require.Nil(t, v.cookie)
	}
	v := &visitor{world: w}
	require.Contains(t, v.post("/sign-in", url.Values{"key": {w.key(app, "publisher")}}, http.StatusUnauthorized).html, "may publish")
	require.Nil(t, v.cookie)
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signIn(operatorKey)
	kept := v.cookie
	v.post("/sign-out", nil, http.StatusSeeOther)
	require.Negative(t, v.cookie.MaxAge)
	require.Empty(t, v.cookie.Value)

	v.cookie = kept
	v.get("/applications", http.StatusOK)
	w.clock.advance(12*time.Hour - time.Minute)
	v.get("/applications", http.StatusOK)
	w.clock.advance(2 * time.Minute)
	v.get("/applications", http.StatusUnauthorized)

	// A key that is revoked opens nothing any more, whatever cookie has it.
	app := w.application("standard")
	admin := w.signIn(w.key(app, "admin"))
	admin.get("/applications/"+app, http.StatusOK)
	keys := w.op("GET", "/v1/applications/"+app+"/keys", "", 200)["items"].([]any)
	w.op("DELETE", "/v1/keys/"+keys[0].(map[string]any)["id"].(string), "", 204)
	admin.get("/applications/"+app, http.StatusUnauthorized)
}

func TestAForgedSessionOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signIn(operatorKey)
	sealed := v.cookie.Value
	other := newWorld(t).signIn(operatorKey) // another deployment's
	for _, forged := range []string{"", "x", sealed[:len(sealed)-2], "B" + sealed[1:], sealed + "AAAA", other.cookie.Value, operatorKey} {
		v.cookie = &http.Cookie{Name: v.cookie.Name, Value: forged}
		v.get("/applications", http.StatusUnauthorized)
	}
}

func TestAnotherSiteCannotMakeABrowserAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signIn(operatorKey)
	form := url.Values{"name": {"forged"}, "profile": {"standard"}}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		require.Equal(t, http.StatusForbidden, v.ask("POST", "/applications", form, headers...).Code, headers)
		require.Equal(t, http.StatusForbidden, v.ask("POST", "/sign-out", form, headers...).Code, headers)
	}
	require.Empty(t, w.op("GET", "/v1/applications", "", 200)["items"])
	require.Equal(t, http.StatusSeeOther, v.ask("POST", "/applications", form, "Sec-Fetch-Site", "same-origin").Code)
	require.Equal(t, http.StatusSeeOther, v.ask("POST", "/applications", form, "Origin", "http://example.com").Code)
}
