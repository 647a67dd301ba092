package api

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func basicOf(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestBasicIsTakenOnProviderRoutesOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, other := newVivaTenant(w), newVivaTenant(w)
	path := messages + "?eventTypeId=1796"
	with := func(path string, headers ...string) *reply { return w.do("", "GET", path, "", headers...) }
	good := basicOf(v.app, v.member)
	require.Equal(t, 200, with(path, "Authorization", good).status)
	require.Equal(t, 200, with(path, "Authorization", "bAsIc"+good[len("Basic"):]).status)
	for _, bad := range []string{
		"", "Basic", "Basic !", basicOf("", v.member), basicOf(v.app, ""), basicOf(other.app, v.member),
		basicOf(v.member, v.app), basicOf(v.app+"x", v.member), basicOf(v.app, v.member+"x"),
		"Basic " + base64.StdEncoding.EncodeToString([]byte(v.app)),
	} {
		out := with(path, "Authorization", bad)
		out.problem(401, models.CodeUnauthenticated)
		require.Equal(t, []string{`Bearer realm="posthorn"`, `Basic realm="posthorn", charset="UTF-8"`},
			out.header.Values("WWW-Authenticate"), "%q", bad)
	}
	with(path, "Authorization", good, "Authorization", good).problem(401, models.CodeUnauthenticated)
	with("/v1/source-ips", "Authorization", good).problem(401, models.CodeUnauthenticated)
	for _, key := range []string{operatorKey, w.key("", "publisher"), w.key("", "operator")} {
		with(path, "Authorization", basicOf(v.app, key)).problem(403, models.CodeForbidden)
	}
	with(path, "Authorization", basicOf(v.app, w.key(v.app, "publisher"))).problem(403, models.CodeForbidden)
}
