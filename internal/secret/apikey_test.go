package secret

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAPIKeyForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 19, 17, 0, 123e6, time.UTC)
	key, err := newAPIKey(sequence(0), at, "admin")
	require.NoError(t, err)
	require.Equal(t, "019aa7e0-4f3b-7607-8809-0a0b0c0d0e0f"[14:], key.ID[14:], "version 7, variant 10")
	require.Equal(t, fmt.Sprintf("%012x", at.UnixMilli()), strings.ReplaceAll(key.ID[:13], "-", ""))
	require.Equal(t, "ph_admin_"+strings.ReplaceAll(key.ID, "-", ""), key.Prefix)
	require.True(t, strings.HasPrefix(key.Text, key.Prefix+"_"))
	require.Len(t, key.Text, len(key.Prefix)+1+43+6)

	secretPart := key.Text[len(key.Prefix)+1 : len(key.Text)-6]
	require.Equal(t, sha256.Sum256([]byte(secretPart)), key.Digest)
	require.Regexp(t, "^"+APIKeyPattern+"$", key.Text)
}

func TestAPIKeyRoundTrip(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"operator", "publisher", "admin", "member"} {
		key, err := NewAPIKey(role)
		require.NoError(t, err)
		id, digest, err := ParseAPIKey(key.Text)
		require.NoError(t, err)
		require.Equal(t, key.ID, id)
		require.True(t, SameDigest(digest, key.Digest[:]))
	}
}

func TestAPIKeyRefusesARole(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"", "Admin", "ad_min", "admin1", "ädmin", strings.Repeat("a", 17)} {
		_, err := NewAPIKey(role)
		require.Error(t, err, role)
	}
	_, err := newAPIKey(broken{}, time.Time{}, "admin")
	require.Error(t, err)
}

// Every change of one character is found without a query.
func TestChecksumFindsEveryTypo(t *testing.T) {
	t.Parallel()
	key, err := NewAPIKey("member")
	require.NoError(t, err)
	for i := range len(key.Text) {
		for _, c := range []byte("a0Z_ \x00\xff") {
			typo := []byte(key.Text)
			if typo[i] == c {
				continue
			}
			typo[i] = c
			_, _, err := ParseAPIKey(string(typo))
			require.ErrorIs(t, err, ErrKey, "%q", typo)
		}
		_, _, err := ParseAPIKey(key.Text[:i])
		require.ErrorIs(t, err, ErrKey)
	}
	for _, text := range []string{"", "ph", key.Text + "a", " " + key.Text, key.Text + "\n", strings.ToUpper(key.Text), strings.Repeat("_", 4096)} {
		_, _, err := ParseAPIKey(text)
		require.ErrorIs(t, err, ErrKey, "%q", text)
	}
}

func TestKeysNeverPrintTheirText(t *testing.T) {
	t.Parallel()
	key, err := NewAPIKey("admin")
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key)
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %s", key, key, key), log.String()} {
		require.Contains(t, shown, key.Prefix)
		require.NotContains(t, shown, key.Text)
		require.NotContains(t, shown, key.Text[len(key.Prefix)+1:])
	}
}

func TestSameDigest(t *testing.T) {
	t.Parallel()
	a, b := OperatorDigest("one"), OperatorDigest("two")
	require.Equal(t, sha256.Sum256([]byte("one")), a)
	require.True(t, SameDigest(a, a[:]))
	require.False(t, SameDigest(a, b[:]))
	require.False(t, SameDigest(a, nil))
	require.False(t, SameDigest(a, a[:31]))
	require.False(t, SameDigest(Digest{}, nil))
}

func TestBase62IsFixedWidthAndUnique(t *testing.T) {
	t.Parallel()
	require.Equal(t, "000000", encode62(make([]byte, 4), 6))
	require.Equal(t, "4gfFC3", encode62(bytes.Repeat([]byte{0xff}, 4), 6))
	require.Equal(t, strings.Repeat("0", 42)+"z", encode62(append(make([]byte, 31), 61), 43))
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "b")
		x, y := encode62(a, 43), encode62(b, 43)
		if len(x) != 43 || !isBase62(x) || (x == y) != bytes.Equal(a, b) || (x < y) != (bytes.Compare(a, b) < 0) {
			t.Fatalf("%x → %s, %x → %s", a, x, b, y)
		}
	})
}

// FuzzParseAPIKey: what parses is exactly one text for its id and checksum.
func FuzzParseAPIKey(f *testing.F) {
	key, err := newAPIKey(sequence(7), time.UnixMilli(1), "operator")
	require.NoError(f, err)
	f.Add(key.Text)
	f.Add("ph_admin__")
	f.Add("ph_admin_" + strings.Repeat("0", 32) + "_" + strings.Repeat("0", 49))
	f.Add(strings.Repeat("_", 100))
	f.Fuzz(func(t *testing.T, text string) {
		id, digest, err := ParseAPIKey(text)
		if err != nil {
			if id != "" || digest != (Digest{}) {
				t.Fatal("an error with a result")
			}
			return
		}
		parts := strings.Split(text, "_")
		secretPart := parts[3][:43]
		body := "ph_" + parts[1] + "_" + strings.ReplaceAll(id, "-", "") + "_" + secretPart
		if body+checksum(body) != text || digest != sha256.Sum256([]byte(secretPart)) {
			t.Fatalf("%q is read as %q", text, body)
		}
	})
}
