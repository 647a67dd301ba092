package dashboard

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// visit is one request of somebody who is signed in.
type visit struct {
	*client
	d  *Dashboard
	w  http.ResponseWriter
	r  *http.Request
	me me
}

// handler answers a visit. An error of its becomes a page.
type handler func(*visit) error

// signedIn lets those in who have a session with a key that is still valid; others see the sign-in.
func (d *Dashboard) signedIn(handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := d.visit(w, r) //nolint:contextcheck // a visit has its request
		if err == nil {
			err = handle(v)
		}
		if err != nil {
			d.fail(w, r, v, err)
		}
	}
}

var errSignedOut = errors.New("not signed in")

func (d *Dashboard) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	s, ok := d.sessionOf(r)
	if !ok {
		return nil, errSignedOut
	}
	v := &visit{client: &client{api: d.API, key: s.Key, from: r.RemoteAddr}, d: d, w: w, r: r}
	return v, v.ask("/v1/me", nil, &v.me)
}

// ask is get in the visit's context.
func (v *visit) ask(path string, query url.Values, into any) error {
	return v.get(v.r.Context(), path, query, into)
}

// tell is post in the visit's context.
func (v *visit) tell(path string, body, into any) error {
	return v.post(v.r.Context(), path, body, into)
}

// path fills the {names} of a path of the API with the request's own path values.
func (v *visit) path(pattern string) string {
	for _, name := range []string{"app", "id", "action"} {
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", url.PathEscape(v.r.PathValue(name)))
	}
	return pattern
}

// fail shows what went wrong. What is not the API's refusal is for the log alone.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	refusal, isRefusal := errors.AsType[*problem](err)
	switch {
	case errors.Is(err, errSignedOut), isRefusal && refusal.Status == http.StatusUnauthorized:
		d.askForKey(w, r, "")
		return
	case !isRefusal:
		d.Logger.LogAttrs(r.Context(), slog.LevelError, "page failed", slog.String("error", err.Error()))
		refusal = &problem{Status: http.StatusInternalServerError, Detail: "Something went wrong here; the log has it."}
	}
	page := &view{Title: http.StatusText(refusal.Status), Alert: refusal.text()}
	if v != nil {
		page.Me = &v.me
	}
	d.render(w, r, refusal.Status, "error", page)
}

// askForKey ends the session and, of a page, shows the sign-in. An htmx request gets told to go there: its answer would
// land in the middle of a page.
func (d *Dashboard) askForKey(w http.ResponseWriter, r *http.Request, alert string) {
	if _, err := r.Cookie(cookieName); err == nil {
		setCookie(w, r, "")
	}
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", "/")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	d.render(w, r, http.StatusUnauthorized, "signin", &view{Title: "Sign in", Alert: alert})
}

// refused reports the API's refusal, if that is what err is: one that a page shows beside its form.
func refused(err error) (*problem, bool) {
	p, ok := errors.AsType[*problem](err)
	return p, ok && p.Status != http.StatusUnauthorized && p.Status != http.StatusNotFound
}

// seeOther answers a form that did its work: the browser goes to the page, which says so.
func (v *visit) seeOther(path, notice string) error {
	if notice != "" {
		path += "?notice=" + notice
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}
