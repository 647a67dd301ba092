package demo

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The events that are published, each file byte for byte the payload: no line end at the end of the file.
//
//go:embed testdata/*.json
var payloads embed.FS

// scenario is what the demo does with one profile. A profile joins the demo by its entry in scenarios.
type scenario struct {
	profile string
	// overrides is the application's, JSON: a policy that nobody has to wait for; "" = none.
	overrides string
	// shortened says so to the reader.
	shortened string
	// envelope is the body as receivers must get it. {payload}, {type}, {time}, {unix} (the time in seconds) and {id}
	// stand for the event's, {tenant} for the application's id, {retry} for the number of requests before.
	envelope string
	// idMember is the body's member that tells receivers the event's id; "" = the header webhook-id does.
	idMember  string
	endpoints []endpoint
	samples   []sample
}

// endpoint is one subscription with its place at the receiver.
type endpoint struct {
	name  string
	types []string
	// settings are further members of the subscription, a JSON object; "" = none.
	settings string
	// script answers the attempts of each event in turn; the last step goes on for ever.
	script []step
	// exceptions answer some events by another script.
	exceptions []exception
	// endless marks an endpoint that never answers well. It is left out of --once.
	endless bool
}

// exception is the script for the events whose body has the text.
type exception struct {
	text   string
	script []step
}

// step is one answer: a status, or 0 to hang until the sender gives up.
type step int

const hang step = 0

// sample is one event to publish.
type sample struct {
	name string
	// wire is the event type as JSON text, as the envelope shows it.
	wire string
	file string
	// occurredAt is RFC 3339; "" = now.
	occurredAt string
	// ends is the status that its deliveries must end in; "" = succeeded.
	ends string
	// test names the endpoint that is sent the profile's test event instead; the file is the whole body of it.
	test string
	// endless marks the event of an endless endpoint.
	endless bool
}

// ending is the status that deliveries of the sample must end in.
func (s sample) ending() string { return cmp.Or(s.ends, "succeeded") }

// payload is the sample's file.
func (s sample) payload() (json.RawMessage, error) {
	return payloads.ReadFile("testdata/" + s.file)
}

// request is the body that publishes the sample: the payload is spliced in, never encoded again.
func (s sample) request() (json.RawMessage, error) {
	payload, err := s.payload()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `{"type":%s,`, s.wire)
	if s.occurredAt != "" {
		fmt.Fprintf(&out, `"occurred_at":%q,`, s.occurredAt)
	}
	fmt.Fprintf(&out, `"payload":%s}`, payload)
	return out.Bytes(), nil
}

// body is what a receiver must get of the event with this id, after a number of requests before, from the tenant with
// that id.
func (s sample) body(envelope, id, tenant string, before int) (string, error) {
	payload, err := s.payload()
	if err != nil {
		return "", err
	}
	if s.test != "" {
		return string(payload), nil
	}
	unix := ""
	if at, err := time.Parse(time.RFC3339Nano, s.occurredAt); err == nil {
		unix = strconv.FormatInt(at.Unix(), 10)
	}
	return strings.NewReplacer(
		"{payload}", string(payload), "{type}", s.wire, "{time}", s.occurredAt, "{unix}", unix, "{id}", id,
		"{tenant}", tenant, "{retry}", strconv.Itoa(before),
	).Replace(envelope), nil
}
