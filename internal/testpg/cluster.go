package testpg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds the start of a cluster: a second or two at rest, much longer beside a cold compile.
const startTimeout = 2 * time.Minute

// errNoPostgres says that the machine has no Postgres, and what to do about it.
var errNoPostgres = errors.New("no Postgres programs (initdb, postgres) found: install them " +
	"(Debian and Ubuntu: apt-get install postgresql), or set " + EnvURL + " to a server whose user may create databases")

//go:embed cluster.sh
var clusterScript string

// startCluster starts a Postgres that ends with this process and returns the URL of its maintenance database.
func startCluster() (*url.URL, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "posthorn-testpg-")
	if err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	server, err := runCluster(bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return server, nil
}

// runCluster starts cluster.sh in dir and waits until Postgres answers.
func runCluster(bin, dir string) (*url.URL, error) {
	logFile := filepath.Join(dir, "log")
	// Not this process's own output: `go test` waits until everyone who holds it has ended.
	log, err := os.Create(logFile) //nolint:gosec // a path made by MkdirTemp just now
	if err != nil {
		return nil, fmt.Errorf("make the cluster's log: %w", err)
	}
	defer func() { _ = log.Close() }()

	// No context: the cluster outlives the test that happened to start it.
	cmd := exec.Command("sh", "-c", clusterScript, "testpg", bin, dir) //nolint:gosec,noctx // a fixed script; see above
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	// A process group of its own, so that Ctrl-C reaches the test process and leaves the clean-up to the script.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		if cmd.SysProcAttr.Credential, err = unprivileged(dir); err != nil {
			return nil, err
		}
	}
	// Held open, and never written to, until this process ends: the script's sign to clean up.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make the cluster's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cluster: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	server := &url.URL{
		Scheme:   "postgres",
		User:     url.User("posthorn"),
		Path:     "/postgres",
		RawQuery: url.Values{"host": {dir}, "sslmode": {"disable"}}.Encode(),
	}
	if err := waitReady(server, ended); err != nil {
		text, _ := os.ReadFile(logFile) //nolint:gosec // as above
		return nil, fmt.Errorf("the throw-away Postgres cluster did not start: %w; its log:\n%s", err, text)
	}
	return server, nil
}

// waitReady returns when the server answers, when its process has ended, or after startTimeout.
func waitReady(server *url.URL, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, server.String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case exit := <-ended:
			return fmt.Errorf("its process has ended: %w", errors.Join(exit, err))
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", startTimeout, err)
		case <-retry.C:
		}
	}
}

// unprivileged gives dir to a user who is not root, because Postgres refuses to run as root, and returns that user.
func unprivileged(dir string) (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("give the cluster's folder to user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor a user nobody to run Postgres as")
}

// binaries returns the folder of the Postgres programs: the newest of Debian's, which are not on the PATH, else what
// pg_config names, else what the PATH has. scripts/postgres.sh looks in the same places.
func binaries() (string, error) {
	candidates, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for Postgres: %w", err)
	}
	slices.SortFunc(candidates, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	if config, err := exec.LookPath("pg_config"); err == nil {
		// pg_config belongs to the client library, so what it names need not be there.
		if out, err := exec.Command(config, "--bindir").Output(); err == nil { //nolint:gosec,noctx // prints one line and ends
			candidates = append(candidates, strings.TrimSpace(string(out)))
		}
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(initdb))
	}
	for _, dir := range candidates {
		if executable(dir, "initdb") && executable(dir, "postgres") {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// majorVersion reads 15 from /usr/lib/postgresql/15/bin.
func majorVersion(bin string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // 0 for a folder with another name: tried last
	return version
}

// executable says whether dir has a program of this name.
func executable(dir, name string) bool {
	_, err := exec.LookPath(filepath.Join(dir, name))
	return err == nil
}
