package main

// Holds the pages of documentation, and what comments say of them, against the files that there are.

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// files are the paths of the module's files with the endings, from its root, with slashes. What is built or installed is
// left out.
func files(t *testing.T, endings ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(place string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains([]string{"bin", "data", "node_modules"}, entry.Name()) || isHidden(entry.Name())):
			return filepath.SkipDir
		case entry.IsDir() || !slices.Contains(endings, filepath.Ext(place)):
			return nil
		}
		relative, err := filepath.Rel(root, place)
		found = append(found, filepath.ToSlash(relative))
		return err
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

func isHidden(name string) bool { return len(name) > 2 && name[0] == '.' }

// words are a file's: all of a page, the comments of a Go file.
func words(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	if path.Ext(file) != ".go" {
		return string(text)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	var comments strings.Builder
	for _, group := range parsed.Comments {
		comments.WriteString(group.Text() + "\n")
	}
	return comments.String()
}

var (
	elsewhere = regexp.MustCompile(`https?://\S+`)
	namedPage = regexp.MustCompile(`[\w./-]*\w\.md\b`)
	namedCode = regexp.MustCompile(`[\w./-]*\w\.go\b`)
)

// namedIn are the files that a text names, each without the dots that it may begin with.
func namedIn(text string, pattern *regexp.Regexp) []string {
	named := pattern.FindAllString(elsewhere.ReplaceAllString(text, ""), -1)
	for i, file := range named {
		named[i] = strings.TrimLeft(file, "./")
	}
	return named
}

func TestFilesNamedInATextAreFound(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"docs/order.md", "a.md", "README.md"},
		namedIn("docs/order.md says: [a](../a.md#b), not *.md, .md or https://example.com/c.md, but README.md.", namedPage))
	require.Equal(t, []string{"store/line.go"}, namedIn("`store/line.go`, *.go, Python", namedCode))
}

// requireThere looks for each name at the end of a path: texts begin where they are.
func requireThere(t *testing.T, in string, named, there []string) {
	t.Helper()
	for _, name := range named {
		found := slices.ContainsFunc(there, func(file string) bool { return strings.HasSuffix("/"+file, "/"+name) })
		require.True(t, found, "%s names %s, which is not in the repository", in, name)
	}
}

func TestEveryFileThatAPageNamesExists(t *testing.T) {
	t.Parallel()
	pages, code := files(t, ".md"), files(t, ".go")
	for _, page := range pages {
		text := words(t, page)
		requireThere(t, page, namedIn(text, namedPage), pages)
		requireThere(t, page, namedIn(text, namedCode), code)
	}
}

func TestEveryPageThatACommentNamesExists(t *testing.T) {
	t.Parallel()
	pages := files(t, ".md")
	for _, file := range files(t, ".go") {
		requireThere(t, file, namedIn(words(t, file), namedPage), pages)
	}
}

// Every folder with Go files has a row in the table of the house, or a word in one that has.
func TestThePageOnArchitectureHasEveryPackage(t *testing.T) {
	t.Parallel()
	house := map[string]bool{}
	for line := range strings.Lines(words(t, "docs/architecture.md")) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			for _, match := range quoted.FindAllStringSubmatch(cells[1]+cells[2], -1) {
				house[strings.TrimSuffix(match[1], "/")] = true
			}
		}
	}
	for _, file := range files(t, ".go") {
		name := path.Dir(file)
		if name == "." {
			name = file
		}
		if !strings.HasSuffix(name, "_test.go") {
			require.True(t, house[name], "docs/architecture.md has no word on %s", name)
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")
