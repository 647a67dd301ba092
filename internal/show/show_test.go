// What is shown of bodies: indented where it is small JSON, and never much more than there is.
package show

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func nested(depth int) string { return strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth) }

func TestABodyThatIsNestedDeepDoesNotGrow(t *testing.T) {
	t.Parallel()
	legal := "[" + strings.Repeat(nested(126)+",", 1<<20/254) + "1]"
	for name, body := range map[string]string{
		"a legal payload of 1 MiB":    legal,
		"as much of it as is shown":   legal[:MaxBytes],
		"64 KiB of it":                "[" + strings.Repeat(nested(126)+",", MaxBytes/254-1) + "1]",
		"10,000 deep":                 nested(9_999),
		"deep and broken":             strings.Repeat("[", MaxBytes),
		"deep, in 2 MiB":              strings.Repeat("[", 2<<20),
		"lists beside each other":     strings.Repeat("[[", 200) + strings.Repeat("1,", 20_000) + "1" + strings.Repeat("]]", 200),
		"objects":                     strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000),
		"closed more often than open": strings.Repeat("]", 100) + strings.Repeat("[", 10_000),
	} {
		text, left := Body([]byte(body))
		require.LessOrEqual(t, len(text), maxIndented, name)
		require.Equal(t, max(0, len(body)-MaxBytes), left, name)
		require.Equal(t, body[:min(len(body), MaxBytes)], text, name)
	}
}

func TestBodiesAreShown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, text string
		left       int
	}{
		"JSON":              {`{"a":[1,{}],"b":"[{,:\"["}`, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"[{,:\\\"[\"\n}", 0},
		"none":              {"", "", 0},
		"text":              {"Bad Gateway", "Bad Gateway", 0},
		"no text":           {"\xff\x00", "\xff\x00", 0},
		"long":              {strings.Repeat("x", MaxBytes+7), strings.Repeat("x", MaxBytes), 7},
		"a character apart": {strings.Repeat("x", MaxBytes-1) + "€€", strings.Repeat("x", MaxBytes-1), 6},
		"long and no text":  {strings.Repeat("\x80", MaxBytes+1), strings.Repeat("\x80", MaxBytes), 1},
		"as long as may be": {`"` + strings.Repeat("x", MaxBytes-2) + `"`, `"` + strings.Repeat("x", MaxBytes-2) + `"`, 0},
	} {
		text, left := Body([]byte(c.body))
		require.Equal(t, c.text, text, name)
		require.Equal(t, c.left, left, name)
	}
}

// What is counted beforehand is never less than what json.Indent then writes.
func TestTheSizeIsKnownBeforehand(t *testing.T) {
	t.Parallel()
	objects := rapid.MapOfN(rapid.String(), rapid.SliceOfN(rapid.String(), 0, 4), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		body, err := json.Marshal(rapid.SliceOfN(objects, 0, 4).Draw(t, "body"))
		require.NoError(t, err)
		var out bytes.Buffer
		require.NoError(t, json.Indent(&out, body, "", step))
		require.GreaterOrEqual(t, indentedSize(body), out.Len())
	})
}
