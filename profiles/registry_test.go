package profiles_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/profiles"
)

// The order is that of form, which clients see.
func TestJSONHasEveryKnobInOrder(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(profile(t, "viva"))
	require.NoError(t, err)
	require.Equal(t, []string{
		"name", "envelope", "time", "wire", "types_per_subscription", "versions", "auth", "signing", "success",
		"timeout", "retry", "retry_after", "on_410", "ordering", "entity", "verification", "url",
		"subscription_limit", "managed_by", "test_event", "suppress", "traceparent", "catalogue",
	}, keysOf(t, raw))
	require.Contains(t, string(raw), `"test_event":{"type":1796,"payload":"{\n  \"Amount\": 100.50,`)
	require.Contains(t, string(raw), `{"name":"transaction.created","wire":1796,"group":"Transactions",`)
	require.Contains(t, string(raw), `"schema":{"properties":{"TransactionTypeId":{"enum":[0,5,6,9,15,16]}}}`)
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("notes.txt", "not a profile")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700))
	write("a.yml", good)
	r, err := profiles.New(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"acme", "alviere", "aria", "bridge", "standard", "thredd", "viva"}, r.Names())

	write("b.yaml", good)
	_, err = profiles.New(dir)
	require.EqualError(t, err, filepath.Join(dir, "b.yaml")+`: name "acme" is taken by another profile`)
	_, err = profiles.New(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = profiles.New("", profile(t, "viva"))
	require.EqualError(t, err, `viva: name "viva" is taken by another profile`)
}

// keysOf are the members of a JSON object in their order.
func keysOf(t *testing.T, raw []byte) []string {
	t.Helper()
	var keys []string
	var values map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &values))
	decoder := json.NewDecoder(bytes.NewReader(raw))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		key, err := decoder.Token()
		require.NoError(t, err)
		keys = append(keys, fmt.Sprint(key))
		var skip json.RawMessage
		require.NoError(t, decoder.Decode(&skip))
	}
	require.Len(t, keys, len(values))
	return keys
}
