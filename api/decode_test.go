package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

type sample struct {
	Name  string           `json:"name" maxLength:"3"`
	Raw   raw              `json:"raw,omitempty"`
	Count *int64           `json:"count,omitempty"`
	Maybe optional[string] `json:"maybe,omitzero"`
	Inner *struct {
		On   bool     `json:"on"`
		List []string `json:"list,omitempty" maxItems:"2"`
	} `json:"inner,omitempty"`
}

func TestDecodeKeepsBytesAndTellsNullFromAbsent(t *testing.T) {
	t.Parallel()
	var s sample
	body := []byte("\n{ \"n\\u0061me\" : \"abc\", \"raw\" :  [ 1.0 , {} ]\t, \"count\":9007199254740993,\"maybe\":null,\"inner\":{\"on\":true,\"list\":[\"a\"]}}")
	require.NoError(t, decodeBody(body, &s))
	require.Equal(t, "abc", s.Name)
	require.Equal(t, "[ 1.0 , {} ]", string(s.Raw))
	require.EqualValues(t, 9007199254740993, *s.Count)
	require.True(t, s.Maybe.Set && s.Maybe.Null)
	require.True(t, s.Inner.On)
	s = sample{}
	require.NoError(t, decodeBody([]byte(`{"name":"","count":null,"raw":null,"inner":null}`), &s))
	require.False(t, s.Maybe.Set)
	require.Nil(t, s.Count)
	require.Equal(t, "null", string(s.Raw))
}

func TestDecodeNamesEveryFault(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{}`:                                       {"name"},
		`{"name":null}`:                            {"name"},
		`{"name":"a","NAME":"b"}`:                  {"NAME"},
		`{"name":"a","name":"b"}`:                  {"name"},
		`{"name":"ωωωω"}`:                          {"name"},
		`{"name":"a\u0000"}`:                       {"name"},
		`{"name":"a","count":1.5,"x":{}}`:          {"count", "x"},
		`{"name":"a","count":1e3}`:                 {"count"},
		`{"name":"a","inner":{}}`:                  {"inner.on"},
		`{"name":"a","inner":{"on":1,"list":[1]}}`: {"inner.on", "inner.list[0]"},
		`{"name":"a","inner":{"on":true,"list":["a","b","c"]}}`: {"inner.list"},
		`{"name":"a","inner":[]}`:                               {"inner"},
		`{"name":"a","maybe":7}`:                                {"maybe"},
		`[]`:                                                    {""},
		`"x"`:                                                   {""},
	} {
		var s sample
		err := decodeBody([]byte(body), &s)
		require.Equal(t, models.CodeValidation, models.ErrorCode(err), body)
		refusal, _ := errors.AsType[*models.Error](err)
		var got []string
		for _, f := range refusal.Fields {
			got = append(got, f.Location)
		}
		require.Equal(t, want, got, body)
	}
}

// bounded has a member for each tag that bounds a number or a list.
type bounded struct {
	Both  *int          `json:"both,omitempty" minimum:"1" maximum:"1000"`
	Least int64         `json:"least,omitempty" minimum:"-5"`
	Most  int           `json:"most,omitempty" maximum:"7"`
	Ratio *float64      `json:"ratio,omitempty" minimum:"0.5" maximum:"1.5"`
	Some  []string      `json:"some,omitempty" minItems:"1" maxItems:"3"`
	Pairs []string      `json:"pairs,omitempty" minItems:"2"`
	Maybe optional[int] `json:"maybe,omitzero" minimum:"0"`
	Inner *struct {
		Both int `json:"both" minimum:"1" maximum:"2"`
	} `json:"inner,omitempty"`
}

func TestDecodeHoldsToTheBoundsOfTheTags(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]models.FieldError{
		`{"both":1,"least":-5,"most":7,"ratio":0.5,"some":["a"],"pairs":["a","b"],"maybe":0,"inner":{"both":1}}`: nil,
		`{"both":1000,"least":9223372036854775807,"most":-9223372036854775808,"ratio":1.5,"some":["a","b","c"]}`: nil,
		`{"both":null,"ratio":null,"some":null,"pairs":null,"maybe":null,"inner":null}`:                          nil,
		`{"both":0}`:                    {{Location: "both", Message: "must be 1 to 1000"}},
		`{"both":1001}`:                 {{Location: "both", Message: "must be 1 to 1000"}},
		`{"both":-9223372036854775808}`: {{Location: "both", Message: "must be 1 to 1000"}},
		`{"both":9223372036854775807}`:  {{Location: "both", Message: "must be 1 to 1000"}},
		`{"both":1.5}`:                  {{Location: "both", Message: "must be a whole number of at most 64 bits"}},
		`{"least":-6}`:                  {{Location: "least", Message: "must be at least -5"}},
		`{"most":8}`:                    {{Location: "most", Message: "must be at most 7"}},
		`{"ratio":0.49}`:                {{Location: "ratio", Message: "must be 0.5 to 1.5"}},
		`{"ratio":15e-1}`:               nil,
		`{"ratio":1.51}`:                {{Location: "ratio", Message: "must be 0.5 to 1.5"}},
		`{"some":[]}`:                   {{Location: "some", Message: "must not be empty"}},
		`{"some":["a","b","c","d"]}`:    {{Location: "some", Message: "must not list more than 3"}},
		`{"pairs":[]}`:                  {{Location: "pairs", Message: "must not be empty"}},
		`{"pairs":["a"]}`:               {{Location: "pairs", Message: "must list at least 2"}},
		`{"maybe":-1}`:                  {{Location: "maybe", Message: "must be at least 0"}},
		`{"inner":{"both":3}}`:          {{Location: "inner.both", Message: "must be 1 to 2"}},
		`{"most":8,"some":[]}`: {
			{Location: "most", Message: "must be at most 7"}, {Location: "some", Message: "must not be empty"},
		},
	} {
		var given bounded
		err := decodeBody([]byte(body), &given)
		if want == nil {
			require.NoError(t, err, body)
			continue
		}
		require.Equal(t, models.CodeValidation, models.ErrorCode(err), body)
		refusal, _ := errors.AsType[*models.Error](err)
		require.Equal(t, want, refusal.Fields, body)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"a","raw":{ "x" : [1,2,"\"}"] },"inner":{"on":true,"list":["a"]}}`))
	f.Add([]byte(` [ ] `))
	f.Add([]byte(`{"":{"":[]},"a\u0000":1e5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var s sample
		err := decodeBody(body, &s)
		if err != nil {
			require.NotEqual(t, models.CodeInternal, models.ErrorCode(err))
			return
		}
		var theirs map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &theirs))
		require.True(t, bytes.Equal(theirs["raw"], s.Raw) || len(theirs) < countMembers(trimSpace(body)))
	})
}

func countMembers(object []byte) (n int) {
	for range members(object) {
		n++
	}
	return n
}

func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"a":1,"b" : [ {"c":"}"} , -1.5e3 ],"d":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = trimSpace(text)
		if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
			return
		}
		var theirs map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &theirs))
		last := map[string][]byte{}
		for name, value := range members(text) {
			require.True(t, json.Valid(value))
			last[name] = value
		}
		require.Len(t, last, len(theirs))
		for name, value := range theirs {
			require.Equal(t, string(value), string(last[name]))
		}
	})
}

func FuzzCursor(f *testing.F) {
	c := cursors{keys: [][]byte{[]byte("key"), []byte("old")}}
	f.Add("x", "position", c.seal([]string{"x"}, "position"))
	f.Fuzz(func(t *testing.T, scope, position, given string) {
		made := c.seal([]string{scope}, position)
		got, ok := c.open([]string{scope}, made)
		require.Equal(t, position != "" && len(made) <= maxCursor, ok)
		if ok {
			require.Equal(t, position, got)
		}
		if _, ok := c.open([]string{scope, ""}, given); ok {
			t.Fatal("a cursor of another scope opened")
		}
	})
}
