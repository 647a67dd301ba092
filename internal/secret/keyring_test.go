package secret

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func ring(t *testing.T, keys ...string) *Keyring {
	t.Helper()
	k, err := NewKeyring(strings.Join(keys, ","))
	require.NoError(t, err)
	return k
}

func place() AD { return AD{Table: "subscriptions", Column: "secret", Tenant: "app", Row: "sub"} }

func TestSealedOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k := ring(t, GenerateMasterKey())
	sealed, err := k.Seal([]byte("whsec_x"), place())
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "whsec_x")
	require.Len(t, sealed, len("whsec_x")+33)

	opened, err := k.Open(sealed, place())
	require.NoError(t, err)
	require.Equal(t, "whsec_x", string(opened))

	for _, wrong := range []AD{
		{"keys", "secret", "app", "sub"},
		{"subscriptions", "headers", "app", "sub"},
		{"subscriptions", "secret", "other", "sub"},
		{"subscriptions", "secret", "app", "other"},
		{"subscriptions", "secret", "", "appsub"},
		{"subscriptions", "secretapp", "", "sub"},
		{"subscriptionssecret", "app", "", "sub"},
		{"Subscriptions", "secret", "app", "sub"},
	} {
		_, err := k.Open(sealed, wrong)
		require.ErrorIs(t, err, ErrSealed, "%v", wrong)
	}
}

func TestADIsUnambiguous(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[ab\x00|]{1,3}`)
		draw := func(name string) AD {
			return AD{part.Draw(t, name+"t"), part.Draw(t, name+"c"), part.Draw(t, name+"n"), part.Draw(t, name+"r")}
		}
		a, b := draw("a"), draw("b")
		x, err := a.encode()
		require.NoError(t, err)
		y, err := b.encode()
		require.NoError(t, err)
		require.Equal(t, a == b, bytes.Equal(x, y))
	})
}

func TestAPlaceIsRequired(t *testing.T) {
	t.Parallel()
	k := ring(t, GenerateMasterKey())
	for _, ad := range []AD{{}, {Table: "t", Column: "c"}, {Table: "t", Row: "r"}, {Column: "c", Row: "r"}} {
		_, err := k.Seal([]byte("x"), ad)
		require.Error(t, err)
		_, err = k.Open([]byte("x"), ad)
		require.Error(t, err)
	}
	_, err := k.Seal(nil, AD{Table: "t", Column: "c", Row: "r"})
	require.NoError(t, err, "the deployment's own secrets have no tenant")
}

func TestTamperedCiphertextDoesNotOpen(t *testing.T) {
	t.Parallel()
	k := ring(t, GenerateMasterKey())
	sealed, err := k.Seal([]byte("secret"), place())
	require.NoError(t, err)
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		_, err := k.Open(bad, place())
		require.ErrorIs(t, err, ErrSealed, "byte %d", i)
		_, err = k.Open(sealed[:i], place())
		require.ErrorIs(t, err, ErrSealed, "first %d bytes", i)
	}
	_, err = k.Open(append(bytes.Clone(sealed), 0), place())
	require.ErrorIs(t, err, ErrSealed)
}

func TestSealingTwiceGivesTwoCiphertexts(t *testing.T) {
	t.Parallel()
	k := ring(t, GenerateMasterKey())
	a, err := k.Seal([]byte("x"), place())
	require.NoError(t, err)
	b, err := k.Seal([]byte("x"), place())
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	first, second := GenerateMasterKey(), GenerateMasterKey()
	before, during, after := ring(t, first), ring(t, second, first), ring(t, second)

	old, err := before.Seal([]byte("x"), place())
	require.NoError(t, err)
	require.False(t, before.NeedsRotation(old))
	require.True(t, during.NeedsRotation(old))

	opened, err := during.Open(old, place())
	require.NoError(t, err)
	fresh, err := during.Seal(opened, place())
	require.NoError(t, err)
	require.False(t, during.NeedsRotation(fresh))

	got, err := after.Open(fresh, place())
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
	_, err = after.Open(old, place())
	require.ErrorIs(t, err, ErrSealed)
	_, err = before.Open(fresh, place())
	require.ErrorIs(t, err, ErrSealed)

	for _, other := range [][]byte{nil, {1}, {0, 0, 0, 0, 0, 0}} {
		require.True(t, during.NeedsRotation(other))
	}
}

// A ciphertext made by an earlier release opens for ever: the derivation of the
// key, the key id and the place are part of the format.
func TestStoredCiphertextStillOpens(t *testing.T) {
	t.Parallel()
	k := ring(t, fixedKey)
	require.Equal(t, fixedID, k.PrimaryID())
	sealed, err := base64.StdEncoding.DecodeString(fixedSealed)
	require.NoError(t, err)
	got, err := k.Open(sealed, place())
	require.NoError(t, err)
	require.Equal(t, "whsec_golden", string(got))
	require.False(t, k.NeedsRotation(sealed))
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func TestMasterKeySpellings(t *testing.T) {
	t.Parallel()
	raw := bytes.Repeat([]byte{0xfb, 0xff, 0x3e, 0x01}, 2)
	for i := range 40 {
		raw = append(raw, byte(i*i*7))
	}
	want := ring(t, base64.StdEncoding.EncodeToString(raw)).PrimaryID()
	for _, spelling := range []string{
		base64.RawStdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		"  " + base64.StdEncoding.EncodeToString(raw) + "\n",
	} {
		require.Equal(t, want, ring(t, spelling).PrimaryID())
	}
	both := ring(t, GenerateMasterKey(), " "+base64.StdEncoding.EncodeToString(raw)+" ")
	require.NotEqual(t, want, both.PrimaryID(), "the first is primary")
}

func TestBadMasterKeysAreRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	good := GenerateMasterKey()
	run := make([]byte, 32)
	for i := range run {
		run[i] = byte(i)
	}
	for name, keys := range map[string]string{
		"nothing":          "",
		"blank":            " \n",
		"trailing comma":   good + ",",
		"short":            encoded(run[:31]),
		"not base64":       "correct horse battery staple correct horse",
		"odd length":       good + "A",
		"padding inside":   good[:10] + "=" + good[10:],
		"zeros":            encoded(make([]byte, 32)),
		"one byte":         encoded(bytes.Repeat([]byte{0xa5}, 32)),
		"run":              encoded(run),
		"text":             encoded([]byte("this-is-my-very-secret-master-key!")),
		"changeme":         strings.Repeat("changeme", 8),
		"repeated half":    encoded(append(run[3:20:20], run[3:20]...)),
		"too long":         encoded(bytes.Repeat(run, 9)),
		"the same twice":   good + "," + good,
		"same, unpadded":   good + "," + strings.TrimRight(good, "="),
		"second is short":  good + ",c2hvcnQ=",
		"separated wrong":  good + ";" + good,
		"64 times a digit": strings.Repeat("0", 64),
	} {
		_, err := NewKeyring(keys)
		require.Error(t, err, name)
		for part := range strings.FieldsFuncSeq(keys, func(r rune) bool { return r == ',' || r == ';' }) {
			if len(part) > 4 {
				require.NotContains(t, err.Error(), part, name)
			}
		}
	}
	_, err := NewKeyring(good + ",c2hvcnQ=")
	require.ErrorContains(t, err, "master key 2 of 2")
}

func TestRandomMasterKeysAreNeverRefused(t *testing.T) {
	t.Parallel()
	for range 20_000 {
		_, err := parseMasterKey(GenerateMasterKey())
		require.NoError(t, err)
	}
	_, err := parseMasterKey("0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f90")
	require.NoError(t, err, "openssl rand -hex 32 is base64 of 48 bytes as well")
}

func TestKeyringDoesNotPrintItself(t *testing.T) {
	t.Parallel()
	k := ring(t, fixedKey)
	require.Equal(t, "keyring("+fixedID+") keyring("+fixedID+") keyring("+fixedID+")", fmt.Sprintf("%v %+v %#v", k, k, k))
}

const (
	fixedKey    = "bRzqyrbZCIvYxU29i1hmUSNomlkoysGCbHHQg9EJ+DE="
	fixedID     = "b8867829"
	fixedSealed = "AbiGeCnlCH/HYa/tQsFTSQ8gL3G5CyvazsVZSAkyGapdpg8md83RLTv3EB0y"
)
