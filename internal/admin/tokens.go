package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/auth"
)

const (
	// MaxUsers is the most users of one request for tokens.
	MaxUsers = 10_000
	// DefaultTTL is how long a token lives if the request does not say.
	DefaultTTL = 30 * 24 * time.Hour
	// maxBody holds MaxUsers ids of the longest kind.
	maxBody = 1 << 20
)

type tokensRequest struct {
	Users []string `json:"users"`
	TTL   string   `json:"ttl,omitempty"`
}

type tokensAnswer struct {
	Tokens map[string]string `json:"tokens"`
}

// tokens makes the users that are not there yet, and a token for each.
func (a api) tokens(w http.ResponseWriter, r *http.Request) {
	users, ttl, err := readTokens(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is over %d bytes.", maxBody))
		return
	case err != nil:
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	answer := tokensAnswer{Tokens: make(map[string]string, len(users))}
	for _, user := range users {
		if answer.Tokens[user], err = a.Keys.Mint(user, ttl); err != nil {
			logger(r).Error("minting a token failed", "error", err)
			fail(w, r, http.StatusInternalServerError, "The token could not be made.")
			return
		}
	}
	if err := a.Users.Ensure(r.Context(), users); err != nil {
		logger(r).Error("storing users failed", "error", err)
		fail(w, r, http.StatusServiceUnavailable, "The users could not be stored now. Try again.")
		return
	}
	logger(r).Info("tokens made", "count", len(users), "ttl", ttl)
	reply(w, answer)
}

// readTokens reads a request and returns its users sorted, each once.
func readTokens(body io.Reader) ([]string, time.Duration, error) {
	var req tokensRequest
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return nil, 0, fmt.Errorf("the body is not a request for tokens: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("the body holds more than a request for tokens")
	}
	if len(req.Users) == 0 || len(req.Users) > MaxUsers {
		return nil, 0, fmt.Errorf("users: name 1 to %d", MaxUsers)
	}
	for i, user := range req.Users {
		if err := auth.CheckUser(user); err != nil {
			return nil, 0, fmt.Errorf("users[%d]: %w", i, err)
		}
	}
	ttl := DefaultTTL
	if req.TTL != "" {
		var err error
		if ttl, err = time.ParseDuration(req.TTL); err != nil || ttl <= 0 || ttl > auth.MaxTTL {
			return nil, 0, fmt.Errorf("ttl: %q is not a time above 0 and up to %v, such as 720h", req.TTL, auth.MaxTTL)
		}
	}
	slices.Sort(req.Users)
	return slices.Compact(req.Users), ttl, nil
}
