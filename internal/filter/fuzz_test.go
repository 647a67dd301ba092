package filter

import (
	"context"
	"testing"
	"time"

	"github.com/posthorn/posthorn/models"
)

// FuzzCompile: an expression compiles or says where it is wrong; what compiles ends on any payload.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`payload.amount > 100 && type == "a.b"`, `has(payload.a.b) ? payload.x in [1, 2.5] : entity_id != ""`, `payload.exists(k, k == "a")`,
		`payload["a"][0].all(x, x.y.matches("^a+$"))`, `timestamp(payload.at) > timestamp("2026-01-01T00:00:00Z")`, `!`, `(((`, `payload.`, "\xff\x00", `'\ud800'`,
		`{"a": [1]} == payload`, `b"\xff" == bytes(payload.s)`, `duration("1h") < duration(payload.d)`, `1u + 2u == 3u && -9223372036854775808 < 0`, `dyn(1) == "a"`,
	} {
		f.Add(seed)
	}
	in := NewInput("a.b", []byte(`{"a":[{"y":"aa"}],"x":1,"amount":100.5,"at":"2026-02-01T00:00:00Z"}`), "e")
	f.Fuzz(func(t *testing.T, expression string) {
		p, err := Compile(expression)
		if err != nil {
			fault, ok := err.(*Error) //nolint:errorlint // Compile promises it unwrapped
			if !ok || fault.Line < 1 || fault.Column < 1 || fault.Message == "" {
				t.Fatalf("%q: %#v", expression, err)
			}
			return
		}
		requireEnd(t, p, in)
	})
}

// FuzzMatches: any payload that is accepted can be looked at.
func FuzzMatches(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"a":2}`, `{"n":1e999}`, `-1e-999`, `18446744073709551616`, `"\ud800\udc00\ud800"`, `"\u0000"`, `[[[[]]]]`, `null`, `{"":{"":{}}}`, `[1.0,true,null,"x",{}]`,
	} {
		f.Add([]byte(seed))
	}
	var programs []*Program
	for _, expression := range []string{
		`payload.a > 1`, `payload.a == payload.b || payload == payload`, `payload.exists(x, x == 1)`, `"a" in payload`, `size(payload) > 1`, `string(payload) == "1"`,
		`payload.n + 1 > 0`, `int(payload) > 0 && double(payload) > 0.0`,
	} {
		p, err := Compile(expression)
		if err != nil {
			f.Fatal(err)
		}
		programs = append(programs, p)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if models.CheckPayload(payload) != nil {
			return
		}
		in := NewInput("t", payload, "")
		for _, p := range programs {
			requireEnd(t, p, in)
		}
	})
}

func requireEnd(t *testing.T, p *Program, in *Input) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := p.Matches(ctx, in)
	if err != nil && !got {
		t.Fatalf("an event was lost to %v", err)
	}
	if ctx.Err() != nil {
		t.Fatal("the evaluation did not end by itself")
	}
}
