package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// outcome is what became of a test.
type outcome string

const (
	passed outcome = "passed"
	failed outcome = "failed"
	// missing is no test, one that was skipped, or one that never ran.
	missing outcome = "missing"
)

// key names a test function.
type key struct{ importPath, name string }

// event is a line of `go test -json` (see cmd/test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// runTests runs the tests and tells of each as it ends.
func runTests(
	ctx context.Context, root string, timeout time.Duration, tests []test, progress io.Writer,
) (map[key]outcome, error) {
	if len(tests) == 0 {
		return map[key]outcome{}, nil
	}
	command := exec.CommandContext(ctx, "go", goTest(timeout, tests)...) //nolint:gosec // names of our own functions
	command.Dir, command.Stderr = root, os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	tell(progress, "Running %d tests; the first results come once their packages are built", len(tests))
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("go test: %w", err)
	}
	results, readErr := readResults(out, progress)
	err = command.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		err = nil // tests failed: the results say which
	}
	return results, errors.Join(readErr, err)
}

func goTest(timeout time.Duration, tests []test) []string {
	var names, packages []string
	for _, t := range tests {
		if !slices.Contains(names, t.name) {
			names = append(names, t.name)
		}
		if !slices.Contains(packages, t.importPath) {
			packages = append(packages, t.importPath)
		}
	}
	args := []string{"test", "-json", "-timeout", timeout.String(), "-run", "^(" + strings.Join(names, "|") + ")$"}
	return append(args, packages...)
}

// collector turns events into results. What a test wrote is kept until it ends, for those that fail.
type collector struct {
	results  map[key]outcome
	written  map[key]*strings.Builder
	progress io.Writer
}

// readResults reads the lines of `go test -json`. A test that began and did not end, because its process did, failed.
func readResults(lines io.Reader, progress io.Writer) (map[key]outcome, error) {
	c := collector{results: map[key]outcome{}, written: map[key]*strings.Builder{}, progress: progress}
	reader := bufio.NewReader(lines)
	for {
		line, err := reader.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			c.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the results: %w", err)
		}
	}
	for k := range c.written {
		if _, ended := c.results[k]; !ended && k.name != "" {
			c.end(k, failed, 0)
		}
	}
	return c.results, nil
}

func (c *collector) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		tell(c.progress, "%s", bytes.TrimSpace(line)) // what the go command says beside
		return
	}
	name, _, isSubtest := strings.Cut(e.Test, "/")
	k := key{e.Package, name}
	switch {
	case e.Action == "build-output":
		_, _ = io.WriteString(c.progress, e.Output)
	case e.Action == "output":
		c.of(k).WriteString(e.Output)
	case e.Action == "run":
		c.of(k)
	case isSubtest:
	case name == "" && e.Action == "fail": // a package: what no test wrote tells of a crash
		_, _ = io.WriteString(c.progress, c.of(k).String())
	case name == "":
	case e.Action == "pass":
		c.end(k, passed, e.Elapsed)
	case e.Action == "fail":
		c.end(k, failed, e.Elapsed)
	case e.Action == "skip":
		c.end(k, missing, e.Elapsed)
	}
}

func (c *collector) of(k key) *strings.Builder {
	if c.written[k] == nil {
		c.written[k] = &strings.Builder{}
	}
	return c.written[k]
}

func (c *collector) end(k key, result outcome, seconds float64) {
	c.results[k] = result
	word := string(result)
	if result == missing {
		word = "skipped"
	}
	tell(c.progress, "%-8s %6.1fs  %s", word, seconds, k.name)
	if result == failed {
		_, _ = io.WriteString(c.progress, c.of(k).String())
	}
	delete(c.written, k)
}
