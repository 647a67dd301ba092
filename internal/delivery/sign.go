package delivery

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// Why a request cannot be signed. None says anything of the secret itself.
var (
	errNoSecret  = errors.New("the subscription has no live signing secret")
	errBadSecret = errors.New("the subscription's signing secret cannot be read")
	errNoKey     = errors.New("the subscription has no security key")
)

// Standard Webhooks 1.0.0: the prefixes of secrets, and the versions of signatures.
const (
	symmetricPrefix = "whsec_"
	privatePrefix   = "whsk_"
	versionHMAC     = "v1"
	versionEd25519  = "v1a"
)

// sign returns the signature header, none for a scheme without one.
func sign(f Facts, live []models.SigningSecret, timestamp string, body []byte) ([]models.Header, error) {
	var (
		name, separator string
		signatures      []string
		err             error
	)
	switch f.Spec.Signing.Scheme {
	case models.SigningNone:
		return nil, nil
	case models.SigningStandard:
		name, separator = HeaderSignature, " "
		signatures, err = standardSignatures(f, live, timestamp, body)
	case models.SigningHMACHex:
		name, separator = f.Spec.Signing.Header, ","
		signatures, err = hexSignatures(live, body)
	default:
		err = fmt.Errorf("unknown signing scheme %q", f.Spec.Signing.Scheme)
	}
	if err != nil {
		return nil, err
	}
	if len(signatures) == 0 {
		return nil, errNoSecret
	}
	return []models.Header{{Name: name, Value: strings.Join(signatures, separator)}}, nil
}

// standardSignatures are those of Standard Webhooks, newest secret first: over `id.timestamp.body`.
func standardSignatures(f Facts, live []models.SigningSecret, timestamp string, body []byte) ([]string, error) {
	content := slices.Concat([]byte(f.EventID+"."+timestamp+"."), body)
	var signatures []string
	for _, secret := range live {
		for _, version := range f.Spec.Signing.Versions {
			signature, err := standardSignature(version, secret, content)
			if err != nil {
				return nil, err
			}
			if signature != "" {
				signatures = append(signatures, signature)
			}
		}
	}
	return signatures, nil
}

// standardSignature is "" where the secret has no key for the version.
func standardSignature(version string, secret models.SigningSecret, content []byte) (string, error) {
	switch {
	case version == versionHMAC && secret.Symmetric != "":
		key, err := decodeKey(secret.Symmetric, symmetricPrefix)
		if err != nil {
			return "", err
		}
		return versionHMAC + "," + base64.StdEncoding.EncodeToString(hmacSHA256(key, content)), nil
	case version == versionEd25519 && secret.Private != "":
		key, err := decodeKey(secret.Private, privatePrefix)
		if err != nil || len(key) != ed25519.PrivateKeySize {
			return "", errBadSecret
		}
		signature := ed25519.Sign(ed25519.PrivateKey(key), content)
		return versionEd25519 + "," + base64.StdEncoding.EncodeToString(signature), nil
	default:
		return "", nil
	}
}

// decodeKey never returns an empty key: HMAC would take one and sign for everybody.
func decodeKey(secret, prefix string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, prefix))
	if err != nil || len(key) == 0 {
		return nil, errBadSecret
	}
	return key, nil
}

// hexSignatures are `v1=<HEX>` over the raw body, keyed with the secret's text: the form that Bridge's receivers expect,
// see docs.bridgeapi.io/docs/secure-your-webhooks.
func hexSignatures(live []models.SigningSecret, body []byte) ([]string, error) {
	signatures := make([]string, 0, len(live))
	for _, secret := range live {
		if secret.Symmetric == "" {
			return nil, errBadSecret
		}
		sum := hmacSHA256([]byte(secret.Symmetric), body)
		signatures = append(signatures, "v1="+strings.ToUpper(hex.EncodeToString(sum)))
	}
	return signatures, nil
}

func hmacSHA256(key, content []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return mac.Sum(nil)
}
