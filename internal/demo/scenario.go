package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

// The events that are published, each file byte for byte the payload: no line end at the end of the file.
//
//go:embed testdata/*.json
var payloads embed.FS

// scenario is what the demo does with one profile. A profile joins the demo by its entry in scenarios.
type scenario struct {
	profile string
	// overrides is the application's, JSON: a policy that nobody has to wait for.
	overrides string
	// shortened says so to the reader.
	shortened string
	// envelope is the body as receivers must get it; {payload}, {type}, {time} and {id} stand for the event's.
	envelope  string
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
	// endless marks an endpoint that never answers well. It is left out of --once.
	endless bool
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
	// endless marks the event of an endless endpoint.
	endless bool
}

func scenarios() []scenario {
	return []scenario{standardScenario(), vivaScenario()}
}

func standardScenario() scenario {
	return scenario{
		profile:   "standard",
		overrides: `{"timeout":"1s","retry":{"kind":"schedule","delays":["500ms","2s","3s","4s","5s"]}}`,
		shortened: "retries after 500 ms, 2 s, … instead of 5 s … 24 h; attempts may take 1 s, not 15 s",
		envelope:  "{payload}",
		endpoints: []endpoint{
			{name: "shop", types: []string{"order.*"}, script: []step{503, hang, 204}},
			{name: "ledger", types: []string{"order.*", "customer.*"}, script: []step{204}},
			{
				name: "warehouse", types: []string{"stock.*"}, script: []step{503}, endless: true,
				settings: `{"delivery":{"retry":{"kind":"exponential","initial":"2s","factor":2,"max_interval":"30s","max_age":"30m"}}}`,
			},
		},
		samples: []sample{
			{name: "order.created", wire: `"order.created"`, file: "standard_order_created.json"},
			{name: "order.paid", wire: `"order.paid"`, file: "standard_order_paid.json"},
			{name: "customer.updated", wire: `"customer.updated"`, file: "standard_customer_updated.json"},
			{name: "stock.low", wire: `"stock.low"`, file: "standard_stock_low.json", endless: true},
		},
	}
}

// vivaScenario publishes the two samples of Viva's documentation.
func vivaScenario() scenario {
	const created = "2014-06-18T14:20:30.45+03:00"
	return scenario{
		profile:   "viva",
		overrides: `{"retry":{"kind":"fixed","interval":"1s","max_attempts":10}}`,
		shortened: "retries each second instead of each hour; only 200 counts as delivered",
		envelope:  `{"EventData":{payload},"EventTypeId":{type},"Created":"{time}"}`,
		endpoints: []endpoint{
			{name: "payments", types: []string{"1796"}, script: []step{500, 200}},
			{name: "refunds", types: []string{"1797"}, script: []step{204, 200}},
		},
		samples: []sample{
			{name: "transaction.created", wire: "1796", file: "viva_1796.json", occurredAt: created},
			{name: "transaction.refunded", wire: "1797", file: "viva_1797.json", occurredAt: created},
		},
	}
}

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

// body is what a receiver must get for the event with this id.
func (s sample) body(envelope, id string) (string, error) {
	payload, err := s.payload()
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("{payload}", string(payload), "{type}", s.wire, "{time}", s.occurredAt, "{id}", id).Replace(envelope), nil
}
