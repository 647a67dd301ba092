package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Sizes of a master key, in bytes.
const (
	minMasterKey = 32
	maxMasterKey = 256
)

// GenerateMasterKey returns a master key for POSTHORN_MASTER_KEYS: the base64
// text of 32 random bytes, the same as `openssl rand -base64 32` prints.
func GenerateMasterKey() string {
	b := make([]byte, minMasterKey)
	_, _ = rand.Read(b) // never fails: it ends the program instead (Go 1.24)
	return base64.StdEncoding.EncodeToString(b)
}

// masterKey is one decoded entry of POSTHORN_MASTER_KEYS.
type masterKey []byte

// parseMasterKeys reads a comma-separated list. Its errors say which entry is
// wrong and never what it is.
func parseMasterKeys(text string) ([]masterKey, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("no master key is given")
	}
	entries := strings.Split(text, ",")
	keys := make([]masterKey, 0, len(entries))
	for i, entry := range entries {
		key, err := parseMasterKey(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("master key %d of %d: %w", i+1, len(entries), err)
		}
		for j, earlier := range keys {
			if bytes.Equal(earlier, key) {
				return nil, fmt.Errorf("master key %d of %d is the same as key %d", i+1, len(entries), j+1)
			}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

const advice = "make one with: openssl rand -base64 32"

func parseMasterKey(entry string) (masterKey, error) {
	// Both alphabets, padded or not: people paste what their tool gives.
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(entry, "="))
	key, err := base64.RawStdEncoding.DecodeString(plain)
	switch {
	case entry == "":
		return nil, errors.New("is empty")
	case err != nil:
		return nil, fmt.Errorf("is not base64; %s", advice) // err would quote a byte of it
	case len(key) < minMasterKey:
		return nil, fmt.Errorf("has %d bytes, at least %d are needed; %s", len(key), minMasterKey, advice)
	case len(key) > maxMasterKey:
		return nil, fmt.Errorf("has %d bytes, at most %d are accepted", len(key), maxMasterKey)
	case guessable(key):
		return nil, fmt.Errorf("is not random; %s", advice)
	}
	return key, nil
}

// guessable finds examples and placeholders: text, repetitions, runs. A random
// key is taken for one with a probability below 1 in 10^11.
func guessable(key []byte) bool {
	return distinct(key) < 16 || isText(key) || isRun(key) || isRepeated(key)
}

func distinct(key []byte) int {
	var seen [256]bool
	n := 0
	for _, b := range key {
		if !seen[b] {
			seen[b], n = true, n+1
		}
	}
	return n
}

func isText(key []byte) bool {
	for _, b := range key {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// isRun: 00 01 02 … and every other run with a constant step.
func isRun(key []byte) bool {
	for i := 2; i < len(key); i++ {
		if key[i]-key[i-1] != key[1]-key[0] {
			return false
		}
	}
	return true
}

func isRepeated(key []byte) bool {
	for period := 1; period <= len(key)/2; period++ {
		if bytes.Equal(key[period:], key[:len(key)-period]) {
			return true
		}
	}
	return false
}

// derive makes a 256-bit AES key and a stable key id from the master key by HKDF
// (RFC 5869), so a longer key is used whole and the public id tells nothing.
func (k masterKey) derive() (aes []byte, id uint32, err error) {
	aes, err = hkdf.Key(sha256.New, k, nil, "posthorn/master-key/v1/aes256-gcm", 32)
	if err != nil {
		return nil, 0, err
	}
	tag, err := hkdf.Key(sha256.New, k, nil, "posthorn/master-key/v1/id", 4)
	if err != nil {
		return nil, 0, err
	}
	return aes, binary.BigEndian.Uint32(tag), nil
}
