package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

const (
	// asProgram is the variable that makes the test binary the program itself; asService also ends it with its standard
	// input.
	asProgram = "POSTHORN_TEST_PROGRAM"
	asService = "service"
	// patience is how long a test waits for what must happen; far more than it takes, on a machine that is busy.
	patience = 60 * time.Second
	// operatorKey is that of the Posthorn that tests share.
	operatorKey = "operator-key-of-the-tests-0123456789"
)

// TestMain runs the tests, or, in a process that a test started, Posthorn's command line.
func TestMain(m *testing.M) {
	if as := os.Getenv(asProgram); as != "" {
		go func() {
			if as == asService {
				_, _ = io.Copy(io.Discard, os.Stdin) // ends when the test process does, however it does
				os.Exit(3)
			}
		}()
		main()
		os.Exit(0)
	}
	code := m.Run()
	if endShared != nil {
		endShared()
	}
	os.Exit(code)
}

// endShared stops the Posthorn that tests share; nil = none was started.
var endShared func() //nolint:gochecknoglobals // of one process, as its TestMain is

// shared is the address of a `posthorn dev` that the tests of this process share, each with applications of its own.
//
//nolint:gochecknoglobals // starting one for each test would cost seconds each
var shared = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "posthorn-test-")
	if err != nil {
		return "", err
	}
	command, input, err := service(context.Background(), "dev", "--listen", "127.0.0.1:0", "--data", dir, "--log-level", "error",
		"--temporal-listen", "127.0.0.1:0", "--temporal-ui-listen", "off", "--operator-key", operatorKey)
	command.Stderr = os.Stderr
	if err != nil {
		return "", err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	endShared = func() {
		_ = input.Close()
		_ = command.Wait()
		_ = os.RemoveAll(dir)
	}
	return addressIn(output)
})

// addressIn reads the program's greeting up to the API's address.
func addressIn(output io.Reader) (string, error) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := regexp.MustCompile(`API +(http://\S+)`).FindStringSubmatch(lines.Text()); match != nil {
			return match[1], nil
		}
	}
	return "", errors.New("posthorn dev ended without a greeting")
}

// program is Posthorn with the arguments, as a process of its own.
func program(ctx context.Context, arguments ...string) *exec.Cmd {
	binary, err := os.Executable()
	if err != nil {
		binary = os.Args[0]
	}
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = append(os.Environ(), asProgram+"=1")
	return command
}

// service is a program that ends when its input is closed, which the end of this process does too.
func service(ctx context.Context, arguments ...string) (command *exec.Cmd, input io.Closer, err error) {
	command = program(ctx, arguments...)
	command.Env = append(command.Env, asProgram+"="+asService)
	input, err = command.StdinPipe()
	return command, input, err
}

// tenant is an application of the shared Posthorn and a client that may do everything.
type tenant struct {
	*posthorn.ClientWithResponses
	t   *testing.T
	url string
	id  string
}

// newTenant makes an application of the profile.
func newTenant(t *testing.T, profile string) *tenant {
	t.Helper()
	url, err := shared()
	require.NoError(t, err)
	client, err := posthorn.New(url, operatorKey)
	require.NoError(t, err)
	created, err := client.CreateApplicationWithResponse(t.Context(), posthorn.ApplicationCreation{Name: t.Name(), Profile: profile})
	require.NoError(t, err)
	return &tenant{ClientWithResponses: client, t: t, url: url, id: created.JSON201.ID}
}

// subscribe makes a subscription.
func (n *tenant) subscribe(creation posthorn.SubscriptionCreation) *posthorn.NewSubscription {
	n.t.Helper()
	created, err := n.CreateSubscriptionWithResponse(n.t.Context(), n.id, creation)
	require.NoError(n.t, err)
	return created.JSON201
}

// publish publishes an event to the application.
func (n *tenant) publish(event posthorn.Publication) *posthorn.Accepted {
	n.t.Helper()
	accepted, err := posthorn.Publish(n.t.Context(), n.ClientWithResponses, n.id, event)
	require.NoError(n.t, err)
	return accepted
}

// ended waits until the invocation is settled and returns it.
func (n *tenant) ended(id string) *posthorn.Invocation {
	n.t.Helper()
	var last *posthorn.Invocation
	require.Eventually(n.t, func() bool {
		answer, err := n.GetInvocationWithResponse(n.t.Context(), id)
		require.NoError(n.t, err)
		last = answer.JSON200
		return posthorn.Settled(last.Status)
	}, patience, 20*time.Millisecond)
	return last
}

// lookFor finds a program that a test needs. Where there is none the test is skipped and says so; with CI=true it fails.
func lookFor(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
		require.FailNow(t, fmt.Sprintf("%s is not installed: scripts/node.sh", name))
	}
	t.Skipf("skipped: %s is not installed; scripts/node.sh installs it", name)
	return ""
}

// runIn runs a program in the folder, with further variables, and returns what it printed.
func runIn(t *testing.T, dir string, environment []string, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), lookFor(t, name), arguments...)
	command.Dir, command.Env = dir, append(os.Environ(), environment...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	require.NoError(t, command.Run(), "%s %s\n%s", name, strings.Join(arguments, " "), out.String())
	return out.String()
}
