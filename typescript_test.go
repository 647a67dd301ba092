package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The client's smoke test runs against a real process; its types are what openapi-typescript makes of the document.
func TestTheTypeScriptClient(t *testing.T) {
	t.Parallel()
	const folder = "clients/typescript"
	lookFor(t, "node")
	_, err := os.Stat(folder + "/node_modules/typescript")
	require.NoError(t, err, "what the client depends on is not installed: scripts/node.sh")
	url, err := shared()
	require.NoError(t, err)
	runIn(t, folder, nil, "npm", "run", "--silent", "check")
	runIn(t, folder, nil, "npm", "run", "--silent", "build")
	environment := []string{"POSTHORN_URL=" + url, "POSTHORN_KEY=" + operatorKey}
	out := runIn(t, folder, environment, "npm", "run", "--silent", "smoke")
	require.Contains(t, out, "# pass 2\n", "a runner that found no test would be content too:\n%s", out)
}
