package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// call is one request, read and checked.
type call struct {
	*Server
	w http.ResponseWriter
	r *http.Request

	user    domain.UserID
	expires time.Time
	numbers map[string]uint64 // parameters, with their defaults
	texts   map[string]string // parameters that were given
	named   []string          // users named by a parameter that may be repeated
	frame   wire.Frame        // of the body
	status  int               // of a refusal that HTTP has a word of its own for
}

// read checks who asks and reads all that the operation wants.
func (c *call) read(op *operation) *domain.Error {
	if !op.public {
		if refusal := c.who(); refusal != nil {
			return refusal
		}
	}
	if refusal := c.params(op); refusal != nil {
		return refusal
	}
	if op.body != nil {
		if refusal := c.body(op); refusal != nil {
			return refusal
		}
	}
	// A deadline that passes later would look like a client that went away.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	return nil
}

// who reads the token. There is no hello before it: whoever has a good one
// exists from his first request on.
func (c *call) who() *domain.Error {
	user, expires, err := c.opt.Verify(bearer(c.r))
	if err != nil {
		return domain.Refuse(domain.Unauthenticated, "The token is not valid.")
	}
	if err := c.opt.Welcome(c.ctx(), user); err != nil {
		c.opt.Log.Error("welcome failed", "err", err)
		return domain.Refuse(domain.Unavailable, "The server cannot welcome you now.")
	}
	c.user, c.expires = user, expires
	return nil
}

// params reads the parameters by their table. Of one that comes twice the last
// counts, unless it may be repeated; an empty one is not given.
func (c *call) params(op *operation) *domain.Error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return domain.Refuse(domain.Invalid, "The query is not valid.")
	}
	c.numbers, c.texts = make(map[string]uint64), make(map[string]string)
	for i := range op.params {
		p := &op.params[i]
		if p.many > 0 {
			if refusal := c.list(p, query[p.name]); refusal != nil {
				return refusal
			}
			continue
		}
		var text string
		switch p.in {
		case inPath:
			text = chi.URLParam(c.r, p.name)
		case inHeader:
			text = c.r.Header.Get(p.name)
		default:
			if all := query[p.name]; len(all) > 0 {
				text = all[len(all)-1]
			}
		}
		if refusal := c.param(p, text); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (c *call) param(p *param, text string) *domain.Error {
	switch {
	case text == "" && p.required:
		return domain.Refuse(domain.Invalid, "%s is missing.", p.name)
	case text == "":
		if p.valid == nil && p.byDefault > 0 {
			c.numbers[p.name] = p.byDefault
		}
	case p.valid != nil:
		if !p.valid(text) {
			return domain.Refuse(domain.Invalid, "%s %s.", p.name, p.what)
		}
		c.texts[p.name] = text
	default:
		n, err := wire.Number(p.name, text, p.min, p.max)
		if err != nil {
			return refusalOf(err)
		}
		c.numbers[p.name] = n
	}
	return nil
}

// list reads a parameter that may be repeated.
func (c *call) list(p *param, all []string) *domain.Error {
	if len(all) > p.many {
		return domain.Refuse(domain.Invalid, "%s comes too often; at most %d times.", p.name, p.many)
	}
	for _, text := range all {
		if text == "" {
			continue
		}
		if !p.valid(text) {
			return domain.Refuse(domain.Invalid, "%s %s.", p.name, p.what)
		}
		c.named = append(c.named, text)
	}
	return nil
}

// limit is the size of the page that is asked for.
func (c *call) limit() int { return int(c.numbers["limit"]) }

// conversation is the one in the path.
func (c *call) conversation() domain.ConversationID {
	id, _ := wire.ParseUUID(c.texts[conversationParam.name]) // it was checked
	return id
}

// body reads the body as the long link would read the fields of a frame.
func (c *call) body(op *operation) *domain.Error {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		c.status = http.StatusUnsupportedMediaType
		return domain.Refuse(domain.Invalid, "The body must be JSON, and Content-Type say so.")
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, wire.MaxMessage))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return domain.Refuse(domain.TooLarge, "The body has more than %d bytes.", wire.MaxMessage)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.status = http.StatusRequestTimeout
		}
		return domain.Refuse(domain.Invalid, "The body could not be read.")
	}
	var dec wire.Decoder
	out := wire.Outside{Conversation: c.texts[conversationParam.name], Key: c.texts[keyParam.name], Token: bearer(c.r)}
	if err := dec.Body(op.kind, text, out, &c.frame); err != nil {
		return refusalOf(err)
	}
	return nil
}

// reply answers with JSON that is ready.
func (c *call) reply(body []byte) *domain.Error {
	write(c.w, http.StatusOK, "application/json", body)
	return nil
}

// change hands something to the log and waits for the answer of a stage, which
// is the frame that the long link would have got.
func (c *call) change(put func(origin domain.Origin, w *waiter) *domain.Error) ([]byte, *domain.Error) {
	w, ok := c.links.wait()
	if !ok {
		return nil, &domain.Error{Code: domain.Overloaded, Message: "Too many changes are unanswered.", Retry: time.Second}
	}
	defer c.links.drop(w)
	if refusal := put(domain.Origin{Node: c.opt.Node, Conn: w.id}, w); refusal != nil {
		return nil, refusal
	}
	late := time.NewTimer(c.opt.AnswerTime)
	defer late.Stop()
	select {
	case a := <-w.answer:
		return wire.Bare(a.frame), a.refusal
	case <-late.C:
	case <-c.r.Context().Done(): // nobody reads the answer
	}
	return nil, domain.Refuse(domain.Unavailable, "There is no answer yet; ask again with the same key.")
}
