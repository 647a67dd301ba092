package dashboard

import (
	"net/http"
	"net/url"
)

type subscriptionsPage struct {
	Items  []subscription
	Next   string
	Status string
}

func listSubscriptions(v *visit) error {
	page, err := v.within(v.r.PathValue("app"), "subscriptions", "Webhooks")
	if err != nil {
		return err
	}
	query := paging(v.r.URL.Query())
	data := &subscriptionsPage{Status: v.r.URL.Query().Get("status")}
	if data.Status != "" {
		query.Set("status", data.Status)
	}
	var items list[subscription]
	if err := v.ask(v.path("/v1/applications/{app}/subscriptions"), query, &items); err != nil {
		return err
	}
	data.Items, data.Next = items.Items, nextPage(v.r, items.NextCursor)
	page.Data = data
	return v.show(http.StatusOK, "subscriptions", page)
}

type subscriptionPage struct {
	Sub    *subscription
	Stats  subscriptionStats
	Chart  *activityChart
	Retry  *retryChart
	Recent []invocation
	Hours  string
	Ranges []choice
	// HandshakeKey is what its URL has to answer; "" = it is not this key's to see.
	HandshakeKey string
	// Secret is a new one, shown this once; "" = none. NewKey is the public key that goes with it.
	Secret, NewKey string
	// Created: this is the answer to its creation.
	Created bool
}

func showSubscription(v *visit) error {
	return v.subscription(http.StatusOK, "", &subscriptionPage{})
}

// subscription shows one with what is in data, and an alert if something was refused.
func (v *visit) subscription(status int, alert string, data *subscriptionPage) error {
	if data.Sub == nil {
		data.Sub = &subscription{}
		if err := v.ask(v.path("/v1/subscriptions/{id}"), nil, data.Sub); err != nil {
			return err
		}
	}
	page, err := v.within(data.Sub.ApplicationID, "subscriptions", data.Sub.Title())
	if err != nil {
		return err
	}
	if err := v.complete(data, page.App); err != nil {
		return err
	}
	page.Alert, page.Data = alert, data
	if v.r.Method == http.MethodGet {
		page.Live = keepLive(v.r, 5)
	}
	return v.show(status, "subscription", page)
}

// complete reads what the page shows beside the subscription itself.
func (v *visit) complete(data *subscriptionPage, at *surroundings) error {
	if err := v.ask("/v1/subscriptions/"+url.PathEscape(data.Sub.ID)+"/stats", nil, &data.Stats); err != nil {
		return err
	}
	var recent list[invocation]
	asked := url.Values{"limit": {"8"}, "subscription_id": {data.Sub.ID}}
	if err := v.ask("/v1/applications/"+at.ID+"/invocations", asked, &recent); err != nil {
		return err
	}
	data.Recent = recent.Items
	if isPoll(v.r) {
		return nil
	}
	return v.completeCharts(data, at)
}

// completeCharts reads what is above the part that is kept up to date.
func (v *visit) completeCharts(data *subscriptionPage, at *surroundings) (err error) {
	data.Hours = hoursOf(v.r)
	data.Ranges = ranges(data.Hours)
	if data.Chart, err = v.activity(at.ID, data.Sub.ID, data.Hours); err != nil {
		return err
	}
	if at.Profile.Handshake() && at.Acts {
		data.HandshakeKey = v.handshakeKey()
	}
	data.Retry, err = v.retryChart(data.Sub.Delivery.Retry)
	return err
}

// handshakeKey asks the provider's own route, which is for an application's own keys: the operator sees none.
func (v *visit) handshakeKey() string {
	if v.me.Operator() {
		return ""
	}
	var answer map[string]string
	if err := v.ask("/api/messages/config/token", nil, &answer); err != nil {
		return ""
	}
	return answer["Key"]
}

func confirmDeletion(v *visit) error {
	var sub subscription
	if err := v.ask(v.path("/v1/subscriptions/{id}"), nil, &sub); err != nil {
		return err
	}
	page, err := v.within(sub.ApplicationID, "subscriptions", "Delete "+sub.Title())
	if err != nil {
		return err
	}
	page.Data = &sub
	return v.show(http.StatusOK, "delete", page)
}

// changeSubscription carries one of a subscription's buttons out.
func changeSubscription(v *visit) error {
	one := v.path("/subscriptions/{id}")
	switch v.r.PathValue("action") {
	case "verify":
		return v.act("/verify", one, "verified")
	case "enable":
		return v.act("/enable", one, "enabled")
	case "disable":
		return v.act("/disable", one, "disabled")
	case "test":
		return v.sendTest()
	case "rotate-secret":
		return v.rotateSecret()
	case "delete":
		return v.deleteSubscription()
	default:
		return notFound()
	}
}

// act posts to the API, and shows the subscription with what it said.
func (v *visit) act(action, then, notice string) error {
	err := v.tell(v.path("/v1/subscriptions/{id}")+action, nil, nil)
	if err != nil {
		return v.refusedOnSubscription(err)
	}
	return v.seeOther(then, notice)
}

// refusedOnSubscription shows a refusal on the subscription's page.
func (v *visit) refusedOnSubscription(err error) error {
	refusal, ok := refused(err)
	if !ok {
		return err
	}
	return v.subscription(statusOf(refusal), refusal.text(), &subscriptionPage{})
}

func (v *visit) sendTest() error {
	var made struct {
		InvocationID string `json:"invocation_id"`
	}
	if err := v.tell(v.path("/v1/subscriptions/{id}/test"), nil, &made); err != nil {
		return v.refusedOnSubscription(err)
	}
	return v.seeOther("/invocations/"+url.PathEscape(made.InvocationID), "tested")
}

func (v *visit) rotateSecret() error {
	var made struct {
		Secret    *string `json:"secret"`
		PublicKey *string `json:"public_key"`
	}
	if err := v.tell(v.path("/v1/subscriptions/{id}/rotate-secret"), nil, &made); err != nil {
		return v.refusedOnSubscription(err)
	}
	return v.subscription(http.StatusOK, "", &subscriptionPage{Secret: orNone(made.Secret), NewKey: orNone(made.PublicKey)})
}

func (v *visit) deleteSubscription() error {
	var sub subscription
	if err := v.ask(v.path("/v1/subscriptions/{id}"), nil, &sub); err != nil {
		return err
	}
	if v.r.PostFormValue("confirm") != "yes" {
		return v.seeOther(v.path("/subscriptions/{id}/delete"), "")
	}
	err := v.call(v.r.Context(), http.MethodDelete, v.path("/v1/subscriptions/{id}"), nil, nil, nil)
	if err != nil {
		return v.refusedOnSubscription(err)
	}
	return v.seeOther("/applications/"+url.PathEscape(sub.ApplicationID)+"/subscriptions", "deleted")
}

func orNone(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
