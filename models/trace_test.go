package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestParseTraceparent(t *testing.T) {
	t.Parallel()
	const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for header, want := range map[string]string{
		valid: valid,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00":      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":      valid,
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more": valid,
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more": "",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":      "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more": "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ":     "",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01":      "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01":      "",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01":      "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g":      "",
		"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":      "",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-101":      "",
		"": "", "00": "",
	} {
		got, ok := models.ParseTraceparent(header)
		require.Equal(t, want, got, header)
		require.Equal(t, want != "", ok, header)
	}
}

func TestEachAttemptIsASpanOfItsOwnInTheEventsTrace(t *testing.T) {
	t.Parallel()
	passes := &models.Spec{Traceparent: true}
	given := models.Claim{
		Token: "1", InvocationID: "i", EventID: "018f2b7e-1111-7222-8333-444455556666", Spec: passes,
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	again := given
	again.Token = "2"
	require.Equal(t, "0af7651916cd43dd8448eb211c80319c", given.TraceID())
	require.Regexp(t, "^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$", given.NextTraceparent())
	require.NotEqual(t, given.NextTraceparent(), again.NextTraceparent())
	require.NotContains(t, given.NextTraceparent(), "b7ad6b7169203331")

	own := given
	own.Traceparent = ""
	require.Regexp(t, "^00-018f2b7e111172228333444455556666-[0-9a-f]{16}-00$", own.NextTraceparent())
	test := own
	test.EventID, test.InvocationID = "", "018f2b7e-7777-7222-8333-444455556666"
	require.Equal(t, "018f2b7e777772228333444455556666", test.TraceID())
	recorded := own
	recorded.Span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	require.Equal(t, recorded.Span, recorded.NextTraceparent())
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", recorded.TraceID())
	silent := own
	silent.Spec = &models.Spec{}
	require.Empty(t, silent.TraceID(), "there is no trace that anybody could look for")
	for _, claim := range []models.Claim{given, own, test} {
		_, ok := models.ParseTraceparent(claim.NextTraceparent())
		require.True(t, ok)
	}
}
