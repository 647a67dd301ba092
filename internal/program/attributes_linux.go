package program

import "syscall"

// attributes keep a terminal's Ctrl-C from a process, which is ended in its turn, and let none outlive this one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
