package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"time"
)

// APIKeyPattern matches an API key, for secret scanners such as gitleaks. The
// last six characters are a checksum that ParseAPIKey verifies offline.
const APIKeyPattern = `ph_[a-z]{1,16}_[0-9a-f]{32}_[0-9A-Za-z]{49}` //nolint:gosec // the form, not a key

// Parts of ph_<role>_<key id>_<secret><checksum>, in characters.
const (
	keyTag      = "ph"
	maxRole     = 16
	idBytes     = 16
	idWidth     = 2 * idBytes // a UUIDv7 in hex without its dashes
	secretBytes = 32
	secretWidth = 43 // 256 bits in base 62
	checkWidth  = 6  // CRC-32 in base 62, as GitHub's tokens have it
	maxKeyText  = len(keyTag) + 1 + maxRole + 1 + idWidth + 1 + secretWidth + checkWidth
)

// ErrKey is returned for a text that is not an API key of ours.
var ErrKey = errors.New("not an API key")

// Digest is what is stored and compared instead of a key: SHA-256.
type Digest = [sha256.Size]byte

// APIKey is a new key. Text is shown once and never stored; ID, Role, Prefix and
// Digest are.
type APIKey struct {
	ID     string // the UUIDv7 the key is looked up by, with dashes
	Role   string
	Prefix string // "ph_<role>_<key id>", for display: nothing of it is secret
	Text   string
	Digest Digest // of the secret part
}

// NewAPIKey makes a key with 256 random bits and a new UUIDv7 for its id. Role is
// 1 to 16 lower-case letters.
func NewAPIKey(role string) (APIKey, error) { return newAPIKey(rand.Reader, time.Now(), role) }

func newAPIKey(rng io.Reader, now time.Time, role string) (APIKey, error) {
	if !validRole(role) {
		return APIKey{}, errors.New("api key needs a role of 1 to 16 lower-case letters")
	}
	b, err := random(rng, idBytes+secretBytes)
	if err != nil {
		return APIKey{}, err
	}
	compact := uuid7([idBytes]byte(b), now)
	secret := encode62(b[idBytes:], secretWidth)
	prefix := keyTag + "_" + role + "_" + compact
	body := prefix + "_" + secret
	return APIKey{
		ID: expandID(compact), Role: role, Prefix: prefix,
		Text: body + checksum(body), Digest: sha256.Sum256([]byte(secret)),
	}, nil
}

// uuid7 lays the time and the version over random bytes (RFC 9562 5.7) and
// returns the 32 hex digits. Not uuid.NewV7FromReader, which takes its time from
// a clock that no test can set.
func uuid7(b [idBytes]byte, now time.Time) string {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}

// ParseAPIKey returns the id to look a key up by and the digest to compare with
// the stored one. Mistyped and made-up keys fail here, by shape and checksum,
// before any query. The role in the text is not returned: the stored one counts.
func ParseAPIKey(text string) (id string, digest Digest, err error) {
	if len(text) > maxKeyText || len(text) < checkWidth {
		return "", Digest{}, ErrKey
	}
	parts := strings.Split(text, "_")
	if len(parts) != 4 || parts[0] != keyTag || !validRole(parts[1]) || !validID(parts[2]) {
		return "", Digest{}, ErrKey
	}
	tail := parts[3]
	if len(tail) != secretWidth+checkWidth || !isBase62(tail) {
		return "", Digest{}, ErrKey
	}
	body := len(text) - checkWidth
	if checksum(text[:body]) != text[body:] {
		return "", Digest{}, ErrKey
	}
	return expandID(parts[2]), sha256.Sum256([]byte(tail[:secretWidth])), nil
}

// OperatorDigest digests POSTHORN_OPERATOR_KEY, and what a caller presents to be
// compared with it: SHA-256 of the whole text. That the key has 32 characters or
// more is checked where the configuration is read.
func OperatorDigest(text string) Digest { return sha256.Sum256([]byte(text)) }

// SameDigest compares with a stored digest in constant time. A stored value of
// another length, such as none, is never the same.
func SameDigest(given Digest, stored []byte) bool {
	return subtle.ConstantTimeCompare(given[:], stored) == 1
}

func (k APIKey) String() string { return k.Prefix }

// GoString keeps the key's text out of %#v.
func (k APIKey) GoString() string { return k.Prefix }

// LogValue keeps the key's text out of structured logs.
func (k APIKey) LogValue() slog.Value { return slog.StringValue(k.Prefix) }

func checksum(s string) string {
	return encode62(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))), checkWidth)
}

func validRole(s string) bool {
	return s != "" && len(s) <= maxRole && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

func validID(s string) bool { return len(s) == idWidth && strings.Trim(s, "0123456789abcdef") == "" }

// expandID puts the dashes back: 8-4-4-4-12 (RFC 9562 4).
func expandID(s string) string {
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
