// Command gen prints docs/config.md; `make docs` runs it.
package main

import (
	"os"

	"github.com/posthorn/posthorn/internal/config"
)

func main() {
	_, _ = os.Stdout.WriteString(config.Markdown())
}
