//go:build !failpoint

package failpoint

import "time"

// Hit does nothing in this build.
func Hit(string) {}

// Now is the machine's clock in this build.
func Now() time.Time { return time.Now() }

// Pages is no limit in this build.
func Pages() int { return 0 }
