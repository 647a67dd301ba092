package delivery_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/models"
)

const handshakeKey = "B3248222FDCD1885AEAFE51CCC1B5607F00903F6"

func TestVIV28_29_Handshake(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		response egress.Response
		reason   string
	}{
		"the key":      {egress.Response{StatusCode: 200, Body: []byte(`{"Key":"` + handshakeKey + `"}`)}, ""},
		"more members": {egress.Response{StatusCode: 200, Body: []byte("\n{ \"a\": [1], \"Key\" : \"" + handshakeKey + "\" }\n")}, ""},
		"another key":  {egress.Response{StatusCode: 200, Body: []byte(`{"Key":"` + handshakeKey + `0"}`)}, "is not the application's key"},
		"lower case":   {egress.Response{StatusCode: 200, Body: []byte(`{"key":"` + handshakeKey + `"}`)}, `has no member "Key"`},
		"null":         {egress.Response{StatusCode: 200, Body: []byte(`{"Key":null}`)}, "is not the application's key"},
		"a number":     {egress.Response{StatusCode: 200, Body: []byte(`{"Key":5}`)}, "is not the application's key"},
		"no object":    {egress.Response{StatusCode: 200, Body: []byte(`null`)}, "is not a JSON object"},
		"no JSON":      {egress.Response{StatusCode: 200, Body: []byte(handshakeKey)}, "is not a JSON object"},
		"empty":        {egress.Response{StatusCode: 200}, "is not a JSON object"},
		"cut":          {egress.Response{StatusCode: 200, Body: []byte(`{}`), Truncated: true}, "the answer is too long"},
		"404":          {egress.Response{StatusCode: 404, Body: []byte(`{"Key":"` + handshakeKey + `"}`)}, "answered 404, not 200"},
		"redirect":     {egress.Response{StatusCode: 302}, "answered 302, not 200"},
		"timeout":      {egress.Response{Failure: &egress.Failure{Code: egress.CodeTimeout, Message: "no response in time"}}, "no response in time"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &answer{response: c.response}
			err := delivery.Handshake(t.Context(), client, "https://example.com/hook", "Key", handshakeKey)
			require.Equal(t, http.MethodGet, client.asked.Method)
			require.Equal(t, "https://example.com/hook", client.asked.URL)
			require.Empty(t, client.asked.Body)
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, models.CodeVerificationFailed, models.ErrorCode(err))
			require.ErrorContains(t, err, c.reason)
		})
	}
}
