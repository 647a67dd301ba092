package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api"
)

// The clients are generated from clients/openapi.json. That their code is what the generators make of it is seen to by
// `make lint` for Go, and by `npm run check` in TestTheTypeScriptClient….
func TestTheClientsDocumentIsTheAPIs(t *testing.T) {
	t.Parallel()
	want, err := api.Document(version)
	require.NoError(t, err)
	kept, err := os.ReadFile("clients/openapi.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(kept), "clients/openapi.json is out of date: make clients")
}
