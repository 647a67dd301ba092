package dashboard

import (
	"net/http"
	"net/url"
)

type jobsPage struct {
	Items []job
	Next  string
	First bool
}

func listJobs(v *visit) error {
	page, err := v.within(v.r.PathValue("app"), "jobs", "Redeliveries")
	if err != nil {
		return err
	}
	var items list[job]
	if err := v.ask(v.path("/v1/applications/{app}/jobs"), paging(v.r.URL.Query()), &items); err != nil {
		return err
	}
	data := &jobsPage{
		Items: items.Items, Next: nextPage(v.r, items.NextCursor), First: v.r.URL.Query().Get("cursor") == "",
	}
	if data.First {
		page.Live = keepLive(v.r, 3)
	}
	page.Data = data
	return v.show(http.StatusOK, "jobs", page)
}

type newJobPage struct {
	Values        url.Values
	Statuses      []string
	Subscriptions []subscription
	// Counted is the answer to "how many?"; nil = it was not asked.
	Counted *job
}

func newJob(v *visit) error {
	values := v.r.URL.Query()
	if !values.Has("status") {
		values.Set("status", "failed")
	}
	return v.jobForm(http.StatusOK, &newJobPage{Values: values}, "")
}

func (v *visit) jobForm(status int, data *newJobPage, alert string) error {
	page, err := v.within(v.r.PathValue("app"), "jobs", "Redeliver many")
	if err != nil {
		return err
	}
	names := &invocationsPage{}
	if err := v.nameSubscriptions(names); err != nil {
		return err
	}
	data.Statuses, data.Subscriptions = statuses(), names.Subscriptions
	page.Alert, page.Data = alert, data
	return v.show(status, "job_new", page)
}

// createJob begins a redelivery of many, or counts what it would be for.
func createJob(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The form could not be read."}
	}
	values := v.r.PostForm
	counts := values.Get("count") != ""
	var made job
	err := v.tell(v.path("/v1/applications/{app}/redeliveries"), jobBody(values, counts), &made)
	if refusal, ok := refused(err); ok {
		return v.jobForm(statusOf(refusal), &newJobPage{Values: values}, refusal.text())
	}
	if err != nil {
		return err
	}
	if counts {
		return v.jobForm(http.StatusOK, &newJobPage{Values: values, Counted: &made}, "")
	}
	return v.seeOther("/jobs/"+url.PathEscape(made.ID), "")
}

func jobBody(values url.Values, counts bool) map[string]any {
	filter := map[string]any{}
	for name, value := range invocationFilter(values) {
		if name != "entity_id" && name != "event_id" { // a job has no such filter
			filter[name] = value[0]
		}
	}
	body := map[string]any{"filter": filter, "dry_run": counts}
	if rate := values.Get("rate"); rate != "" {
		body["rate"] = number(rate)
	}
	return body
}

func showJob(v *visit) error { return v.job(http.StatusOK, "") }

func (v *visit) job(status int, alert string) error {
	var one job
	if err := v.ask(v.path("/v1/jobs/{id}"), nil, &one); err != nil {
		return err
	}
	page, err := v.within(one.ApplicationID, "jobs", "Redelivery "+short(one.ID))
	if err != nil {
		return err
	}
	page.Alert, page.Data = alert, &one
	if !one.Ended() && v.r.Method == http.MethodGet {
		page.Live = keepLive(v.r, 1)
		page.announce(v.r, one.State, "The redelivery is "+one.State+".")
	}
	return v.show(status, "job", page)
}

// changeJob carries one of a job's buttons out.
func changeJob(v *visit) error {
	notice, known := map[string]string{"pause": "paused", "resume": "resumed", "cancel": "ended"}[v.r.PathValue("action")]
	if !known {
		return notFound()
	}
	err := v.tell(v.path("/v1/jobs/{id}/{action}"), nil, nil)
	if refusal, ok := refused(err); ok {
		return v.job(statusOf(refusal), refusal.text())
	}
	if err != nil {
		return err
	}
	return v.seeOther(v.path("/jobs/{id}"), notice)
}
