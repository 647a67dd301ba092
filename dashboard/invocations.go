package dashboard

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type invocationsPage struct {
	Items []invocation
	Next  string
	// Filter is what the list is narrowed to, by the API's names.
	Filter        url.Values
	Statuses      []string
	Subscriptions []subscription
	// Names are the subscriptions' titles by id.
	Names map[string]string
	// First: this is the beginning of the list.
	First    bool
	Problem  *problem
	Filtered bool
}

func statuses() []string {
	return []string{"pending", "queued", "retrying", "paused", "succeeded", "failed", "cancelled", "abandoned"}
}

// invocationFilter reads a filter of the page into the API's query.
func invocationFilter(given url.Values) url.Values {
	filter := url.Values{}
	for _, name := range []string{"status", "subscription_id", "event_type", "entity_id", "event_id"} {
		if value := strings.TrimSpace(given.Get(name)); value != "" {
			filter.Set(name, value)
		}
	}
	for _, name := range []string{"after", "before"} {
		if value := given.Get(name); value != "" {
			filter.Set(name, asTime(value))
		}
	}
	return filter
}

// asTime reads what a field of type datetime-local gives, as UTC; something else stays, for the API to refuse.
func asTime(text string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Format(time.RFC3339)
		}
	}
	return text
}

func listInvocations(v *visit) error {
	page, err := v.within(v.r.PathValue("app"), "invocations", "Deliveries")
	if err != nil {
		return err
	}
	given := v.r.URL.Query()
	filter := invocationFilter(given)
	data := &invocationsPage{
		Filter: given, Statuses: statuses(), First: given.Get("cursor") == "", Filtered: len(filter) > 0,
	}
	if err := v.nameSubscriptions(data); err != nil {
		return err
	}
	status := http.StatusOK
	err = v.readInvocations(data, filter)
	if refusal, ok := refused(err); ok {
		status, page.Alert = statusOf(refusal), refusal.text()
	} else if err != nil {
		return err
	}
	if data.First && status == http.StatusOK {
		page.Live = keepLive(v.r, 3)
		page.announce(v.r, newest(data.Items), "There are new deliveries.")
	}
	page.Data = data
	return v.show(status, "invocations", page)
}

func (v *visit) readInvocations(data *invocationsPage, filter url.Values) error {
	maps.Copy(filter, paging(v.r.URL.Query()))
	var items list[invocation]
	if err := v.ask(v.path("/v1/applications/{app}/invocations"), filter, &items); err != nil {
		return err
	}
	data.Items, data.Next = items.Items, nextPage(v.r, items.NextCursor)
	return nil
}

// nameSubscriptions reads the latest 500 subscriptions, for the filter and for names in the list.
func (v *visit) nameSubscriptions(data *invocationsPage) error {
	var items list[subscription]
	if err := v.ask(v.path("/v1/applications/{app}/subscriptions"), url.Values{"limit": {"500"}}, &items); err != nil {
		return err
	}
	data.Subscriptions, data.Names = items.Items, map[string]string{}
	for i := range items.Items {
		data.Names[items.Items[i].ID] = items.Items[i].Title()
	}
	return nil
}

// newest is what changes when there is something new in a list.
func newest(items []invocation) string {
	if len(items) == 0 {
		return ""
	}
	return items[0].ID
}

type invocationPage struct {
	One *invocation
	// Webhook is its title; "" = it is deleted.
	Webhook  string
	Attempts []attempt
	Next     string
	// Poll: the browser has the payload and the attempts up to number Has, and keeps them. Same: these are all.
	Poll, Same bool
	Has        int
}

func showInvocation(v *visit) error { return v.invocation(http.StatusOK, "") }

func (v *visit) invocation(status int, alert string) error {
	data := &invocationPage{One: &invocation{}}
	if err := v.ask(v.path("/v1/invocations/{id}"), nil, data.One); err != nil {
		return err
	}
	page, err := v.within(data.One.ApplicationID, "invocations", "Delivery of "+data.One.EventType)
	if err != nil {
		return err
	}
	var sub subscription
	if err := v.ask("/v1/subscriptions/"+url.PathEscape(data.One.SubscriptionID), nil, &sub); err == nil {
		data.Webhook = sub.Title()
	}
	count, err := v.readAttempts(data)
	if err != nil {
		return err
	}
	page.Alert, page.Data = alert, data
	if v.r.Method == http.MethodGet && v.r.URL.Query().Get("cursor") == "" {
		page.Live = keepLive(v.r, 2)
		page.announce(v.r, data.One.Status+strconv.Itoa(count), fmt.Sprintf("%s, %d attempts", data.One.Status, count))
	}
	return v.show(status, "invocation", page)
}

// readAttempts reads the log, unless the browser has it all, and returns how many attempts it will have then. A poll
// comes every other second, and each attempt may have a body of 1 MiB.
func (v *visit) readAttempts(data *invocationPage) (count int, err error) {
	if isPoll(v.r) {
		data.Poll, data.Has = true, numberAtEnd(v.r.URL.Query().Get("seen"))
		if data.Same = data.Has == data.One.Attempts; data.Same {
			return data.Has, nil
		}
	}
	asked := paging(v.r.URL.Query())
	asked.Set("limit", strconv.Itoa(attemptsAtOnce(len(data.One.Payload))))
	var log list[attempt]
	if err := v.ask(v.path("/v1/invocations/{id}/logs"), asked, &log); err != nil {
		return 0, err
	}
	data.Attempts, data.Next = log.Items, nextPage(v.r, log.NextCursor)
	if data.Next != "" {
		return data.One.Attempts, nil // further ones are on other pages
	}
	return len(log.Items), nil
}

// maxLog bounds the bodies of the requests that are read for one page, in bytes.
const maxLog = 8 << 20

// attemptsAtOnce is how many attempts a page shows of a payload of so many bytes.
func attemptsAtOnce(payload int) int { return min(25, max(1, maxLog/max(1, payload))) }

// numberAtEnd is the number that a state ends with: 3 of retrying3; 0 = none.
func numberAtEnd(state string) int {
	number, err := strconv.Atoi(strings.TrimLeft(state, "abcdefghijklmnopqrstuvwxyz"))
	if err != nil {
		return 0
	}
	return max(0, number)
}

// changeInvocation carries one of an invocation's buttons out.
func changeInvocation(v *visit) error {
	var err error
	var notice string
	switch v.r.PathValue("action") {
	case "redeliver":
		notice = "redelivered"
		err = v.tell(v.path("/v1/invocations/{id}/redeliver"), map[string]any{"force": v.r.PostFormValue("force") == "yes"}, nil)
	case "cancel":
		notice = "cancelled"
		err = v.tell(v.path("/v1/invocations/{id}/cancel"), nil, nil)
	default:
		return notFound()
	}
	if refusal, ok := refused(err); ok {
		return v.invocation(statusOf(refusal), refusal.text())
	}
	if err != nil {
		return err
	}
	return v.seeOther(v.path("/invocations/{id}"), notice)
}
