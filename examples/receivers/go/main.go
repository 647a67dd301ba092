// Command receiver takes webhooks of each profile and believes only genuine ones. It needs nothing but the standard
// library: copy the part for your provider. The variables in main say what it knows.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBody   = 2 << 20         // bytes; more is refused unread
	tolerance = 5 * time.Minute // how far a delivery's time may be from ours
)

var errNotGenuine = errors.New("not genuine")

// verify returns what a delivery is known by, so that a repeat is handled once, or errNotGenuine.
type verify func(r *http.Request, body []byte) (id string, err error)

// standard checks Standard Webhooks: HMAC-SHA256 over "id.timestamp.body" with the key behind whsec_. Signatures of other
// versions, and of another secret while one is rotated, stand beside ours.
func standard(secret string) verify {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		panic("STANDARD_SECRET is not whsec_ and base64")
	}
	return func(r *http.Request, body []byte) (string, error) {
		id, timestamp := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		want := "v1," + base64.StdEncoding.EncodeToString(hmacSHA256(key, id+"."+timestamp+"."+string(body)))
		for given := range strings.FieldsSeq(r.Header.Get("Webhook-Signature")) {
			if equal(given, want) {
				return id, checkTime(timestamp)
			}
		}
		return "", errNotGenuine
	}
}

// bridge checks "v1=<HEX>[,v1=<HEX>]": HMAC-SHA256 over the raw body, keyed with the secret's text. The signature covers
// neither webhook-id nor webhook-timestamp: what knows a repeat, whoever sends it, is the body.
func bridge(secret string) verify {
	return func(r *http.Request, body []byte) (string, error) {
		want := "v1=" + strings.ToUpper(hex.EncodeToString(hmacSHA256([]byte(secret), string(body))))
		for given := range strings.SplitSeq(r.Header.Get("BridgeApi-Signature"), ",") {
			if equal(given, want) {
				sum := sha256.Sum256(body)
				return hex.EncodeToString(sum[:]), checkTime(r.Header.Get("Webhook-Timestamp"))
			}
		}
		return "", errNotGenuine
	}
}

// header checks a key in a header: alviere's Alviere-Auth, or one that you set yourself for thredd. It says who sends;
// that the body is theirs too rests on TLS alone. The body's member tells repeats apart.
func header(name, key, member string, stamped bool) verify {
	return func(r *http.Request, body []byte) (string, error) {
		if !equal(r.Header.Get(name), key) {
			return "", errNotGenuine
		}
		if stamped {
			if err := checkTime(r.Header.Get("Webhook-Timestamp")); err != nil {
				return "", err
			}
		}
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			return "", err
		}
		return fmt.Sprint(members[member]), nil
	}
}

// path checks the end of the URL, which only you and the sender know: aria and viva send nothing else that proves them.
// Keep it out of your logs. Here too the body rests on TLS.
func path(secret string) verify {
	return func(r *http.Request, _ []byte) (string, error) {
		if !equal(r.PathValue("secret"), secret) {
			return "", errNotGenuine
		}
		return r.Header.Get("Webhook-Id"), checkTime(r.Header.Get("Webhook-Timestamp"))
	}
}

// checkTime refuses what was sent long ago: somebody may have recorded it. Each attempt has a time of its own.
func checkTime(seconds string) error {
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > tolerance {
		return errNotGenuine
	}
	return nil
}

func hmacSHA256(key []byte, content string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(content))
	return mac.Sum(nil)
}

// equal takes as long for a good guess as for a bad one. A secret that is empty equals nothing.
func equal(given, want string) bool {
	return want != "" && hmac.Equal([]byte(given), []byte(want))
}

// receiver handles each event once. A real one keeps the ids in its database, in the transaction that handles the event.
type receiver struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (rc *receiver) take(profile string, genuine verify) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) // the bytes as they came: parse after, not before
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		id, err := genuine(r, body)
		if err != nil {
			http.Error(w, "refused", http.StatusUnauthorized) // without saying why
			return
		}
		rc.mu.Lock()
		defer rc.mu.Unlock()
		if !rc.seen[profile+id] {
			rc.seen[profile+id] = true
			fmt.Println("handled", profile, id) // what takes long belongs in a queue: answer within seconds
		}
		w.WriteHeader(http.StatusOK)
	}
}

// handshake shows viva the key that verifies the URL.
func handshake(secret, key string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !equal(r.PathValue("secret"), secret) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"Key": key})
	}
}

func main() {
	rc := &receiver{seen: map[string]bool{}}
	mux := http.NewServeMux()
	for _, one := range []struct {
		variable, route string
		genuine         func(secret string) verify
	}{
		{"STANDARD_SECRET", "/standard", standard},
		{"BRIDGE_SECRET", "/bridge", bridge},
		{"ALVIERE_KEY", "/alviere", func(key string) verify { return header("Alviere-Auth", key, "event_uuid", false) }},
		{"THREDD_TOKEN", "/thredd", func(key string) verify { return header("X-Webhook-Token", key, "notificationId", true) }},
		{"ARIA_PATH", "/aria/{secret}", path},
		{"VIVA_PATH", "/viva/{secret}", path},
	} {
		if secret := os.Getenv(one.variable); secret != "" { // without a secret there is no route
			mux.HandleFunc("POST "+one.route, rc.take(strings.Split(one.route, "/")[1], one.genuine(secret)))
		}
	}
	mux.HandleFunc("GET /viva/{secret}", handshake(os.Getenv("VIVA_PATH"), os.Getenv("VIVA_KEY")))
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadTimeout: 30 * time.Second}
	panic(server.Serve(listener))
}
