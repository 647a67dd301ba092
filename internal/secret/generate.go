package secret

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// The exported generators draw from crypto/rand and nothing else, so that no
// caller can make a predictable secret. Each is a line over one that takes the
// reader, for tests.

// random returns n bytes of rng.
func random(rng io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rng, b); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return b, nil
}

// NewWebhookSecret returns a Standard Webhooks HMAC secret: "whsec_" and the
// base64 text of 32 random bytes (the specification asks for 24 to 64).
func NewWebhookSecret() (string, error) { return webhookSecret(rand.Reader) }

func webhookSecret(rng io.Reader) (string, error) {
	b, err := random(rng, 32)
	if err != nil {
		return "", err
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(b), nil
}

// NewEd25519 returns a Standard Webhooks key pair: "whsk_" and the base64 text
// of the 64-byte private key (seed, then public key), "whpk_" and that of the
// 32-byte public key. Only the public one is shown to subscribers.
func NewEd25519() (private, public string, err error) { return ed25519Pair(rand.Reader) }

func ed25519Pair(rng io.Reader) (private, public string, err error) {
	// Not ed25519.GenerateKey: since Go 1.26 it ignores its reader.
	seed, err := random(rng, ed25519.SeedSize)
	if err != nil {
		return "", "", err
	}
	key := ed25519.NewKeyFromSeed(seed)
	encode := base64.StdEncoding.EncodeToString
	return "whsk_" + encode(key), "whpk_" + encode(key[ed25519.SeedSize:]), nil
}

// NewHandshakeKey returns an application's verification key: 160 random bits as
// 40 upper-case hex digits (VIV-30).
func NewHandshakeKey() (string, error) { return handshakeKey(rand.Reader) }

func handshakeKey(rng io.Reader) (string, error) {
	b, err := random(rng, 20)
	if err != nil {
		return "", err
	}
	return strings.ToUpper(hex.EncodeToString(b)), nil
}

// NewTextSecret returns 256 random bits as 43 URL-safe characters, for schemes
// that key with the secret's text (bridge).
func NewTextSecret() (string, error) { return textSecret(rand.Reader) }

func textSecret(rng io.Reader) (string, error) {
	b, err := random(rng, 32)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// NewOperatorKey returns a key for POSTHORN_OPERATOR_KEY: "ph_operator_" and 260
// random bits as 52 characters of base32. It has no id and no checksum, as those
// of NewAPIKey have: the configuration holds it whole.
func NewOperatorKey() string {
	return "ph_operator_" + rand.Text() + rand.Text() // never fails: it ends the program instead (Go 1.24)
}
