package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/posthorn/posthorn/models"
)

// readBody reads and decodes a body of at most maxBody, and returns its text; nil = it is empty.
func (s *server) readBody(ctx context.Context, c *call, required bool, into any) ([]byte, error) {
	body, err := s.readWhole(ctx, c)
	if err != nil {
		return nil, err
	}
	text := trimSpace(body)
	if !required && len(text) == 0 {
		return nil, nil
	}
	return text, decodeBody(text, into)
}

// firstRoom is what is set aside for a body that has outgrown lightLoad, in bytes: an event has no more, a batch may.
const firstRoom = 2 << 20

// readWhole reads the body. What is set aside for it the call holds: no more than its length where that is told, else
// more as it comes.
func (s *server) readWhole(ctx context.Context, c *call) ([]byte, error) {
	told := c.request.ContentLength
	if told > maxBody {
		return nil, tooLarge()
	}
	var body bytes.Buffer
	for _, room := range []int{lightLoad, firstRoom, maxBody} {
		if told > 0 {
			room = min(room, int(told))
		}
		if err := s.hold(ctx, c, room); err != nil {
			return nil, err
		}
		if told > 0 || room > lightLoad {
			body.Grow(room + 1 - body.Len() + bytes.MinRead)
		}
		_, err := io.CopyN(&body, c.request.Body, int64(room+1-body.Len()))
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			return nil, tooLarge()
		}
		if errors.Is(err, io.EOF) {
			return body.Bytes(), nil
		}
		if err != nil {
			return nil, models.Errorf(models.CodeMalformed, "the request body broke off")
		}
	}
	return nil, tooLarge()
}

func tooLarge() error {
	return models.Errorf(models.CodePayloadTooLarge, "the request is over %d MiB", maxBody>>20)
}
