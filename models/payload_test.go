package models_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/models"
)

// sized is a JSON string of n bytes in all.
func sized(n int) string { return `"` + strings.Repeat("a", n-2) + `"` }

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestCheckPayload(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		payload string
		code    models.Code
	}{
		"object":                 {`{"a":1}`, ""},
		"number":                 {`1`, ""},
		"null":                   {`null`, ""},
		"1 MiB":                  {sized(1 << 20), ""},
		"1 MiB + 1":              {sized(1<<20 + 1), models.CodePayloadTooLarge},
		"empty":                  {"", models.CodeMalformed},
		"blank":                  {" \n\t", models.CodeMalformed},
		"128 deep":               {nested(128), ""},
		"129 deep":               {nested(129), models.CodeMalformed},
		"200,000 deep":           {strings.Repeat("[", 200_000), models.CodeMalformed},
		"129 objects deep":       {strings.Repeat(`{"a":`, 129) + "1" + strings.Repeat("}", 129), models.CodeMalformed},
		"brackets in a string":   {`"` + strings.Repeat("[", 200) + `"`, ""},
		"escaped quote, then [":  {`"\"` + strings.Repeat("[", 200) + `"`, ""},
		"backslash, end, then [": {`["\\",` + nested(127) + `]`, ""},
		"wide, not deep":         {"[" + strings.Repeat("[],", 200) + "[]]", ""},
		"invalid UTF-8":          {"\"\xff\"", models.CodeMalformed},
		"raw NUL":                {"\"\x00\"", models.CodeMalformed},
		"escaped NUL":            {`"\u0000"`, ""},
		"lone surrogate":         {`"\ud800"`, ""},
		"byte order mark":        {"\ufeff{}", models.CodeMalformed},
		"duplicate keys":         {`{"a":1,"a":2}`, ""},
		"huge number":            {`1E400`, ""},
		"long number":            {strings.Repeat("9", 5000), ""},
		"two values":             {`{} {}`, models.CodeMalformed},
		"half":                   {`{"a":`, models.CodeMalformed},
		"not a number":           {`NaN`, models.CodeMalformed},
		"closing only":           {`]]]]`, models.CodeMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.code, models.ErrorCode(models.CheckPayload([]byte(c.payload))))
		})
	}
}

func TestCheckPayloadTakesWhatGoWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.String())).Draw(t, "value")
		raw, err := json.Marshal(value)
		require.NoError(t, err)
		require.NoError(t, models.CheckPayload(raw))
	})
}

func FuzzCheckPayload(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"b":"\u0000"}]}`))
	f.Add([]byte(`"\"[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if models.CheckPayload(raw) == nil {
			require.True(t, json.Valid(raw))
		}
	})
}
