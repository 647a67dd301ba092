package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

func TestEveryRouteIsDocumentedAndNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var table, documented []string
	for _, r := range routes() {
		table = append(table, r.method+" "+r.path)
	}
	for path, item := range w.checks.document["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	require.ElementsMatch(t, table, documented)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(table))), len(table), "a route is there twice")
}

func TestEveryServedRouteIsInTheTable(t *testing.T) {
	t.Parallel()
	w := &world{t: t, log: &lockedBuffer{}, wakes: &counter{}}
	d := w.dependencies(nil)
	d.setDefaults()
	s := &server{Dependencies: d}
	require.NoError(t, s.setUp())
	var table, served []string
	for _, r := range routes() {
		table = append(table, r.method+" "+r.served())
	}
	for _, r := range s.engine.Routes() {
		served = append(served, r.Method+" "+routePattern(r.Path))
	}
	require.ElementsMatch(t, table, served)
}

func TestEveryRouteSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range routes() {
		op := dig(w.checks.document, "paths", r.path, strings.ToLower(r.method))
		require.NotEmpty(t, dig(op, "summary"), r.path)
		require.NotEmpty(t, dig(op, "operationId"), r.path)
		require.Equal(t, r.public, len(dig(op, "security").([]any)) == 0, r.path)
		for status, response := range dig(op, "responses").(map[string]any) {
			require.NotEmpty(t, dig(response, "description"), "%s %s", r.path, status)
			require.NotNil(t, dig(response, "headers", "X-Request-Id"), "%s %s", r.path, status)
		}
	}
}

// tenant is an application with one of everything.
type tenant struct {
	app, key, sub, event, invocation, job, erasure string
	roles                                          map[models.Role]string
}

func newTenant(w *world, more string) *tenant {
	w.t.Helper()
	n := &tenant{app: w.application("standard", more), roles: map[models.Role]string{}}
	n.sub = w.subscription(n.app, anyType)
	e := w.event(n.app, `{"type":"loan.updated","payload":{}}`)
	n.event = e["id"].(string)
	n.invocation = e["invocations"].([]any)[0].(map[string]any)["id"].(string)
	n.job = w.op("POST", "/v1/applications/"+n.app+"/redeliveries", `{"ids":["`+n.invocation+`"]}`).is(202)["id"].(string)
	n.erasure = w.op("POST", "/v1/erasures", `{"application_id":"`+n.app+`","entity_id":"nobody","reason":"r"}`).is(202)["id"].(string)
	for _, role := range []models.Role{models.RolePublisher, models.RoleAdmin, models.RoleMember} {
		n.roles[role] = w.key(n.app, string(role))
	}
	var err error
	n.key, _, err = secret.ParseAPIKey(n.roles[models.RoleMember])
	require.NoError(w.t, err)
	return n
}

// idOf is what the tenant has of a scope; "" = a path of that scope names nothing.
func (n *tenant) idOf(s scope) string {
	id, known := map[scope]string{
		scopeNone: "", scopeOwn: "", scopeApplication: n.app, scopeKey: n.key, scopeSubscription: n.sub,
		scopeEvent: n.event, scopeInvocation: n.invocation, scopeMessage: n.invocation, scopeJob: n.job,
		scopeErasure: n.erasure,
	}[s]
	if !known {
		panic("a scope that the matrix does not know: give the tenant something of it")
	}
	return id
}

// path fills a route's pattern; replace stands for the id that the route is about, "" for the tenant's own.
func (n *tenant) path(r route, replace string) string {
	if replace == "" {
		replace = n.idOf(r.scope)
	}
	return strings.NewReplacer("{app}", replace, "{id}", replace, "{key_id}", replace, "{messageId}", replace, "{name}", "standard",
		"{type}", "loan.updated").Replace(r.path)
}

// An unknown query parameter is refused after the authorisation, before anything is done: 422 means "you may".
const mayI = "?may_i=1"

func TestF69_WhoMayDoWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := newTenant(w, ""), newTenant(w, "")
	deployment := w.key("", "publisher")
	for _, r := range routes() {
		if r.public || r.provider {
			continue
		}
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			t.Parallel()
			ask := func(key, replace string) int {
				return w.do(key, r.method, own.path(r, replace)+mayI, "").status
			}
			may := func(role models.Role) int {
				if r.allows(models.Principal{Role: role}) {
					return http.StatusUnprocessableEntity
				}
				return http.StatusForbidden
			}
			require.Equal(t, http.StatusUnauthorized, ask("", ""))
			require.Equal(t, http.StatusUnauthorized, ask("ph_admin_wrong", ""))
			require.Equal(t, http.StatusUnprocessableEntity, ask(operatorKey, ""))
			require.Equal(t, may(models.RolePublisher), ask(deployment, ""))
			for role, key := range own.roles {
				require.Equal(t, may(role), ask(key, ""), role)
			}
			if r.scope == scopeNone {
				return
			}
			theirs := foreign.idOf(r.scope)
			require.Equal(t, may(models.RolePublisher), ask(deployment, theirs))
			for role, key := range own.roles {
				require.Equal(t, http.StatusNotFound, ask(key, theirs), role)
			}
			for _, id := range []string{models.NewID(), "1", strings.ToUpper(theirs), "%00", "..%2f..", "a;b", theirs + "x"} {
				for _, key := range []string{operatorKey, deployment, own.roles[models.RoleMember]} {
					require.Equal(t, http.StatusNotFound, ask(key, id), id)
				}
			}
		})
	}
}

// Provider routes act for the application of the key, and answer 400 where others have 422.
func TestF69_WhoMayDoWhatOnProviderRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := newTenant(w, ""), newTenant(w, "")
	deployment := w.key("", "publisher")
	for _, r := range routes() {
		if !r.provider {
			continue
		}
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			t.Parallel()
			ask := func(authorization, replace string) int {
				return w.do("", r.method, own.path(r, replace)+mayI, "", "Authorization", authorization).status
			}
			both := func(want int, user, key, replace string) {
				t.Helper()
				require.Equal(t, want, ask("Bearer "+key, replace), "bearer")
				require.Equal(t, want, ask(basicOf(user, key), replace), "basic")
			}
			require.Equal(t, http.StatusUnauthorized, ask("", ""))
			both(http.StatusUnauthorized, own.app, "ph_admin_wrong", "")
			both(http.StatusForbidden, own.app, operatorKey, "")
			both(http.StatusForbidden, own.app, deployment, "")
			for role, key := range own.roles {
				want := http.StatusForbidden
				if r.allows(models.Principal{Role: role}) {
					want = http.StatusBadRequest
				}
				both(want, own.app, key, "")
				require.Equal(t, http.StatusUnauthorized, ask(basicOf(foreign.app, key), ""), "another user")
				if r.scope != scopeMessage {
					continue
				}
				for _, absent := range []string{foreign.invocation, models.NewID(), strings.ToUpper(foreign.invocation)} {
					both(http.StatusNotFound, own.app, key, absent)
				}
				for _, id := range []string{"1", "%00", "a;b", foreign.invocation + "x"} {
					both(http.StatusBadRequest, own.app, key, id)
				}
				both(http.StatusForbidden, own.app, operatorKey, foreign.invocation)
			}
		})
	}
}

// A route that nobody thought of here is in the matrix by being in the table, or stops it.
func TestF69_TheMatrixKnowsEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	for _, r := range routes() {
		require.NotContains(t, strings.ReplaceAll(own.path(r, ""), "{file}", ""), "{", "what stands for a parameter of %s?", r.path)
	}
	require.Panics(t, func() { own.path(route{scope: scopeMessage + 1}, "") })
}

// No route takes what it does not know: nobody gives himself an application, a role, a status or a past.
func TestF69_NoMemberCanBeAssignedThatIsNotTheRoutesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	w.op("POST", "/v1/profiles/standard/event-types", `{"name":"loan.updated"}`).is(201)
	tried := 0
	for _, r := range routes() {
		schema := dig(w.checks.document, "paths", r.path, strings.ToLower(r.method), "requestBody", "content", "application/json", "schema")
		if schema == nil {
			continue
		}
		key, want := operatorKey, http.StatusUnprocessableEntity
		if r.provider {
			key, want = own.roles[models.RoleAdmin], http.StatusBadRequest
		}
		known := w.checks.properties(schema)
		for _, member := range []string{
			"id", "application_id", "tenant", "tenant_id", "role", "status", "state", "secret", "secrets", "sealed", "digest", "key",
			"verified", "gone", "attempts", "created_at", "deleted_at", "revoked_at", "sequence", "position", "workflow_id", "__proto__",
		} {
			if known[member] {
				continue
			}
			body := changed(own.bodies()[r.id], `{"`+member+`":"1"}`)
			out := w.do(key, r.method, own.path(r, ""), body)
			require.Equal(t, want, out.status, "%s %s %s: %s", r.method, r.path, body, out.body)
			require.Contains(t, places(out.is(want)), member)
			tried++
		}
	}
	require.Greater(t, tried, 300)
}

func TestF69_ForeignIsLikeAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := newTenant(w, ""), newTenant(w, "")
	same := func(path string) string {
		body := w.do(own.roles[models.RoleAdmin], "GET", path, "").problem(404, models.CodeNotFound)
		delete(body, "request_id")
		return fmt.Sprint(body)
	}
	require.Equal(t, same("/v1/subscriptions/"+models.NewID()), same("/v1/subscriptions/"+foreign.sub))
	require.Equal(t, same("/v1/invocations/"+models.NewID()), same("/v1/invocations/"+foreign.invocation))
	require.Equal(t, same("/v1/jobs/"+models.NewID()), same("/v1/jobs/"+foreign.job))
	require.Equal(t, same("/v1/events/nonsense"), same("/v1/events/"+foreign.event))
}

func TestALV26_AProfileMayLiftManagementToTheOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, `,"overrides":{"managed_by":"operator"}`)
	for _, r := range routes() {
		if !slices.Contains(r.roles, models.RoleAdmin) {
			continue
		}
		if r.provider { // for the application's own keys alone
			require.Equal(t, http.StatusBadRequest,
				w.do(own.roles[models.RoleAdmin], r.method, own.path(r, "")+mayI, "").status, r.path)
			continue
		}
		want := http.StatusUnprocessableEntity
		if r.managed {
			want = http.StatusForbidden
		}
		require.Equal(t, want, w.do(own.roles[models.RoleAdmin], r.method, own.path(r, "")+mayI, "").status, r.path)
		require.Equal(t, http.StatusUnprocessableEntity, w.op(r.method, own.path(r, "")+mayI, "").status, r.path)
	}
}
