package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// unknownType is the code of a method that a path does not have, as of a frame
// whose type is not known.
const unknownType = domain.Code(wire.CodeUnknownType)

// kinds say of each code which status it has and what it is called: the one
// place where codes become HTTP.
var kinds = map[domain.Code]struct {
	status int
	title  string
}{
	domain.Invalid:            {http.StatusBadRequest, "The request is not valid"},
	unknownType:               {http.StatusMethodNotAllowed, "This cannot be asked for"},
	domain.Unauthenticated:    {http.StatusUnauthorized, "The token is missing or not valid"},
	domain.Forbidden:          {http.StatusForbidden, "Not allowed to this user"},
	domain.NotFound:           {http.StatusNotFound, "There is no such thing"},
	domain.Conflict:           {http.StatusConflict, "The key was used for something else"},
	domain.PredecessorMissing: {http.StatusConflict, "The message before is missing"},
	domain.TooLarge:           {http.StatusRequestEntityTooLarge, "Too large"},
	domain.Overloaded:         {http.StatusTooManyRequests, "Too much at once"},
	domain.Unavailable:        {http.StatusServiceUnavailable, "Not possible now, outcome unknown"},
	domain.Internal:           {http.StatusInternalServerError, "The server failed"},
}

// problem is a refusal as RFC 9457 has it, with what the long link says.
type problem struct {
	Type    string `json:"type" doc:"Where the code is explained; relative to the server." example:"/v1/docs#overloaded"`
	Title   string `json:"title" doc:"What the code means." example:"Too much at once"`
	Status  int    `json:"status" doc:"The HTTP status." example:"429"`
	Detail  string `json:"detail" doc:"For people; may change." example:"The server is busy."`
	Code    string `json:"code" doc:"The code, the same as on the long link." enum:"invalid,unknown_type,unauthenticated,forbidden,not_found,conflict,predecessor_missing,too_large,overloaded,unavailable,internal" example:"overloaded"`
	Retry   bool   `json:"retry" doc:"The outcome is unknown: send the same again, with the same key." example:"true"`
	RetryMS int64  `json:"retry_ms,omitempty" doc:"Wait at least so many milliseconds before." example:"500"`
}

func problemOf(why *domain.Error) problem {
	kind, known := kinds[why.Code]
	if !known {
		kind = kinds[domain.Internal]
	}
	p := problem{
		Type: "/v1/docs#" + string(why.Code), Title: kind.title, Status: kind.status,
		Detail: why.Message, Code: string(why.Code), Retry: wire.Code(why.Code).Retryable(),
	}
	if p.Retry {
		p.RetryMS = int64(why.Retry / time.Millisecond)
	}
	return p
}

// refusalOf turns an error of the decoder into what a client is told.
func refusalOf(err error) *domain.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return &domain.Error{Code: domain.Code(e.Code), Message: e.Message}
	}
	return domain.Refuse(domain.Invalid, "The request is not valid.")
}

// refuse answers with a problem.
func (s *Server) refuse(w http.ResponseWriter, why *domain.Error) { s.refuseAs(w, why, 0) }

// refuseAs answers with a status of HTTP's own, where it has one that says more
// than that of the code; 0 is that of the code.
func (s *Server) refuseAs(w http.ResponseWriter, why *domain.Error, status int) {
	s.opt.Metrics.Errors.Get(string(why.Code)).Inc()
	p := problemOf(why)
	if status != 0 {
		p.Status = status
	}
	h := w.Header()
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="merchantim"`)
	}
	if p.Retry {
		h.Set("Retry-After", strconv.FormatInt(max(1, (p.RetryMS+999)/1000), 10))
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers always can
		s.opt.Log.Error("problem not encoded", "err", err)
	}
	write(w, p.Status, "application/problem+json", body)
}

// writeTime is how long a client may take to read an answer.
const writeTime = 30 * time.Second

// write answers. Nothing is kept by caches unless the header already says so.
func write(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if len(body) > 0 {
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	// A recorder in a test has no deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone hears nothing
}
