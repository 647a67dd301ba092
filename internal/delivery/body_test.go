package delivery_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// profile is a built-in profile.
func profile(t *testing.T, name string) *profiles.Profile {
	t.Helper()
	r, err := profiles.New("")
	require.NoError(t, err)
	p, ok := r.Get(name)
	require.True(t, ok, name)
	return p
}

func moment() time.Time { return time.Date(2026, 11, 21, 19, 17, 0, 123_999_999, time.UTC) }

// factsOf is an event of the profile.
func factsOf(p *profiles.Profile, wire, payload string) delivery.Facts {
	return delivery.Facts{
		Spec: &p.Spec, Payload: []byte(payload), Wire: wire, AcceptedAt: moment(),
		EventID: "082fd7f7-7e9e-4679-bd16-ed9f5a55d827", Tenant: "04d3ac6e", Version: "2021-11-18.1", RetryCount: 2,
	}
}

func body(t *testing.T, f delivery.Facts) string {
	t.Helper()
	raw, err := delivery.Body(f)
	require.NoError(t, err)
	return string(raw)
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	payload := `{"amount":-200,"rate":1.50, "n":9007199254740993,"s":"a<b & Ελ","id":"\u0000"}`
	for name, c := range map[string]struct{ wire, want string }{
		"standard": {`"x"`, `P`},
		"alviere": {`"ACCOUNT"`, `{"event_uuid":"082fd7f7-7e9e-4679-bd16-ed9f5a55d827","program_uuid":"04d3ac6e",` +
			`"event_date":"2026-11-21T19:17:00.123Z","event_retry":2,"event_type":"ACCOUNT",` +
			`"event_version":"2021-11-18.1","entity":P}`},
		"bridge": {`"item.created"`, `{"content":P,"timestamp":1795288620,"type":"item.created"}`},
		"aria":   {`"loan.updated"`, `{"date":"2026-11-21T19:17:00.123Z","event":"loan.updated","payload":P}`},
		"thredd": {`101`, `{"notificationId":"082fd7f7-7e9e-4679-bd16-ed9f5a55d827","eventCode":101,` +
			`"createdTime":"2026-11-21T19:17:00.123Z","payload":P}`},
		"viva": {`1796`, `{"EventData":P,"EventTypeId":1796,"Created":"2026-11-21T19:17:00.123Z"}`},
	} {
		require.Equal(t, strings.Replace(c.want, "P", payload, 1), body(t, factsOf(profile(t, name), c.wire, payload)), name)
	}
}

// The two messages in Viva's documentation, byte for byte but for the blanks between the envelope's own members.
func TestVIV4_5_6_7_8_9_SamplesByteForByte(t *testing.T) {
	t.Parallel()
	for file, wire := range map[string]string{"viva_1796.json": "1796", "viva_1797.json": "1797"} {
		raw, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		sample := strings.TrimSpace(string(raw))
		start, end := strings.Index(sample, `:{`)+1, strings.LastIndex(sample, "},\n  \"EventTypeId\"")+1
		f := factsOf(profile(t, "viva"), wire, sample[start:end])
		f.OccurredAt = "2014-06-18T14:20:30.45+03:00"
		got := body(t, f)
		require.Equal(t, `{"EventData":`+sample[start:end]+`,"EventTypeId":`+wire+`,"Created":"2014-06-18T14:20:30.45+03:00"}`, got)
		require.JSONEq(t, sample, got)
		for _, literal := range []string{"100.50", "0.50", "776027772607", "Viva Ηλεκτρονικές Υπηρεσίες", "\t\"Amount\": "} {
			require.Contains(t, got, literal)
		}
	}
}

func TestTimeForms(t *testing.T) {
	t.Parallel()
	cases := []struct {
		form        models.TimeForm
		given, want string
	}{
		{models.TimeRFC3339Millis, "2014-06-18T14:20:30.45+03:00", `"2014-06-18T11:20:30.450Z"`},
		{models.TimeRFC3339Millis, "2014-06-18T14:20:30Z", `"2014-06-18T14:20:30.000Z"`},
		{models.TimeRFC3339Millis, "2014-06-18T14:20:30.999999Z", `"2014-06-18T14:20:30.999Z"`},
		{models.TimeUnixSeconds, "2014-06-18T14:20:30.99+03:00", `1403090430`},
		{models.TimeUnixSeconds, "1969-12-31T23:59:59.5Z", `-1`},
		{models.TimeUnixMillis, "2014-06-18T14:20:30.9999+03:00", `1403090430999`},
		{models.TimeUnixMillis, "1969-12-31T23:59:59.5Z", `-500`},
		{models.TimeUnixMillis, "", `1795288620123`},
		{models.TimeAsGiven, "2014-06-18T14:20:30.45+03:00", `"2014-06-18T14:20:30.45+03:00"`},
		{models.TimeAsGiven, "", `"2026-11-21T19:17:00.123Z"`},
	}
	for _, c := range cases {
		f := factsOf(profile(t, "bridge"), `"x"`, `{}`)
		f.Spec = &models.Spec{Envelope: []models.EnvelopeMember{{Key: "t", Value: models.ValueTime}}, Time: c.form}
		f.OccurredAt = c.given
		f.AcceptedAt = moment().In(time.FixedZone("", 7200))
		require.Equal(t, `{"t":`+c.want+`}`, body(t, f))
	}
}

func TestFactsThatWereNeverAccepted(t *testing.T) {
	t.Parallel()
	f := factsOf(profile(t, "aria"), "", `{}`)
	_, err := delivery.Body(f)
	require.EqualError(t, err, "envelope member event: the event has no wire type")
	f.Wire, f.OccurredAt = `"x"`, "yesterday"
	_, err = delivery.Body(f)
	require.EqualError(t, err, `envelope member date: "yesterday" is not RFC 3339`)
	f.Spec = &models.Spec{Envelope: []models.EnvelopeMember{{Key: "k", Value: "shoe_size"}}}
	_, err = delivery.Body(f)
	require.EqualError(t, err, `envelope member k: unknown value "shoe_size"`)
}

// Whatever was published is in the body, byte for byte, and the body is valid JSON around it.
func TestPayloadsAreSplicedUnchanged(t *testing.T) {
	t.Parallel()
	names := []string{"standard", "alviere", "bridge", "aria", "thredd", "viva"}
	known := map[string]*profiles.Profile{}
	for _, name := range names {
		known[name] = profile(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		payload := jsonText(3).Draw(t, "payload")
		f := factsOf(known[rapid.SampledFrom(names).Draw(t, "profile")], `"t"`, payload)
		f.Tenant = rapid.String().Draw(t, "tenant")
		raw, err := delivery.Body(f)
		require.NoError(t, err)
		require.True(t, json.Valid(raw))
		require.Contains(t, string(raw), payload)
		again, err := delivery.Body(f)
		require.NoError(t, err)
		require.Equal(t, raw, again, "a body can be made again")
	})
}

// jsonText draws JSON as people write it: with blanks, duplicate keys, odd numbers and escapes.
func jsonText(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		blank := rapid.SampledFrom([]string{"", " ", "\n\t", "  "}).Draw(t, "blank")
		scalar := rapid.SampledFrom([]string{
			"100.50", "-0", "1E400", "9007199254740993", "null", "true", `"a<b & Ελ 🏛"`, `"\u0000\ud800\/"`, `"\u003c"`, `""`,
		})
		switch kind := rapid.IntRange(0, 2).Draw(t, "kind"); {
		case depth == 0 || kind == 0:
			return scalar.Draw(t, "scalar")
		case kind == 1:
			items := rapid.SliceOfN(jsonText(depth-1), 0, 4).Draw(t, "items")
			return "[" + blank + strings.Join(items, ","+blank) + "]"
		default:
			items := rapid.SliceOfN(jsonText(depth-1), 0, 4).Draw(t, "members")
			for i := range items {
				items[i] = `"k<` + string(rune('a'+i%2)) + `"` + blank + ":" + items[i]
			}
			return "{" + strings.Join(items, blank+",") + blank + "}"
		}
	})
}

func TestBodyOfATest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"standard": `{"type":"webhook.test"}`,
		"bridge":   profile(t, "bridge").TestEvent.Payload,
		"thredd": `{"notificationId":"inv","eventCode":101,"createdTime":"2026-11-21T19:17:00.123Z",` +
			`"payload":` + profile(t, "thredd").TestEvent.Payload + `}`,
	} {
		p := profile(t, name)
		claim := &models.Claim{
			InvocationID: "inv", Number: 1, Trigger: models.TriggerTest, Spec: &p.Spec, AcceptedAt: moment(),
			Payload: []byte(p.TestEvent.Payload), Wire: p.TestEvent.Type,
		}
		f := delivery.FactsOf(claim)
		require.True(t, f.Test)
		require.Equal(t, want, body(t, f), name)
	}
}
