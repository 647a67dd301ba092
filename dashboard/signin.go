package dashboard

import (
	"errors"
	"mime"
	"net/http"
	"strings"
)

// home is the sign-in, and for those signed in the way to their pages.
func (d *Dashboard) home(w http.ResponseWriter, r *http.Request) {
	v, err := d.visit(w, r) //nolint:contextcheck // a visit has its request
	switch {
	case errors.Is(err, errSignedOut):
		d.render(w, r, http.StatusOK, "signin", &view{Title: "Sign in"})
	case err != nil:
		d.fail(w, r, v, err)
	default:
		http.Redirect(w, r, v.me.start(), http.StatusSeeOther)
	}
}

// maxAnybody bounds the forms of those who are not signed in: a key of maxKey, each of its bytes escaped, and room for
// what a browser adds, in bytes.
const maxAnybody = 8 << 10

// fromAnybody takes a form of somebody who need not be signed in: a small one, of the type that browsers send.
func (d *Dashboard) fromAnybody(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if kind != "application/x-www-form-urlencoded" {
			d.refuseForm(w, r, http.StatusUnsupportedMediaType, "This form is sent as application/x-www-form-urlencoded.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAnybody)
		err := r.ParseForm()
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			d.refuseForm(w, r, http.StatusRequestEntityTooLarge, "This form is too large.")
			return
		}
		if err != nil {
			d.refuseForm(w, r, http.StatusBadRequest, "This form cannot be read.")
			return
		}
		handle(w, r)
	}
}

func (d *Dashboard) refuseForm(w http.ResponseWriter, r *http.Request, status int, why string) {
	d.render(w, r, status, "error", &view{Title: http.StatusText(status), Alert: why})
}

// signIn takes a key that the API knows, and whose role may read.
func (d *Dashboard) signIn(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimSpace(r.PostFormValue("key"))
	if key == "" || len(key) > maxKey || strings.ContainsAny(key, "\r\n") {
		d.askForKey(w, r, "Enter an API key.")
		return
	}
	var who me
	err := (&client{api: d.API, key: key, from: r.RemoteAddr}).get(r.Context(), "/v1/me", nil, &who)
	if refusal, ok := errors.AsType[*problem](err); ok && refusal.Status == http.StatusUnauthorized {
		d.askForKey(w, r, "That key is not valid: it is mistyped, revoked or expired.")
		return
	}
	if err != nil {
		d.fail(w, r, nil, err)
		return
	}
	if who.Role == rolePublisher {
		d.askForKey(w, r, "A publisher's key may publish and nothing else. Sign in with a key of the role operator, admin or member.")
		return
	}
	d.begin(w, r, key, &who)
}

func (d *Dashboard) begin(w http.ResponseWriter, r *http.Request, key string, who *me) {
	sealed, err := d.sealSession(key)
	if err != nil {
		d.fail(w, r, nil, err)
		return
	}
	setCookie(w, r, sealed)
	http.Redirect(w, r, who.start(), http.StatusSeeOther)
}

func (d *Dashboard) signOut(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, "")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
