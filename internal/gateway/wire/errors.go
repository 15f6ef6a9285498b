package wire

// Code is an error code of the protocol.
type Code string

// The codes of docs/protocol.md.
const (
	CodeInvalid            Code = "invalid"
	CodeUnknownType        Code = "unknown_type"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeForbidden          Code = "forbidden"
	CodeNotFound           Code = "not_found"
	CodeConflict           Code = "conflict"
	CodePredecessorMissing Code = "predecessor_missing"
	CodeTooLarge           Code = "too_large"
	CodeOverloaded         Code = "overloaded"
	CodeUnavailable        Code = "unavailable"
	CodeInternal           Code = "internal"
)

// Retryable reports whether an error of this code carries "retry":true: the
// outcome is unknown and the same request may be sent again.
func (c Code) Retryable() bool { return c == CodeOverloaded || c == CodeUnavailable }

// Close codes of the long link.
const (
	CloseGoingAway       = 1001 // the server goes away
	CloseTooBig          = 1009 // message too large
	CloseBadFrame        = 4400 // not of this protocol
	CloseUnauthenticated = 4401 // token bad or expired
	CloseIdle            = 4408 // no frame for too long, or no hello in time
	CloseReplaced        = 4409 // a newer link of the same device took its place
	CloseTooSlow         = 4410 // unsent bytes over the limit
	CloseTooFast         = 4429 // frames go on although they are refused as too many
	CloseUnavailable     = 4503 // the server refuses work for now
)

// Error says why a frame was refused. Code is CodeInvalid, CodeUnknownType or
// CodeTooLarge; Field is the path to the faulty field, empty if the frame as a
// whole is at fault; Message is made for the client, and names the field but
// never repeats what was sent.
type Error struct {
	Code    Code
	Field   string
	Message string
}

func (e *Error) Error() string { return "wire: " + string(e.Code) + ": " + e.Message }

func invalid(field, what string) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: field + " " + what + "."}
}
