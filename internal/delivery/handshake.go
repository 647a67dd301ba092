package delivery

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/models"
)

// handshakeTimeout bounds the whole of a handshake.
const handshakeTimeout = 10 * time.Second

// Handshake asks the URL for the application's key: one GET, answered with 200 and a JSON object whose member of
// the given name (case-sensitive) is the key (VIV-28, VIV-29). Other members and white space are fine. A failure is
// CodeVerificationFailed with the reason.
func Handshake(ctx context.Context, client Client, url, member, key string) error {
	answer := client.Do(ctx, egress.Request{Method: http.MethodGet, URL: url, Timeout: handshakeTimeout})
	switch {
	case answer.Failure != nil:
		return verificationFailed("the request failed: %s", answer.Failure.Message)
	case answer.StatusCode != http.StatusOK:
		return verificationFailed("the URL answered %d, not 200", answer.StatusCode)
	case answer.Truncated:
		return verificationFailed("the answer is too long")
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(answer.Body, &object) != nil || object == nil {
		return verificationFailed("the answer is not a JSON object")
	}
	raw, ok := object[member]
	if !ok {
		return verificationFailed("the answer has no member %q", member)
	}
	var given string
	if json.Unmarshal(raw, &given) != nil || subtle.ConstantTimeCompare([]byte(given), []byte(key)) != 1 {
		return verificationFailed("the member %q is not the application's key", member)
	}
	return nil
}

func verificationFailed(format string, args ...any) error {
	return models.Errorf(models.CodeVerificationFailed, "the URL could not be verified: %s", fmt.Sprintf(format, args...))
}
