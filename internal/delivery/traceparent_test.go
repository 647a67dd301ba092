package delivery_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/models"
)

func TestTraceContextIsSentAndLoggedWhereTheProfileSaysSo(t *testing.T) {
	t.Parallel()
	claim := claimOf(t, "standard", `"a.b"`)
	claim.Token, claim.Traceparent = "token", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	client := &answer{response: egress.Response{StatusCode: 200}}
	named := func(h egress.Header) bool { return h.Name == "traceparent" }
	senderOf(client).Send(t.Context(), claim)
	require.False(t, slices.ContainsFunc(client.asked.Headers, named))

	passing := *claim.Spec
	passing.Traceparent = true
	claim.Spec = &passing
	result := senderOf(client).Send(t.Context(), claim)
	want := claim.NextTraceparent()
	require.Contains(t, client.asked.Headers, egress.Header{Name: "traceparent", Value: want})
	require.Contains(t, result.RequestHeaders, models.Header{Name: "traceparent", Value: want}, "it is no credential")
}
