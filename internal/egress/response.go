package egress

import (
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// maxBody is how much of a response body is read and kept, in bytes.
const maxBody = 64 << 10

// Response is the outcome of one attempt. Either Failure is set, or StatusCode
// is 200 to 999 and the caller judges it; a 3xx is returned as it came. Both
// are set only for a status below 200, above all 101.
type Response struct {
	StatusCode int // 0 when no response head arrived
	// Headers of at most 64 KiB, names in canonical form, values as valid UTF-8
	// without control characters. The text is the receiver's: hostile.
	Headers http.Header
	// Body is at most 64 KiB, as sent, never decompressed.
	Body []byte
	// Truncated: the body was longer, broke off, or did not end in time.
	Truncated bool
	Duration  time.Duration
	Failure   *Failure
}

// readResponse owns and closes the body. A body that was read to its end leaves
// the connection to the pool; any other is closed with it.
func readResponse(res *http.Response) Response {
	defer func() { _ = res.Body.Close() }()
	out := Response{StatusCode: res.StatusCode, Headers: cleanHeaders(res.Header)}
	if res.StatusCode < http.StatusOK { // 101, or below 100
		out.Failure = notFinal(res.StatusCode)
		return out
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	out.Truncated = err != nil || len(body) > maxBody
	out.Body = body[:min(len(body), maxBody)]
	return out
}

func notFinal(status int) *Failure {
	if status == http.StatusSwitchingProtocols { // the connection is no longer HTTP
		return &Failure{Code: CodeResponse, Message: "the receiver tried to switch protocols"}
	}
	return &Failure{Code: CodeResponse, Message: "the answer has no valid status"}
}

// cleanHeaders makes values storable (no NUL, valid UTF-8) and printable.
func cleanHeaders(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			out[name] = append(out[name], clean(v))
		}
	}
	return out
}

func clean(v string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(v, string(unicode.ReplacementChar)))
}
