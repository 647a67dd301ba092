package fault_test

import "syscall"

// attributes let no process outlive the tests, however they end, and keep a terminal's Ctrl-C from them.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
