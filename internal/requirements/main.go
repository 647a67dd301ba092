// Command requirements tells which requirements of docs/requirements.md the tests prove. It runs the tests whose names
// begin with an id, shows their results as they come, and prints a table. It runs from anywhere in the module:
//
//	go run ./internal/requirements
//	go run ./internal/requirements -only VIV,ALV-24
//	go run ./internal/requirements -list
//
// The exit status is 1 when a requirement has no test or one that failed; those of strength N need none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := report(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		tell(os.Stderr, "requirements: %v", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// tell writes a line for people.
func tell(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// options are the program's flags.
type options struct {
	only    string
	list    bool
	timeout time.Duration
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("requirements", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.only, "only", "", "ids or their prefixes, comma-separated: VIV,ALV-24 (default all)")
	flags.BoolVar(&o.list, "list", false, "print which tests there are, without running them; the exit status is then 0")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Minute, "how long the tests of one package may take")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	return o, nil
}

func report(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	document, err := os.ReadFile(filepath.Join(root, "docs", "requirements.md")) //nolint:gosec // our own file
	if err != nil {
		return err
	}
	all, err := readRequirements(string(document))
	if err != nil {
		return err
	}
	tests, err := findTests(ctx, root)
	if err != nil {
		return err
	}
	if err := checkKnown(all, tests); err != nil {
		return err
	}
	wanted, err := narrow(all, o.only)
	if err != nil {
		return err
	}
	tests = proving(tests, wanted)
	if o.list {
		writeTable(stdout, wanted, tests, nil)
		return nil
	}
	results, err := runTests(ctx, root, o.timeout, tests, stderr)
	if err != nil {
		return err
	}
	return writeTable(stdout, wanted, tests, results).err()
}

// moduleRoot is the folder with go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if file == "" || file == os.DevNull {
		return "", errors.New("not inside a module")
	}
	return filepath.Dir(file), nil
}
