package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// test is a test function whose name begins with ids.
type test struct {
	// importPath is that of its package.
	importPath string
	name       string
	ids        []string
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	Dir          string
	ImportPath   string
	TestGoFiles  []string
	XTestGoFiles []string
}

// findTests reads the test files that a plain `go test` compiles. Asking the test binaries would link each of them.
func findTests(ctx context.Context, root string) ([]test, error) {
	list := exec.CommandContext(ctx, "go", "list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles", "./...")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var tests []test
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return tests, nil
		} else if err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			source, err := os.ReadFile(filepath.Join(p.Dir, file)) //nolint:gosec // what go list names
			if err != nil {
				return nil, err
			}
			found, err := testsIn(p.ImportPath, file, source)
			if err != nil {
				return nil, err
			}
			tests = append(tests, found...)
		}
	}
}

// testsIn finds the tests of one file that name requirements.
func testsIn(importPath, file string, source []byte) ([]test, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var tests []test
	for _, declaration := range parsed.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Recv != nil {
			continue
		}
		if ids := idsOf(function.Name.Name); len(ids) > 0 {
			tests = append(tests, test{importPath: importPath, name: function.Name.Name, ids: ids})
		}
	}
	return tests, nil
}

// checkKnown refuses tests that name a requirement which the document does not list: a slip of the pen.
func checkKnown(all []requirement, tests []test) error {
	var faults []string
	for _, t := range tests {
		for _, id := range t.ids {
			if !slices.ContainsFunc(all, func(r requirement) bool { return r.id == id }) {
				faults = append(faults, fmt.Sprintf("%s in %s names %s, which docs/requirements.md does not list", t.name, t.importPath, id))
			}
		}
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	return nil
}

// proving keeps the tests that name one of the requirements.
func proving(tests []test, wanted []requirement) []test {
	return slices.DeleteFunc(slices.Clone(tests), func(t test) bool {
		return !slices.ContainsFunc(wanted, func(r requirement) bool { return slices.Contains(t.ids, r.id) })
	})
}
