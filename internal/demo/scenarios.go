package demo

// scenarios are played in this order.
func scenarios() []scenario {
	return []scenario{
		standardScenario(), alviereScenario(), bridgeScenario(), ariaScenario(), threddScenario(), vivaScenario(),
	}
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

// alviereScenario keeps Alviere's policy as it is. The first event fails six times, and the two behind it wait.
func alviereScenario() scenario {
	const (
		name    = "WALLET_TRANSACTION"
		wire    = `"` + name + `"`
		created = "2021-06-17T11:02:08.143Z"
	)
	return scenario{
		profile:   "alviere",
		shortened: "nothing is shortened: retries after 20 ms · n²; in order, so that a failing event holds up the others",
		envelope: `{"event_uuid":"{id}","program_uuid":"{tenant}","event_date":"{time}","event_retry":{retry},` +
			`"event_type":{type},"event_version":"2021-11-18.1","entity":{payload}}`,
		idMember: "event_uuid",
		endpoints: []endpoint{{
			name: "wallets", types: []string{name}, script: []step{200},
			settings:   `{"version":"2021-11-18.1","security_key":"the key that the demo's receiver gave"}`,
			exceptions: []exception{{text: `"CREATED"`, script: []step{500, 503, 202, 404, 500, 500, 200}}},
		}},
		samples: []sample{
			{name: name, wire: wire, file: "alviere_created.json", occurredAt: created},
			{name: name, wire: wire, file: "alviere_processing.json", occurredAt: created},
			{name: name, wire: wire, file: "alviere_settled.json", occurredAt: created},
		},
	}
}

// bridgeScenario sends the constant test event of Bridge's documentation, and events with its content.
func bridgeScenario() scenario {
	const created = "2021-01-26T17:23:09Z"
	return scenario{
		profile:   "bridge",
		overrides: `{"retry":{"kind":"exponential","initial":"500ms","factor":2,"max_attempts":12}}`,
		shortened: "retries after 500 ms, 1 s, 2 s, … instead of 1, 2, 4, … minutes",
		envelope:  `{"content":{payload},"timestamp":{unix},"type":{type}}`,
		endpoints: []endpoint{
			{name: "items", types: []string{"item.created", "item.refreshed"}, script: []step{200}},
			{name: "payments", types: []string{"payment.link.updated"}, script: []step{500, 429, 201}},
		},
		samples: []sample{
			{name: "TEST_EVENT", test: "items", file: "bridge_test_event.json"},
			{name: "item.created", wire: `"item.created"`, file: "bridge_item.json", occurredAt: created},
			{name: "payment.link.updated", wire: `"payment.link.updated"`, file: "bridge_payment.json", occurredAt: created},
		},
	}
}

// ariaScenario publishes the sample of Aria's documentation, and plays its quirk: the receiver refuses the loan's
// older event, gets the newer one, and the older one is abandoned.
func ariaScenario() scenario {
	const created = "2022-04-21T08:57:27.987Z"
	return scenario{
		profile:   "aria",
		overrides: `{"retry":{"kind":"exponential","initial":"1s","factor":2,"max_interval":"1h"}}`,
		shortened: "retries after 1 s, 2 s, … instead of 10 s, 20 s, …; the latest event of a loan wins",
		envelope:  `{"date":"{time}","event":{type},"payload":{payload}}`,
		endpoints: []endpoint{
			{name: "advances", types: []string{"advance.created"}, script: []step{500, 200}},
			{
				name: "loans", types: []string{"loan.updated"}, script: []step{200},
				exceptions: []exception{{text: `"PAYMENT_ORDERED", "previousStatus"`, script: []step{503}}},
			},
		},
		samples: []sample{
			{name: "advance.created", wire: `"advance.created"`, file: "aria_advance.json", occurredAt: created},
			{
				name: "loan.updated", wire: `"loan.updated"`, file: "aria_loan_ordered.json", occurredAt: created,
				ends: "abandoned",
			},
			{name: "loan.updated", wire: `"loan.updated"`, file: "aria_loan_to_repay.json", occurredAt: created},
		},
	}
}

func threddScenario() scenario {
	const created = "2026-11-21T19:17:00.000Z"
	return scenario{
		profile:   "thredd",
		overrides: `{"retry":{"kind":"exponential","initial":"500ms","factor":2,"max_attempts":10}}`,
		shortened: "retries after 500 ms, 1 s, … instead of 1, 2, … minutes",
		envelope:  `{"notificationId":"{id}","eventCode":{type},"createdTime":"{time}","payload":{payload}}`,
		endpoints: []endpoint{
			{
				name: "cards", types: []string{"101", "112"}, script: []step{503, 200},
				settings: `{"headers":{"X-Api-Key":"a key of the demo's receiver"}}`,
			},
		},
		samples: []sample{
			{name: "101", wire: "101", file: "thredd_fraud.json", occurredAt: created},
			{name: "112", wire: "112", file: "thredd_confirmed.json", occurredAt: created},
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
