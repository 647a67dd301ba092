package egress

// Code says why an attempt got no usable answer. The words are those of
// `error.code` in the API.
type Code string

// The codes. A failed attempt that has a status is judged by its caller, who
// knows which statuses count as success; it carries no code from here.
const (
	// CodeTimeout: the attempt's time, or that of connecting or of the TLS
	// handshake, ran out before the status line and headers had arrived.
	CodeTimeout Code = "timeout"
	// CodeDNS: the name does not exist or could not be looked up.
	CodeDNS Code = "dns"
	// CodeConnect: no connection, or one lost before a complete response head.
	CodeConnect Code = "connect"
	// CodeTLS: the handshake failed. No byte of the request was sent.
	CodeTLS Code = "tls"
	// CodeBlockedURL: the URL or an address behind it is not allowed. No
	// connection was made.
	CodeBlockedURL Code = "blocked_url"
	// CodeResponse: what came back is not an HTTP response that can be used.
	CodeResponse Code = "response"
	// CodeInterrupted: the caller cancelled the attempt.
	CodeInterrupted Code = "interrupted"
)

// Failure is the classified reason of an attempt that got no usable answer.
// Message is safe to show to a tenant: it names no address, port or resolver,
// so the API cannot be used to map a network.
//
//nolint:errname // an outcome; it is an error only on its way through net/http
type Failure struct {
	Code    Code
	Message string
}

func (f *Failure) Error() string { return string(f.Code) + ": " + f.Message }

// URLError says that a URL is malformed or of a form never accepted: a fault of
// the text (API code `validation_failed`). Reason completes "the url …".
type URLError struct{ Reason string }

func (e *URLError) Error() string { return "url " + e.Reason }

// BlockedError says that a well-formed URL leads where this deployment does not
// connect to (API code `blocked_url`). Reason completes "the url …".
type BlockedError struct{ Reason string }

func (e *BlockedError) Error() string { return "url " + e.Reason }

// HeaderError says why a custom header is refused. Reason completes "the
// header …" and never holds the value, which may be a credential.
type HeaderError struct{ Reason string }

func (e *HeaderError) Error() string { return "header " + e.Reason }
