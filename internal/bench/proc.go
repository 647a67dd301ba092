package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which is 100 on every Linux.
const ticksPerSecond = 100

// usage is what a process and its descendants have used.
type usage struct {
	cpu     time.Duration // user and system, of children that have ended too
	peakRSS int64         // bytes; the sum of each one's peak
	rss     int64         // bytes, now
}

// usageOf reads the process tree's usage from /proc.
func usageOf(root int) (usage, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return usage{}, errors.Join(errors.New("no processes in /proc: the benchmark needs Linux"), err)
	}
	processes := map[int]process{}
	for _, path := range stats {
		text, err := os.ReadFile(path) //nolint:gosec // a file of /proc
		if err != nil {
			continue // it has ended
		}
		if p, err := parseStat(string(text)); err == nil {
			processes[p.pid] = p
		}
	}
	if _, ok := processes[root]; !ok {
		return usage{}, fmt.Errorf("process %d is gone", root)
	}
	var u usage
	for pid, p := range processes {
		if descends(processes, pid, root) {
			u.cpu += p.cpu
			peak, now := residentSizes(pid)
			u.peakRSS, u.rss = u.peakRSS+peak, u.rss+now
		}
	}
	return u, nil
}

// process is what /proc/<pid>/stat says.
type process struct {
	pid, parent int
	cpu         time.Duration
}

// parseStat reads a line of proc_pid_stat(5). The name in brackets may hold anything, brackets and spaces too.
func parseStat(line string) (process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, errors.New("not a stat line")
	}
	fields := strings.Fields(line[end+1:]) // the third field of the page is the first here
	if len(fields) < 15 {
		return process{}, errors.New("a short stat line")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	if err != nil {
		return process{}, err
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, err
	}
	p := process{pid: pid, parent: parent}
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return process{}, err
		}
		p.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	return p, nil
}

func descends(processes map[int]process, pid, root int) bool {
	for range len(processes) { // a torn snapshot must not make a circle
		if pid == root {
			return true
		}
		p, ok := processes[pid]
		if !ok {
			return false
		}
		pid = p.parent
	}
	return false
}

// residentSizes are the process's largest resident size and the one it has, in bytes; 0 when it has ended.
func residentSizes(pid int) (peak, now int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		switch {
		case err != nil:
		case name == "VmHWM":
			peak = kib << 10
		case name == "VmRSS":
			now = kib << 10
		}
	}
	return peak, now
}

// loadAverage is the machine's over the last minute; 0 when unknown.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}
