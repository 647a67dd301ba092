package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// verdict is whether a request's signature is its sender's.
type verdict int

const (
	unsigned verdict = iota // the profile does not sign
	genuine
	forged
)

// verify checks the symmetric signature of Standard Webhooks: HMAC-SHA256 of "id.timestamp.body". A receiver outside
// of a demo refuses an old timestamp too.
func verify(secret string, header http.Header, body string) verdict {
	if secret == "" {
		return unsigned
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return forged
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(header.Get("Webhook-Id") + "." + header.Get("Webhook-Timestamp") + "." + body))
	for signature := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(given, mac.Sum(nil)) {
			return genuine
		}
	}
	return forged
}
