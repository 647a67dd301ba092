package posthorn_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// clientOf is a client of a server that answers by the handler.
func clientOf(t *testing.T, answer http.HandlerFunc) *posthorn.ClientWithResponses {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client, err := posthorn.New(server.URL, "ph_key")
	require.NoError(t, err)
	return client
}

func TestPublishSendsKeyAndPayloadByteForByte(t *testing.T) {
	t.Parallel()
	const payload = `{"amount": 100.50, "id":9007199254740993, "html":"<&>",  "name":"Ελένη"}`
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer ph_key" || r.URL.Path != "/v1/applications/app-1/events" ||
			string(body) != `{"entity_id":"a<b","type":"1796","payload":`+payload+`}` {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write(body)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"e","sequence":1,"created_at":"2026-11-22T07:00:00.000Z","duplicate":true,"invocations":[]}`)
	})
	accepted, err := posthorn.Publish(t.Context(), client, "app-1", posthorn.Publication{
		Type: "1796", EntityID: new("a<b"), Payload: json.RawMessage(payload),
	})
	require.NoError(t, err)
	require.True(t, accepted.Duplicate)
	require.Equal(t, time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC), accepted.CreatedAt)
}

func TestEncodeKeepsThePayloadsOfVersions(t *testing.T) {
	t.Parallel()
	text, err := posthorn.Encode(posthorn.Publication{Type: "a", Versions: &[]posthorn.VersionPayload{
		{Version: "1", Payload: json.RawMessage(`{ "<": 1.0 }`)}, {Version: "2", Payload: json.RawMessage(`null`)},
	}})
	require.NoError(t, err)
	want := []string{`{"type":"a","versions":[{"version":"1","payload":{ "<": 1.0 }},{"version":"2","payload":null}]}`}
	require.Equal(t, want, []string{text}, "byte for byte")

	_, err = posthorn.Encode(posthorn.Publication{Type: "a", Payload: json.RawMessage(`{"a":1},"type":"b"`)})
	require.EqualError(t, err, "payload is not JSON")
	_, err = posthorn.Encode(posthorn.Publication{Type: "a", Versions: &[]posthorn.VersionPayload{{Version: "1"}}})
	require.EqualError(t, err, "versions[0]: payload is not JSON")
}

func TestAnAnswerThatIsAnErrorIsOne(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"status":422,"code":"validation_failed","title":"Unprocessable Entity","detail":"the request is not valid",
			"errors":[{"location":"type","message":"is not in the catalogue"},{"location":"sequence","message":"is too large"}]}`: "422 validation_failed: the request is not valid: type is not in the catalogue: sequence is too large",
		`<html>nginx</html>`: "422: Unprocessable Entity",
	} {
		client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, text)
		})
		_, err := client.GetEventWithResponse(t.Context(), "e")
		require.EqualError(t, err, want)
		var problem *posthorn.Error
		require.ErrorAs(t, err, &problem)
		require.Equal(t, 7*time.Second, problem.RetryAfter)
		require.Equal(t, problem.Code != "", posthorn.IsCode(err, "validation_failed"))
	}
}

func TestAnAnswerOfSomebodyElseIsNoEvent(t *testing.T) {
	t.Parallel()
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	_, err := posthorn.Publish(t.Context(), client, "a", posthorn.Publication{Type: "a", Payload: json.RawMessage("1")})
	require.EqualError(t, err, "publish an event: 200 OK is no answer of Posthorn's")
	_, err = posthorn.New("http://127.0.0.1", "")
	require.EqualError(t, err, "posthorn: no API key")
}
