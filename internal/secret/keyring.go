package secret

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrSealed is returned when a ciphertext does not open. It does not say which:
// unknown master key, another row's ciphertext, or a damaged one.
var ErrSealed = errors.New("secret does not open: wrong master key, wrong place or damaged")

// Keyring encrypts and decrypts secrets. It is safe for concurrent use and
// prints as a placeholder.
type Keyring struct {
	primitive tink.AEAD
	primary   uint32
}

// NewKeyring reads POSTHORN_MASTER_KEYS: one or more keys, separated by commas,
// each the base64 text of at least 32 random bytes. The first one encrypts; all
// decrypt. To rotate, put a new key in front, re-encrypt, then drop the old one.
// Short, repeated and guessable keys are refused, without being quoted.
func NewKeyring(masterKeys string) (*Keyring, error) {
	keys, err := parseMasterKeys(masterKeys)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	var primary uint32
	for i, key := range keys {
		id, err := addKey(manager, key)
		if err != nil {
			return nil, fmt.Errorf("master key %d of %d cannot be used: %w", i+1, len(keys), err)
		}
		if i == 0 {
			primary = id
		}
	}
	return assemble(manager, primary)
}

func addKey(manager *keyset.Manager, key masterKey) (uint32, error) {
	material, id, err := key.derive()
	if err != nil {
		return 0, err
	}
	// The Tink variant puts the key's id in front of the ciphertext.
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: len(material), IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
	if err != nil {
		return 0, err
	}
	data := secretdata.NewBytesFromData(material, insecuresecretdataaccess.Token{})
	tinkKey, err := aesgcm.NewKey(data, id, params)
	if err != nil {
		return 0, err
	}
	return manager.AddKey(tinkKey)
}

func assemble(manager *keyset.Manager, primary uint32) (*Keyring, error) {
	if err := manager.SetPrimary(primary); err != nil {
		return nil, err
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	return &Keyring{primitive: primitive, primary: primary}, nil
}

// Seal encrypts plaintext for one place. Sealing twice gives two ciphertexts;
// each is 33 bytes longer than the plaintext.
func (k *Keyring) Seal(plaintext []byte, ad AD) ([]byte, error) {
	data, err := ad.encode()
	if err != nil {
		return nil, err
	}
	return k.primitive.Encrypt(plaintext, data)
}

// Open decrypts what Seal made for the same place, under any key of the ring.
// Every refusal is ErrSealed.
func (k *Keyring) Open(ciphertext []byte, ad AD) ([]byte, error) {
	data, err := ad.encode()
	if err != nil {
		return nil, err
	}
	plaintext, err := k.primitive.Decrypt(ciphertext, data)
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// Tink's output prefix: one version byte, then the key id, big-endian.
const (
	tinkVersion = 0x01
	tinkPrefix  = 5
)

// NeedsRotation reports whether ciphertext was made under another key than the
// one that encrypts now. It reads the prefix only and decrypts nothing.
func (k *Keyring) NeedsRotation(ciphertext []byte) bool {
	return len(ciphertext) < tinkPrefix || ciphertext[0] != tinkVersion ||
		binary.BigEndian.Uint32(ciphertext[1:tinkPrefix]) != k.primary
}

// PrimaryID names the key that encrypts, for logs: 8 hex digits, not secret.
func (k *Keyring) PrimaryID() string { return fmt.Sprintf("%08x", k.primary) }

func (k *Keyring) String() string { return "keyring(" + k.PrimaryID() + ")" }

// GoString keeps %#v from walking into the key material.
func (k *Keyring) GoString() string { return k.String() }
