package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// appender is an answer with bytes in it that must reach the client as they are: encoding/json drops the spaces of
// whatever a Marshaler returns, a RawMessage included.
type appender interface {
	appendJSON(dst []byte) ([]byte, error)
}

// Verbatim is JSON text that is never re-encoded.
type Verbatim []byte

// MarshalJSON gives the text; nil is null. Where its spaces matter too, the answer is an appender.
func (v Verbatim) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	return v, nil
}

// Schema documents it as any JSON value.
func (Verbatim) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// appendJSON appends v as JSON and leaves <, > and & as they are.
func appendJSON(dst []byte, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendJSON(dst)
	}
	out := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// splice adds a member at the end of the object that dst ends with; nothing when value is nil.
func splice(dst []byte, name string, value []byte) []byte {
	if value == nil {
		return dst
	}
	dst = dst[:len(dst)-1]
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return append(append(dst, value...), '}')
}

func appendList[T any](dst []byte, items []T) ([]byte, error) {
	dst = append(dst, '[')
	for i := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendJSON(dst, items[i]); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// writeJSON is the one format of the API.
func writeJSON(w io.Writer, v any) error {
	text, err := appendJSON(nil, v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// write is writeJSON where the status has been sent: a client that is gone needs no answer.
func (s *server) write(ctx context.Context, w io.Writer, v any) {
	if err := writeJSON(w, v); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelDebug, "answer not written", requestAttr(ctx), errAttr(err))
	}
}

// timeForm is how answers write times: RFC 3339, UTC, with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

func timeText(t time.Time) string { return t.UTC().Format(timeForm) }

func timeOrNull(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := timeText(*t)
	return &text
}

// textOrNull shows "" as null.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
