package admin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/usecase"
)

// Dead are the records that could not be processed (usecase.Service does it).
type Dead interface {
	DeadLetters(ctx context.Context, after *domain.Place, limit int) ([]usecase.Dead, *domain.Error)
	DeadLetter(ctx context.Context, place domain.Place) (usecase.Dead, *domain.Error)
	Replay(ctx context.Context, place domain.Place) (usecase.Replayed, *domain.Error)
}

// Letter is a dead letter as an operator sees it: what was written in it is not
// told.
type Letter struct {
	ID           string    `json:"id"`
	Conversation string    `json:"conversation"`
	Void         uint64    `json:"void,omitempty"` // index of the entry in its place
	Bytes        int       `json:"bytes"`
	Fault        string    `json:"fault,omitempty"` // why this program cannot read it
	Kind         string    `json:"kind,omitempty"`
	From         string    `json:"from,omitempty"`
	Key          string    `json:"key,omitempty"`
	Accepted     time.Time `json:"accepted,omitzero"`
	State        string    `json:"state"`           // parked, refused or replayed
	Index        uint64    `json:"index,omitempty"` // replayed: of its entry
	Code         string    `json:"code,omitempty"`  // refused: why
	Reason       string    `json:"reason,omitempty"`
}

// Letters is a page. Next is where the one after it begins; "": there is none.
type Letters struct {
	Letters []Letter `json:"letters"`
	Next    string   `json:"next,omitempty"`
}

// Replayed is what became of a replay.
type Replayed struct {
	ID           string `json:"id"`
	Conversation string `json:"conversation"`
	Index        uint64 `json:"index,omitempty"` // of the entry; none: nothing was left to do
	Again        bool   `json:"again"`           // it had been done before
}

var kinds = map[record.Kind]string{
	record.Open: "open", record.Send: "send", record.Create: "create", record.Change: "change", record.Replay: "replay",
}

// NewLetter shows a dead letter.
func NewLetter(d *usecase.Dead) Letter {
	l := Letter{
		ID: d.Place.String(), Conversation: uuid.UUID(d.Conversation).String(), Void: d.Void, Bytes: len(d.Record),
		Fault: d.Fault, Kind: kinds[d.Kind], From: string(d.From), Key: string(d.Key),
		State: "parked", Index: d.Verdict.Index, Code: string(d.Verdict.Code), Reason: d.Verdict.Message,
	}
	if d.Fault == "" {
		l.Accepted = time.UnixMicro(d.At).UTC()
	}
	switch {
	case d.Verdict.Done:
		l.State = "replayed"
	case d.Verdict.Code != "":
		l.State = "refused"
	}
	return l
}

// NewLetters shows a page of up to limit dead letters.
func NewLetters(all []usecase.Dead, limit int) Letters {
	page := Letters{Letters: make([]Letter, len(all))}
	for i := range all {
		page.Letters[i] = NewLetter(&all[i])
	}
	if len(all) >= limit {
		page.Next = page.Letters[len(all)-1].ID
	}
	return page
}

func (a api) letters(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		fail(w, r, http.StatusBadRequest, "The query is not valid.")
		return
	}
	var after *domain.Place
	if text := query.Get("after"); text != "" {
		place, ok := domain.ParsePlace(text)
		if !ok {
			fail(w, r, http.StatusBadRequest, "after: not the id of a dead letter")
			return
		}
		after = &place
	}
	limit := usecase.MaxDead
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > usecase.MaxDead {
			fail(w, r, http.StatusBadRequest, fmt.Sprintf("limit: a number from 1 to %d", usecase.MaxDead))
			return
		}
	}
	all, refusal := a.Dead.DeadLetters(r.Context(), after, limit)
	if refusal != nil {
		refuse(w, r, refusal)
		return
	}
	reply(w, NewLetters(all, limit))
}

// place reads the id in the path; false: the answer is given.
func place(w http.ResponseWriter, r *http.Request) (domain.Place, bool) {
	p, ok := domain.ParsePlace(chi.URLParam(r, "id"))
	if !ok {
		fail(w, r, http.StatusBadRequest, "This is not the id of a dead letter.")
	}
	return p, ok
}

func (a api) letter(w http.ResponseWriter, r *http.Request) {
	p, ok := place(w, r)
	if !ok {
		return
	}
	d, refusal := a.Dead.DeadLetter(r.Context(), p)
	if refusal != nil {
		refuse(w, r, refusal)
		return
	}
	reply(w, NewLetter(&d))
}

// replay takes no body. Every wish has a line in the log.
func (a api) replay(w http.ResponseWriter, r *http.Request) {
	p, ok := place(w, r)
	if !ok {
		return
	}
	if n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1)); n > 0 || err != nil {
		fail(w, r, http.StatusBadRequest, "A replay takes no body.")
		return
	}
	audit := logger(r).With("by", "admin key", "from", r.RemoteAddr, "letter", p.String())
	done, refusal := a.Dead.Replay(r.Context(), p)
	if refusal != nil {
		audit.Warn("dead letter not replayed", "code", refusal.Code, "why", refusal.Message)
		refuse(w, r, refusal)
		return
	}
	answer := Replayed{ID: p.String(), Conversation: uuid.UUID(done.Conversation).String(), Index: done.Index, Again: done.Again}
	audit.Info("dead letter replayed", "conversation", answer.Conversation, "index", answer.Index, "again", answer.Again)
	reply(w, answer)
}

// statuses are those of the codes that the use-cases here refuse with.
var statuses = map[domain.Code]int{
	domain.Invalid: http.StatusBadRequest, domain.NotFound: http.StatusNotFound, domain.Conflict: http.StatusConflict,
	domain.Unavailable: http.StatusServiceUnavailable, domain.Overloaded: http.StatusServiceUnavailable,
}

func refuse(w http.ResponseWriter, r *http.Request, why *domain.Error) {
	status, known := statuses[why.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	fail(w, r, status, why.Message)
}
