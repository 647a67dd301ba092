package fault_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// binary builds the program under test, with its failpoints, and returns its path.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	require.NoError(t, err)
	return path
}

//nolint:gochecknoglobals // built once for all tests of the process
var build = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if err := noteSources(root); err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "posthorn-failpoint")
	cmd := exec.Command("go", "build", "-tags", "failpoint", "-o", path, ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build posthorn: %w\n%s", err, out)
	}
	return path, nil
})

func moduleRoot() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output() //nolint:noctx // as above
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(mod))), nil
}

// noteSources looks at every file that the program may be made of: `go test` takes a result from its cache unless a
// file that the tests looked at has changed, and of what go build reads it knows nothing.
func noteSources(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (name == "bin" || name == "data" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
}
