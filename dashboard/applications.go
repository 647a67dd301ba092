package dashboard

import (
	"net/http"
	"net/url"
)

type applicationsPage struct {
	Items    []application
	Next     string
	Profiles []profile
	// Name and Profile are what a refused form had.
	Name, Profile string
	Problem       *problem
}

func listApplications(v *visit) error { return v.applications(http.StatusOK, &applicationsPage{}) }

func (v *visit) applications(status int, data *applicationsPage) error {
	page := &view{Title: "Applications", Me: &v.me, Tab: "applications", Data: data}
	var items list[application]
	if err := v.ask("/v1/applications", paging(v.r.URL.Query()), &items); err != nil {
		return err
	}
	var profiles list[profile]
	if err := v.ask("/v1/profiles", url.Values{"limit": {"500"}}, &profiles); err != nil {
		return err
	}
	data.Items, data.Next, data.Profiles = items.Items, nextPage(v.r, items.NextCursor), profiles.Items
	if data.Problem != nil {
		page.Alert = data.Problem.text()
	}
	return v.show(status, "applications", page)
}

func createApplication(v *visit) error {
	data := &applicationsPage{Name: v.r.PostFormValue("name"), Profile: v.r.PostFormValue("profile")}
	var made application
	err := v.tell("/v1/applications", map[string]any{"name": data.Name, "profile": data.Profile}, &made)
	if refusal, ok := refused(err); ok {
		data.Problem = refusal
		return v.applications(statusOf(refusal), data)
	}
	if err != nil {
		return err
	}
	return v.seeOther("/applications/"+made.ID+"/subscriptions", "application")
}

// paging passes the cursor of an address on to the API.
func paging(query url.Values) url.Values {
	asked := url.Values{"limit": {"25"}}
	if cursor := query.Get("cursor"); cursor != "" {
		asked.Set("cursor", cursor)
	}
	return asked
}

// nextPage is the address of what follows; "" = nothing does.
func nextPage(r *http.Request, cursor *string) string {
	if cursor == nil {
		return ""
	}
	query := r.URL.Query()
	query.Set("cursor", *cursor)
	query.Del("polls")
	query.Del("notice")
	return "?" + query.Encode()
}

type overviewPage struct {
	Chart  *activityChart
	Recent []invocation
	Hours  string
	Ranges []choice
	// None: there is no subscription yet.
	None bool
}

// choice is one of several, one of which is chosen.
type choice struct {
	Value, Label string
	Chosen       bool
}

func ranges(chosen string) []choice {
	all := []choice{
		{Value: "1", Label: "1 hour"},
		{Value: "24", Label: "24 hours"},
		{Value: "168", Label: "7 days"},
		{Value: "720", Label: "30 days"},
	}
	for i := range all {
		all[i].Chosen = all[i].Value == chosen
	}
	return all
}

// hoursOf is the range that an address asks for: one of the offered.
func hoursOf(r *http.Request) string {
	for _, c := range ranges("") {
		if c.Value == r.URL.Query().Get("hours") {
			return c.Value
		}
	}
	return "24"
}

func showApplication(v *visit) error {
	page, err := v.within(v.r.PathValue("app"), "overview", "Overview")
	if err != nil {
		return err
	}
	data := &overviewPage{Hours: hoursOf(v.r)}
	data.Ranges = ranges(data.Hours)
	if !isPoll(v.r) {
		if err := v.completeOverview(data); err != nil {
			return err
		}
	}
	var recent list[invocation]
	if err := v.ask(v.path("/v1/applications/{app}/invocations"), url.Values{"limit": {"8"}}, &recent); err != nil {
		return err
	}
	data.Recent = recent.Items
	page.Data, page.Live = data, keepLive(v.r, 10)
	return v.show(http.StatusOK, "overview", page)
}

// completeOverview reads what is above the part that is kept up to date.
func (v *visit) completeOverview(data *overviewPage) (err error) {
	if data.Chart, err = v.activity(v.r.PathValue("app"), "", data.Hours); err != nil {
		return err
	}
	var subscriptions list[subscription]
	err = v.ask(v.path("/v1/applications/{app}/subscriptions"), url.Values{"limit": {"1"}}, &subscriptions)
	data.None = len(subscriptions.Items) == 0
	return err
}
