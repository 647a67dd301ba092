package testpg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed server.sh
var serverScript string

// Server is a Postgres of the caller's own, as durable as one in production, that may be killed and started again. It
// ends, and its files go, with Close or with this process.
type Server struct {
	bin, dir string
	// port and password are those of loopback; port 0 = it listens on its socket alone.
	port     int
	password string
	process  *exec.Cmd
	stdin    io.WriteCloser
	ended    chan struct{} // closed once the script has ended
}

// NewServer makes the files and starts the server. Without Postgres on the machine, or with a server named by [EnvURL]
// alone, there is none: the error says what to install.
func NewServer() (*Server, error) { return NewServerIn("") }

// NewServerIn is NewServer with its files in a folder of their own within dir; "" = the system's for temporary files.
func NewServerIn(dir string) (*Server, error) { return newServer(dir, 0, "") }

// NewTCPServer is NewServer for programs that know no sockets: it listens on 127.0.0.1 too, where the user posthorn
// needs the password. The port should be free; one that is not is an error.
func NewTCPServer(port int, password string) (*Server, error) {
	return newServer("", port, password)
}

func newServer(parent string, port int, password string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "posthorn-testpg-")
	if err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	s := &Server{bin: bin, dir: dir, port: port, password: password}
	if err := s.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.setPassword(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) init() error {
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "--pgdata="+filepath.Join(s.dir, "data"), //nolint:gosec,noctx // ends by itself
		"--username=posthorn", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
	if err := s.asOwner(cmd); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// asOwner makes cmd run as the user whom the folder belongs to.
func (s *Server) asOwner(cmd *exec.Cmd) (err error) {
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential, err = unprivileged(s.dir)
	}
	return err
}

// Start starts the server and returns once it answers. After a kill it waits for the last processes of the killed one.
func (s *Server) Start() error {
	if err := os.Remove(s.pidFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the last process: %w", err)
	}
	deadline := time.Now().Add(startTimeout)
	for {
		err := s.start()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("sh", "-c", serverScript, "testpg", s.bin, s.dir, strconv.Itoa(s.port)) //nolint:gosec,noctx // a fixed script, ended by its pipe
	if err := s.asOwner(cmd); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if s.stdin, err = cmd.StdinPipe(); err != nil {
		return fmt.Errorf("make the server's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.process, s.ended = cmd, make(chan struct{})
	go func(ended chan<- struct{}) {
		_ = cmd.Wait() // by a signal, or as the postmaster did
		close(ended)
	}(s.ended)
	return s.ready()
}

// ready waits until the server answers, or its postmaster has ended.
func (s *Server) ready() error {
	gone := make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if pid, err := s.pid(); err == nil && !runs(pid) {
				gone <- errors.New("the postmaster has ended")
				return
			}
		}
	}()
	if err := waitReady(s.bySocket("postgres"), gone); err != nil {
		return errors.Join(err, s.release())
	}
	return nil
}

// runs reports whether there is a process with that id that has not ended; sh reaps its own only when it waits.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !errors.Is(err, os.ErrNotExist)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func (s *Server) pidFile() string { return filepath.Join(s.dir, "pid") }

func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(s.pidFile())
	if err != nil {
		return 0, fmt.Errorf("the postmaster's id: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// URL is where the database of that name answers, for the postmaster that runs and for those that follow it.
func (s *Server) URL(database string) *url.URL {
	if s.port != 0 {
		return &url.URL{
			Scheme: "postgres", User: url.UserPassword("posthorn", s.password), Path: "/" + database,
			Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), RawQuery: "sslmode=disable",
		}
	}
	return s.bySocket(database)
}

func (s *Server) bySocket(database string) *url.URL {
	query := url.Values{"host": {s.dir}, "sslmode": {"disable"}}
	if s.port != 0 { // it is part of the socket's name
		query.Set("port", strconv.Itoa(s.port))
	}
	return &url.URL{Scheme: "postgres", User: url.User("posthorn"), Path: "/" + database, RawQuery: query.Encode()}
}

// setPassword gives the user the password that it needs on loopback; the socket's folder is its owner's alone.
func (s *Server) setPassword() error {
	if s.port == 0 {
		return nil
	}
	quoted := "'" + strings.ReplaceAll(s.password, "'", "''") + "'"
	if err := execute(context.Background(), s.bySocket("postgres"), "ALTER USER posthorn PASSWORD "+quoted); err != nil {
		return errors.New("the password was not set") // not the cause, which repeats it
	}
	return nil
}

// Socket is the path of the Unix socket of a server that listens nowhere else.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// CreateDatabase makes an empty database.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	return execute(ctx, s.URL("postgres"), "CREATE DATABASE "+name)
}

// ReadOnly makes every new transaction read-only, or writing again: what services do whose disk fills up.
func (s *Server) ReadOnly(ctx context.Context, on bool) error {
	for _, statement := range []string{
		fmt.Sprintf("ALTER SYSTEM SET default_transaction_read_only = %t", on), "SELECT pg_reload_conf()",
	} {
		if err := execute(ctx, s.URL("postgres"), statement); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends the postmaster by SIGKILL, and with it, as they notice, its processes: what was not committed is gone.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// StopNow is the immediate shutdown: no checkpoint, no waiting for clients.
func (s *Server) StopNow() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal syscall.Signal) error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("end the postmaster: %w", err)
	}
	return s.release()
}

// release ends the script and leaves the files.
func (s *Server) release() error {
	_, _ = io.WriteString(s.stdin, "keep\n") // it may have ended
	_ = s.stdin.Close()
	<-s.ended
	return nil
}

// Signal sends the postmaster a signal, such as SIGSTOP.
func (s *Server) Signal(signal syscall.Signal) error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}

// Runs reports whether the postmaster has been started and not ended, by itself or otherwise.
func (s *Server) Runs() bool {
	pid, err := s.pid()
	return err == nil && runs(pid)
}

// Pid is the process id of the postmaster, whose children are all other processes of the server.
func (s *Server) Pid() (int, error) { return s.pid() }

// Dir is the folder with the server's log and data.
func (s *Server) Dir() string { return s.dir }

// Close ends the server and removes its files.
func (s *Server) Close() {
	_ = s.stdin.Close()
	<-s.ended
	_ = os.RemoveAll(s.dir)
}
