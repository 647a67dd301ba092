package filter

// Holds the expressions that docs/concepts.md shows against the package.

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheExpressionsOfThePageMatch(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/concepts.md")
	require.NoError(t, err)
	_, behind, found := strings.Cut(string(page), "```cel\n")
	require.True(t, found)
	shown, _, found := strings.Cut(behind, "\n```")
	require.True(t, found)
	in := NewInput("invoice.paid", []byte(`{"amount":100.50,"currency":"CHF","lines":[{"sku":"B"},{"sku":"A-1"}]}`), "customer-1")
	for expression := range strings.Lines(shown) {
		got, err := compile(t, strings.TrimSuffix(expression, "\n")).Matches(t.Context(), in)
		require.NoError(t, err, expression)
		require.True(t, got, expression)
	}
}
