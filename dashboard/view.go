package dashboard

import (
	"net/http"
	"net/url"
)

// view is what every template gets.
type view struct {
	Title string
	// Me is nil for those who are not signed in.
	Me *me
	// App is the application that the page is in; nil = none. Tab is which of its pages it belongs to.
	App *surroundings
	Tab string
	// Notice says what was done, Alert what went wrong; "" = nothing.
	Notice, Alert string
	// Live keeps a part of the page up to date; nil = it does not change.
	Live *live
	// Announce is read out to those who do not see what changed; "" = nothing did.
	Announce string
	Data     any
}

// surroundings is an application as a page's surroundings need it, and what the key may do in it.
type surroundings struct {
	ID, Name string
	Profile  *profile
	// Manages: may create, change and delete subscriptions. Acts: may test, verify, redeliver and cancel.
	Manages, Acts bool
}

// within makes the view of a page inside an application.
func (v *visit) within(applicationID, tab, title string) (*view, error) {
	at, err := v.application(applicationID)
	return &view{Title: title, Me: &v.me, App: at, Tab: tab, Notice: notices()[v.r.URL.Query().Get("notice")]}, err
}

func (v *visit) application(id string) (*surroundings, error) {
	at := &surroundings{ID: id, Profile: &profile{}}
	path := "/v1/applications/" + url.PathEscape(id)
	if v.me.ApplicationName != nil {
		at.Name = *v.me.ApplicationName
	} else {
		var app application
		if err := v.ask(path, nil, &app); err != nil {
			return nil, err
		}
		at.Name = app.Name
	}
	if err := v.ask(path+"/profile", nil, at.Profile); err != nil {
		return nil, err
	}
	at.Acts = v.me.Operator() || v.me.Role == roleAdmin
	at.Manages = v.me.Operator() || at.Acts && at.Profile.ManagedBy != roleOperator
	return at, nil
}

// show renders the page.
func (v *visit) show(status int, name string, page *view) error {
	v.d.render(v.w, v.r, status, name, page)
	return nil
}

// notices are what pages say after an action, by the word in their address: nothing else is shown from there.
func notices() map[string]string {
	return map[string]string{
		"created":     "The webhook was created.",
		"verified":    "The URL is verified: the webhook is active.",
		"tested":      "The test is on its way. This page shows its attempt as soon as it is made.",
		"enabled":     "The webhook is enabled. What waited for it is being sent.",
		"disabled":    "The webhook is disabled. What is open waits until it is enabled.",
		"deleted":     "The webhook was deleted.",
		"redelivered": "It is being delivered once more. The attempt shows below.",
		"cancelled":   "It was cancelled: no further attempt is started.",
		"paused":      "The redelivery is paused.",
		"resumed":     "The redelivery goes on.",
		"ended":       "The redelivery was cancelled: nothing more of it is sent.",
		"application": "The application was created. Create its first webhook.",
	}
}

// statusOf is the status of a page that shows a refusal beside its form.
func statusOf(p *problem) int {
	if p.Status < http.StatusBadRequest {
		return http.StatusInternalServerError
	}
	return p.Status
}
