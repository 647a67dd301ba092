package dashboard

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/secret"
)

const (
	cookieName = "posthorn_session"
	// sessionLife is how long a session lasts, whatever is done in it.
	sessionLife = 12 * time.Hour
	// maxKey bounds what is taken for a key; an operator key may be any text.
	maxKey = 1024
)

// session is what the cookie holds, sealed: nobody but this deployment reads it, no script either.
type session struct {
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"`
}

// place binds the sealed text to its purpose: nothing that is sealed elsewhere is a session.
func place() secret.AD { return secret.AD{Table: "dashboard", Column: "cookie", Row: "session"} }

func (d *Dashboard) sealSession(key string) (string, error) {
	text, err := json.Marshal(session{Key: key, Expires: d.Now().Add(sessionLife)})
	if err != nil {
		return "", err
	}
	sealed, err := d.Keyring.Seal(text, place())
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// sessionOf opens the request's cookie; false = there is none that is valid.
func (d *Dashboard) sessionOf(r *http.Request) (session, bool) {
	var s session
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return s, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return s, false
	}
	text, err := d.Keyring.Open(sealed, place())
	if err != nil || json.Unmarshal(text, &s) != nil {
		return s, false
	}
	return s, d.Now().Before(s.Expires)
}

// setCookie begins a session; an empty value ends it.
func setCookie(w http.ResponseWriter, r *http.Request, value string) {
	cookie := http.Cookie{ //nolint:gosec // Secure wherever the browser came by TLS; the embedded mode has none
		Name: cookieName, Value: value, Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: overTLS(r),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, &cookie)
}

// overTLS also believes a proxy that ends TLS: who lies about it makes their own cookie stricter.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
