package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strconv"

	"github.com/posthorn/posthorn/models"
)

// Page is a part of a list.
type Page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"Pass it as cursor to get the next part; null at the end."`
}

func (p Page[T]) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"items":`...)
	dst, err := appendList(dst, p.Items)
	if err != nil {
		return nil, err
	}
	next, err := appendJSON(nil, p.NextCursor)
	if err != nil {
		return nil, err
	}
	return splice(append(dst, '}'), "next_cursor", next), nil
}

// Paging are the query parameters of every list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many entries at most."`
	Cursor string `query:"cursor" doc:"next_cursor of the part before; it belongs to this list and these filters."`
}

// page reads what the client wants of a list.
func (s *server) page(c *call, p Paging) (models.Page, error) {
	after, err := s.position(c, p.Cursor)
	return models.Page{Limit: p.Limit, After: after}, err
}

// position opens a cursor; "" starts at the beginning.
func (s *server) position(c *call, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	position, ok := s.cursors.open(cursorScope(c), cursor)
	if !ok {
		return "", models.Errorf(models.CodeMalformed, "the cursor is not one of ours, or belongs to another list")
	}
	return position, nil
}

func newPage[T any](s *server, c *call, items []T, next string) Page[T] {
	page := Page[T]{Items: items}
	if next != "" {
		cursor := s.cursors.seal(cursorScope(c), next)
		page.NextCursor = &cursor
	}
	return page
}

// slicePage is a part of a list that is in memory as a whole.
func slicePage[T any](s *server, c *call, all []T, p Paging) (Page[T], error) {
	after, err := s.position(c, p.Cursor)
	if err != nil {
		return Page[T]{}, err
	}
	start, _ := strconv.Atoi(after) // ours, or "" for the start
	start = min(start, len(all))
	end := min(start+p.Limit, len(all))
	next := ""
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return newPage(s, c, all[start:end], next), nil
}

func mapped[A, B any](list []A, view func(*A) B) []B {
	views := make([]B, len(list))
	for i := range list {
		views[i] = view(&list[i])
	}
	return views
}

// cursors makes positions in lists opaque, and tells its own from others'.
type cursors struct{ keys [][]byte }

// cursorMAC is how many bytes of the HMAC a cursor carries.
const cursorMAC = 16

// maxCursor is more than the longest cursor that was ever made.
const maxCursor = 512

func (c cursors) seal(scope []string, position string) string {
	return base64.RawURLEncoding.EncodeToString(append(macUnder(c.keys[0], scope, position), position...))
}

func (c cursors) open(scope []string, cursor string) (position string, ok bool) {
	if len(cursor) > maxCursor {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) <= cursorMAC {
		return "", false
	}
	position = string(raw[cursorMAC:])
	return position, slices.ContainsFunc(c.keys, func(key []byte) bool {
		return hmac.Equal(raw[:cursorMAC], macUnder(key, scope, position))
	})
}

// macUnder covers each part behind its length, so that no two scopes run together to the same bytes.
func macUnder(key []byte, scope []string, position string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range append([]string{position}, scope...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:cursorMAC]
}

// cursorScope is what a cursor belongs to: the caller's tenant, the list, and every filter of it.
func cursorScope(c *call) []string {
	query := c.request.URL.Query()
	query.Del("cursor")
	query.Del("limit")
	return []string{c.principal.ApplicationID, c.request.URL.Path, query.Encode()}
}

// checkQuery refuses what Huma would silently ignore in a query string: a parameter given twice, broken escapes, and
// text that no database takes. The cursor has its own answer. On provider routes, where Huma looks at nothing, it
// refuses unknown parameters too.
func (c *call) checkQuery() error {
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	if err != nil {
		return models.Invalid("", "the query string is not well-formed")
	}
	var f models.Faults
	for name, given := range values {
		if len(given) > 1 {
			f.Add(models.Shorten(name), "is given %d times", len(given))
		}
		if c.route.provider && !c.route.reads(name) {
			f.Add(models.Shorten(name), "unknown query parameter")
		}
		if name != "cursor" && !cleanText(given[0]) {
			f.Add(models.Shorten(name), "must be UTF-8 without NUL")
		}
	}
	return f.Err()
}
