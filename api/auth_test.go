package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

const anywhere = "/v1/source-ips"

func TestBadCredentialsHaveOneAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	good := w.key(app, "member")
	revoked := w.key(app, "member")
	id, _, err := secret.ParseAPIKey(revoked)
	require.NoError(t, err)
	w.op("DELETE", "/v1/keys/"+id, "").is(204)
	unknown, err := secret.NewAPIKey("member")
	require.NoError(t, err)
	stolen, err := secret.NewAPIKey("member") // another secret under a known id
	require.NoError(t, err)
	require.NoError(t, w.store.CreateKey(t.Context(), &models.Key{
		ID: stolen.ID, Role: models.RoleMember, Name: "k", Prefix: stolen.Prefix, Digest: make([]byte, 32), CreatedAt: time.Now(),
	}))
	answers := map[string]bool{}
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Bearer " + unknown.Text, "Bearer " + stolen.Text, "Bearer " + revoked, "Basic " + good,
		good, "Bearer " + good[:len(good)-1], "Bearer " + good + "x", "Bearer ph_", "Bearer " + strings.Repeat("a", 10_000),
		"Bearer " + operatorKey[:len(operatorKey)-1],
	} {
		out := w.do("", "GET", anywhere, "", "Authorization", header)
		body := out.problem(401, models.CodeUnauthenticated)
		require.Equal(t, `Bearer realm="posthorn"`, out.header.Get("WWW-Authenticate"))
		delete(body, "request_id")
		answers[fmt.Sprint(body)] = true
	}
	require.Len(t, answers, 1)
	w.do("", "GET", anywhere, "", "Authorization", "Bearer "+good, "Authorization", "Bearer "+good).
		problem(401, models.CodeUnauthenticated)
	w.do("", "GET", anywhere, "", "Authorization", "bearer  "+good).is(200)
}

func TestAKeyExpires(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	app := w.application("standard", "")
	expires := time0.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	path := "/v1/applications/" + app + "/keys"
	made := w.op("POST", path, `{"role":"member","name":"k","expires_at":"`+expires+`"}`).is(201)
	key := made["key"].(string)
	w.do(key, "GET", anywhere, "").is(200)
	time0.advance(time.Hour)
	w.do(key, "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
	w.op("POST", path, `{"role":"member","name":"k","expires_at":"`+expires+`"}`).
		problem(422, models.CodeValidation, "expires_at")
}

func TestARevokedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := newTenant(w, ""), newTenant(w, "")
	admin := own.roles[models.RoleAdmin]
	made := w.do(admin, "POST", "/v1/applications/"+own.app+"/keys", `{"role":"member","name":"k"}`).is(201)
	member, id := made["key"].(string), made["id"].(string)
	w.do(member, "GET", anywhere, "").is(200)
	w.do(foreign.roles[models.RoleAdmin], "DELETE", "/v1/keys/"+id, "").problem(404, models.CodeNotFound)
	w.do(member, "DELETE", "/v1/keys/"+id, "").problem(403, models.CodeForbidden)
	w.do(admin, "DELETE", "/v1/keys/"+id, "").is(204)
	w.do(member, "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
	w.do(admin, "DELETE", "/v1/keys/"+id, "").problem(404, models.CodeNotFound)
}

func TestKeysAreShownOnceAndListedWithoutTheirText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	made := w.op("POST", "/v1/applications/"+app+"/keys", `{"role":"admin","name":"ops"}`).is(201)
	key := made["key"].(string)
	require.True(t, strings.HasPrefix(key, made["prefix"].(string)))
	require.True(t, strings.HasPrefix(key, "ph_admin_"))
	list := w.op("GET", "/v1/applications/"+app+"/keys", "")
	items := list.is(200)["items"].([]any)
	require.Len(t, items, 1)
	require.NotContains(t, string(list.body), key[len(made["prefix"].(string))+1:])
	item := items[0].(map[string]any)
	require.Equal(t, "ops", item["name"])
	require.Nil(t, item["last_used_at"])
	w.do(key, "GET", "/v1/applications/"+app+"/keys", "").is(200)
	require.Eventually(t, func() bool { // it is written beside the request
		k, err := w.store.Key(t.Context(), item["id"].(string))
		return err == nil && k.LastUsedAt != nil
	}, 5*time.Second, 5*time.Millisecond)
}

func TestLastUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	time0 := &clock{now: time.Now()}
	w := newWorldWith(t, time0.Now, nil)
	key := w.key(w.application("standard", ""), "member")
	id, _, err := secret.ParseAPIKey(key)
	require.NoError(t, err)
	used := func(after time.Duration) time.Time {
		time0.advance(after)
		w.do(key, "GET", anywhere, "").is(200)
		var at time.Time
		require.Eventually(t, func() bool {
			k, err := w.store.Key(t.Context(), id)
			if err != nil || k.LastUsedAt == nil {
				return false
			}
			at = *k.LastUsedAt
			return after < time.Minute || at.Equal(time0.Now().Truncate(time.Microsecond))
		}, 5*time.Second, 5*time.Millisecond)
		return at
	}
	first := used(0)
	require.Equal(t, first, used(30*time.Second))
	require.NotEqual(t, first, used(time.Minute))
}

func TestWhichKeysWhoMayCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/applications/" + own.app + "/keys"
	for role, want := range map[string]int{"admin": 201, "member": 201, "publisher": 403, "operator": 403, "": 422, "root": 422} {
		body := `{"role":"` + role + `","name":"k"}`
		require.Equal(t, want, w.do(own.roles[models.RoleAdmin], "POST", path, body).status, role)
	}
	for role, want := range map[string]int{"admin": 201, "member": 201, "publisher": 201, "operator": 422, "": 422, "root": 422} {
		require.Equal(t, want, w.op("POST", path, `{"role":"`+role+`","name":"k"}`).status, role)
	}
	for role, want := range map[string]int{"admin": 422, "member": 422, "publisher": 201, "operator": 201} {
		require.Equal(t, want, w.op("POST", "/v1/keys", `{"role":"`+role+`","name":"k"}`).status, role)
	}
	second := w.key("", "operator")
	w.do(second, "GET", "/v1/applications", "").is(200)
}

func TestKeysOfADeletedApplicationOpenNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	w.op("DELETE", "/v1/applications/"+own.app, "").is(204)
	for _, key := range own.roles {
		w.do(key, "GET", anywhere, "").problem(401, models.CodeUnauthenticated)
	}
	w.op("GET", "/v1/applications/"+own.app, "").problem(404, models.CodeNotFound)
	w.op("GET", "/v1/subscriptions/"+own.sub, "").problem(404, models.CodeNotFound)
	invocation := w.op("GET", "/v1/invocations/"+own.invocation, "").is(200)
	require.Equal(t, "cancelled", invocation["status"])
	require.Equal(t, "application_deleted", invocation["reason"])
	w.op("GET", "/v1/invocations/"+own.invocation+"/logs", "").is(200)
}

func TestAnAdminThatAsksForAnOperatorKeyHeardThatThereIsNoSuchRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/applications/" + own.app + "/keys"
	admin := own.roles[models.RoleAdmin]
	w.do(admin, "POST", path, `{"role":"operator","name":"k"}`).problem(403, models.CodeForbidden)
	w.do(admin, "POST", path, `{"role":"root","name":"k"}`).problem(422, models.CodeValidation, "role")
	w.do(admin, "POST", path, `{"role":7,"name":""}`).problem(422, models.CodeValidation, "role", "name")
	w.op("POST", path, `{"role":"operator","name":"k"}`).problem(422, models.CodeValidation, "role")
	w.do(own.roles[models.RoleMember], "POST", path, `{"role":"operator","name":"k"}`).problem(403, models.CodeForbidden)
}
