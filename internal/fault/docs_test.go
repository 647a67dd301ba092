package fault_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	madeTest  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(t? ?`)
)

// tests are the names of all tests of the module.
func tests(t *testing.T, root string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range madeTest.FindAllSubmatch(text, -1) {
			names[string(match[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	return names
}

func TestThePageOnReliabilityNamesTestsThatExist(t *testing.T) {
	root, err := moduleRoot()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "reliability.md"))
	require.NoError(t, err)
	there := tests(t, root)
	named := namedTest.FindAllSubmatch(page, -1)
	require.NotEmpty(t, named)
	for _, match := range named {
		require.True(t, there[string(match[1])], "docs/reliability.md names %s, which does not exist", match[1])
	}
	for n := 1; n <= 70; n++ {
		row := fmt.Sprintf("| F%02d |", n)
		require.Equal(t, 1, strings.Count(string(page), row), "docs/reliability.md has one row %s", row)
		for name := range there {
			if strings.HasPrefix(name, fmt.Sprintf("TestF%02d_", n)) {
				require.True(t, strings.Contains(string(page), name), "docs/reliability.md leaves %s out", name) //nolint:testifylint // it would print the page
			}
		}
	}
}
