package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sources are the texts of the module's Go files that the pattern matches, by path.
func sources(t *testing.T, pattern string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "bin" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || !regexp.MustCompile(pattern).MatchString(path) {
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(path)] = string(text)
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

// F70: what strangers write is fuzzed. The targets are listed here, so that none is lost: `make fuzz` runs them all, and
// plain `go test` their seeds and whatever they have found.
func TestF70_EverythingAStrangerWritesHasAFuzzTarget(t *testing.T) {
	t.Parallel()
	var targets []string
	for path, text := range sources(t, `_test\.go$`) {
		for _, match := range regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`).FindAllStringSubmatch(text, -1) {
			require.Contains(t, text, "f.Add(", "%s: %s has no seeds", path, match[1])
			targets = append(targets, filepath.ToSlash(filepath.Dir(path))+" "+match[1])
		}
	}
	require.Subset(t, targets, []string{
		"api FuzzRequest", "api FuzzDecode", "api FuzzMembers", "api FuzzCursor", "api FuzzSubscription", "api FuzzBasicAuth",
		"api FuzzIdempotencyKey", "api FuzzID",
		"clients/go FuzzVerify",
		"internal/delivery FuzzRetryAfter", "internal/delivery FuzzBody",
		"internal/egress FuzzCheckURL", "internal/egress FuzzCheckHeader",
		"internal/filter FuzzCompile", "internal/filter FuzzMatches",
		"internal/secret FuzzParseAPIKey",
		"models FuzzCheckPayload", "models FuzzIsID",
		"profiles FuzzParse", "profiles FuzzWithDelivery",
	})
}

// The audit log is written by one statement, and changed by one: the erasure of an application takes the details out of
// its entries. Nothing deletes an entry.
func TestTheAuditLogIsOnlyAppendedTo(t *testing.T) {
	t.Parallel()
	change := regexp.MustCompile(`(?is)(update|delete\s+from|truncate|replace\s+into|drop\s+table)\s+"?audit_entries`)
	model := regexp.MustCompile(`(?s)AuditEntry\{\}\)?\.?[^\n]*\.(Save|Update\w*|Delete)\(`)
	var changes []string
	for path, text := range sources(t, `\.go$`) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "storetest/") {
			continue
		}
		for range len(change.FindAllString(text, -1)) + len(model.FindAllString(text, -1)) {
			changes = append(changes, path)
		}
	}
	require.Equal(t, []string{"internal/store/erase_rest.go"}, changes)
}
