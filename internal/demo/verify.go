package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
)

// proof is what an endpoint checks of its requests before it believes who sent them. The zero value checks nothing.
type proof struct {
	// scheme is the profile's signing scheme; "" or "none" = there is no signature.
	scheme string
	// header carries the signature of schemes that name none themselves.
	header string
	// secret is the subscription's, as its creation answered it.
	secret string
	// headers must come with these values: the key that the subscriber gave, or headers of its own.
	headers map[string]string
}

// verdict is whether a request proves to be its sender's.
type verdict int

const (
	unproven verdict = iota // there is nothing to check
	genuine
	forged
)

func (p proof) verify(header http.Header, body string) verdict {
	signed := p.scheme != "" && p.scheme != "none"
	if !signed && len(p.headers) == 0 {
		return unproven
	}
	if signed && !p.signed(header, body) {
		return forged
	}
	for name, value := range p.headers {
		if header.Get(name) != value {
			return forged
		}
	}
	return genuine
}

// signed reports whether the signature is good. A scheme that the demo does not know has none that is.
func (p proof) signed(header http.Header, body string) bool {
	switch p.scheme {
	case "standard-webhooks":
		return standardSignature(p.secret, header, body)
	case "hmac-sha256-hex":
		return hexSignature(p.secret, header.Get(p.header), body)
	default:
		return false
	}
}

// standardSignature checks the symmetric signature of Standard Webhooks: HMAC-SHA256 of "id.timestamp.body". A
// receiver outside of a demo refuses an old timestamp too.
func standardSignature(secret string, header http.Header, body string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return false
	}
	want := digest(key, header.Get("Webhook-Id")+"."+header.Get("Webhook-Timestamp")+"."+body)
	for signature := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		version, text, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(given, want) {
			return true
		}
	}
	return false
}

// hexSignature checks `v1=<HEX>[,v1=<HEX>]`, one for each secret that is live: HMAC-SHA256 of the body, keyed with
// the secret's text, in upper case.
func hexSignature(secret, given, body string) bool {
	want := "v1=" + strings.ToUpper(hex.EncodeToString(digest([]byte(secret), body)))
	for signature := range strings.SplitSeq(given, ",") {
		if secret != "" && hmac.Equal([]byte(signature), []byte(want)) {
			return true
		}
	}
	return false
}

func digest(key []byte, content string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(content))
	return mac.Sum(nil)
}
