package posthorn

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is how far a delivery's timestamp may be from the receiver's clock: Standard Webhooks' five minutes.
const DefaultTolerance = 5 * time.Minute

// Signing schemes, as a profile's signing.scheme names them.
const (
	SchemeStandard = "standard-webhooks"
	SchemeHMACHex  = "hmac-sha256-hex"
)

// ErrNothingToVerify means that the profile proves nothing, or that the Verifier was told of nothing to prove it by.
var ErrNothingToVerify = errors.New("there is nothing to verify")

// Verifier tells whether a delivery comes from a Posthorn. It holds what its subscription's owner knows.
type Verifier struct {
	// Scheme is the profile's signing.scheme; "" or "none" = deliveries are not signed.
	Scheme string
	// Header carries the signature where the scheme names none itself: BridgeApi-Signature for the profile bridge.
	Header string
	// Secrets are the subscription's: the one that its creation or rotation answered, and while one overlaps the older.
	// One good signature is enough.
	Secrets []string
	// PublicKeys are those of Standard Webhooks' ed25519 signatures, whpk_….
	PublicKeys []string
	// Headers must come with these values: the security key that the subscriber gave, or headers of its own.
	Headers map[string]string
	// Tolerance bounds the age of webhook-timestamp; 0 = DefaultTolerance. Only standard-webhooks signs the timestamp:
	// with other schemes an attacker who has a delivery can change it.
	Tolerance time.Duration
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Verify returns nil where the request proves its sender, and ErrNothingToVerify where there is nothing to prove it by.
// Any other error says what is wrong, and is not for the sender's eyes. The body must be the raw one.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	signed := len(v.Secrets)+len(v.PublicKeys) > 0
	if !signed && len(v.Headers) == 0 {
		return ErrNothingToVerify
	}
	if err := v.checkTime(header.Get("Webhook-Timestamp")); err != nil {
		return err
	}
	for name, want := range v.Headers {
		if err := checkHeader(header.Values(name), name, want); err != nil {
			return err
		}
	}
	if !signed {
		return nil
	}
	switch v.Scheme {
	case SchemeStandard:
		return v.checkStandard(header, body)
	case SchemeHMACHex:
		return v.checkHex(header.Get(v.Header), body)
	default:
		return fmt.Errorf("the signing scheme %q has no signature to verify", v.Scheme)
	}
}

// checkTime refuses a timestamp that is too old or too new. Profiles that send none have nothing to check.
func (v *Verifier) checkTime(text string) error {
	if text == "" && v.Scheme != SchemeStandard {
		return nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("webhook-timestamp %.40q is not a number of seconds", text)
	}
	now, tolerance := time.Now(), v.Tolerance
	if v.Now != nil {
		now = v.Now()
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("webhook-timestamp is %s from now, more than %s", age.Abs().Round(time.Second), tolerance)
	}
	return nil
}

func checkHeader(given []string, name, want string) error {
	switch {
	case len(given) == 0:
		return fmt.Errorf("the header %s is missing", name)
	case len(given) > 1 || subtle.ConstantTimeCompare([]byte(given[0]), []byte(want)) != 1:
		return fmt.Errorf("the header %s has another value", name)
	default:
		return nil
	}
}

// checkStandard checks Standard Webhooks 1.0.0: signatures over `id.timestamp.body`.
func (v *Verifier) checkStandard(header http.Header, body []byte) error {
	given := strings.Fields(header.Get("Webhook-Signature"))
	if len(given) == 0 {
		return errors.New("the header webhook-signature is missing")
	}
	content := slices.Concat([]byte(header.Get("Webhook-Id")+"."+header.Get("Webhook-Timestamp")+"."), body)
	for _, secret := range v.Secrets {
		key, err := decodeKey(secret, "whsec_")
		if err != nil {
			return err
		}
		want := hmacSHA256(key, content)
		if anySignature(given, "v1", func(signature []byte) bool { return hmac.Equal(signature, want) }) {
			return nil
		}
	}
	for _, public := range v.PublicKeys {
		key, err := decodeKey(public, "whpk_")
		if err != nil || len(key) != ed25519.PublicKeySize {
			return errors.New("the public key is not whpk_ and base64 of 32 bytes")
		}
		if anySignature(given, "v1a", func(signature []byte) bool { return ed25519.Verify(key, content, signature) }) {
			return nil
		}
	}
	return errors.New("no signature in webhook-signature is good: another secret, or another body")
}

// anySignature reports whether one of the version is good. Versions that are not asked about are skipped.
func anySignature(given []string, version string, good func([]byte) bool) bool {
	return slices.ContainsFunc(given, func(one string) bool {
		name, text, _ := strings.Cut(one, ",")
		signature, err := base64.StdEncoding.DecodeString(text)
		return name == version && err == nil && good(signature)
	})
}

// decodeKey never returns an empty key: HMAC would take one and believe everybody.
func decodeKey(text, prefix string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, prefix))
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("the secret is not %s and base64", prefix)
	}
	return key, nil
}

// checkHex checks `v1=<HEX>[,v1=<HEX>]`, one for each secret that is live: HMAC-SHA256 of the body, keyed with the
// secret's text.
func (v *Verifier) checkHex(given string, body []byte) error {
	if given == "" {
		return fmt.Errorf("the header %s is missing", v.Header)
	}
	for _, secret := range v.Secrets {
		if secret == "" {
			return errors.New("the secret is empty")
		}
		want := []byte("v1=" + strings.ToUpper(hex.EncodeToString(hmacSHA256([]byte(secret), body))))
		for one := range strings.SplitSeq(given, ",") {
			if hmac.Equal([]byte(strings.TrimSpace(one)), want) {
				return nil
			}
		}
	}
	return fmt.Errorf("no signature in %s is good: another secret, or another body", v.Header)
}

func hmacSHA256(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)
}
