package profiles_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

func TestResolveType(t *testing.T) {
	t.Parallel()
	cases := []struct{ profile, given, name, wire string }{
		{"viva", "transaction.created", "transaction.created", "1796"},
		{"viva", "1797", "transaction.refunded", "1797"},
		{"thredd", "101", "101", "101"},
		{"alviere", "ACCOUNT", "ACCOUNT", `"ACCOUNT"`},
		{"standard", "any.thing-you_like.9", "any.thing-you_like.9", `"any.thing-you_like.9"`},
	}
	for _, c := range cases {
		found, ok := profile(t, c.profile).ResolveType(c.given)
		require.True(t, ok, c.given)
		require.Equal(t, c.name, found.Name)
		require.Equal(t, c.wire, found.Wire)
	}
	for name, unknown := range map[string][]string{
		"viva":     {"9999", "", "01796", "1796.0", "*", "transaction.*"},
		"thredd":   {"111", "100", "113", "101a"},
		"alviere":  {"FOO", "account"},
		"standard": {"", ".a", "-a", "a b", "a/b", "Ελ", "a*", strings.Repeat("a", 129)},
	} {
		for _, given := range unknown {
			_, ok := profile(t, name).ResolveType(given)
			require.False(t, ok, "%s %q", name, given)
		}
	}
}

func TestResolvePatterns(t *testing.T) {
	t.Parallel()
	names, err := profile(t, "thredd").ResolvePatterns([]string{"112", "101"})
	require.NoError(t, err)
	require.Equal(t, []string{"112", "101"}, names)
	names, err = profile(t, "viva").ResolvePatterns([]string{"1796"})
	require.NoError(t, err)
	require.Equal(t, []string{"transaction.created"}, names)
	names, err = profile(t, "standard").ResolvePatterns([]string{"loan.*", "*", "loan.created", "a.b.*"})
	require.NoError(t, err)
	require.Equal(t, []string{"loan.*", "*", "loan.created", "a.b.*"}, names)
	names, err = profile(t, "thredd").ResolvePatterns(nil)
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestResolvePatternsRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		profile string
		given   []string
		want    []string
	}{
		{"viva", nil, []string{"event_types"}},
		{"viva", []string{"1796", "1797"}, []string{"event_types"}},
		{"viva", []string{"*"}, []string{"event_types[0]"}},
		{"bridge", []string{"item.created", "nope", "item.created"}, []string{"event_types[1]", "event_types[2]"}},
		{"bridge", []string{"TEST_EVENT"}, []string{"event_types[0]"}},
		{"standard", []string{"a", "loan.", "*.a", "a*", ".*", "**", "loan.*.*"}, []string{
			"event_types[2]", "event_types[3]", "event_types[4]", "event_types[5]", "event_types[6]",
		}},
		{"standard", make([]string, 501), []string{"event_types"}},
		{"standard", []string{"*", "*"}, []string{"event_types[1]"}},
	}
	for _, c := range cases {
		_, err := profile(t, c.profile).ResolvePatterns(c.given)
		require.Equal(t, c.want, places(t, err), "%s %v", c.profile, c.given)
	}
}

func TestAWildcardOfAClosedCatalogueMatchesSomething(t *testing.T) {
	t.Parallel()
	p, err := profile(t, "aria").WithOverrides([]byte(`{"types_per_subscription":{"min":1,"max":0,"wildcards":true}}`))
	require.NoError(t, err)
	_, err = p.ResolvePatterns([]string{"loan.*", "*"})
	require.NoError(t, err)
	_, err = p.ResolvePatterns([]string{"laon.*"})
	require.Equal(t, []string{"event_types[0]"}, places(t, err))
}

func TestMatchPatterns(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a.b.c", "a.b.*", "a.*", "*"}, profiles.MatchPatterns("a.b.c"))
	require.Equal(t, []string{"101", "*"}, profiles.MatchPatterns("101"))
	p := profile(t, "standard")
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,30}`).Draw(t, "name")
		patterns := profiles.MatchPatterns(name)
		require.Equal(t, name, patterns[0])
		for _, pattern := range patterns {
			_, err := p.ResolvePattern(pattern)
			require.NoError(t, err, "whatever matches can be subscribed to")
			require.True(t, strings.HasPrefix(name, strings.TrimSuffix(pattern, "*")))
		}
	})
}

func TestEventTypesAddedWhileRunning(t *testing.T) {
	t.Parallel()
	base := profile(t, "viva")
	added, err := base.ParseEventType([]byte(`{"name":"transfer.created","wire":768,"description":"d","schema":{"required":["Amount"]}}`))
	require.NoError(t, err)
	patched, err := base.PatchEventType(base.Catalogue[0], []byte(`{"deprecated":true,"schema":null}`))
	require.NoError(t, err)
	p, err := base.WithEventTypes([]models.EventType{added, patched})
	require.NoError(t, err)

	names, err := p.ResolvePatterns([]string{"768"})
	require.NoError(t, err)
	require.Equal(t, []string{"transfer.created"}, names)
	require.Equal(t, []string{"payload"}, places(t, p.CheckPayload("transfer.created", []byte(`{}`))))
	require.NoError(t, p.CheckPayload("transaction.created", []byte(`{"TransactionTypeId":7}`)), "its schema was taken away")
	require.True(t, p.Catalogue[0].Deprecated)
	require.Len(t, base.Catalogue, 2, "the profile itself is not changed")
	require.False(t, base.Catalogue[0].Deprecated)

	_, err = base.WithEventTypes([]models.EventType{{Name: "x", Wire: "1796"}})
	require.Equal(t, []string{"catalogue[2].wire"}, places(t, err))
	_, err = base.WithEventTypes([]models.EventType{{Name: "1797", Wire: "5"}})
	require.Equal(t, []string{"catalogue[2].name"}, places(t, err), "a name that is another's wire value is ambiguous")
}

func TestParseEventTypeRefuses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]string{
		`{}`:                          {"name", "wire"},
		`{"name":"a"}`:                {"wire"},
		`{"name":"a","wire":"1"}`:     {"wire"},
		`{"name":"a","wire":1.0}`:     {"wire"},
		`{"name":"a","wire":1e3}`:     {"wire"},
		`{"name":"a b","wire":1}`:     {"name"},
		`{"name":"a","wire":1,"x":1}`: {"x"},
		`{"name":"a","wire":1,"versions":["1","1",""]}`:                                {"versions[1]", "versions[2]"},
		`{"name":"a","wire":1,"schema":[]}`:                                            {"schema"},
		`{"name":"a","wire":1,"schema":{"type":"thing"}}`:                              {"schema"},
		`{"name":"a","wire":1,"description":` + `"` + strings.Repeat("x", 2001) + `"}`: {"description"},
	} {
		_, err := profile(t, "viva").ParseEventType([]byte(raw))
		require.Equal(t, want, places(t, err), raw)
	}
	_, err := profile(t, "viva").ParseEventType([]byte(`{`))
	require.Equal(t, models.CodeMalformed, models.ErrorCode(err))
	p := profile(t, "viva")
	_, err = p.PatchEventType(p.Catalogue[0], []byte(`{"wire":5}`))
	require.Equal(t, []string{"name"}, places(t, err))
}
