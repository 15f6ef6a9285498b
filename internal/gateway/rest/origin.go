package rest

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Pages of other origins reach the short link where they may open a long link:
// a browser asks for it by the rules of CORS. A token, never a cookie, says who
// asks, so an origin that is not allowed is merely not told the answer.

// crossOrigin lets the pages of allowed origins read answers, and answers their
// browsers' questions beforehand. True: it was such a question.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !s.allowed(origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-None-Match")
	h.Set("Access-Control-Max-Age", "7200")
	write(w, http.StatusNoContent, "", nil)
	return true
}

// allowed matches an origin as the long link does: "*" stands for a part of the
// host.
func (s *Server) allowed(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	shown := strings.ToLower(u.Scheme + "://" + u.Host)
	for _, pattern := range s.opt.Origins {
		if ok, err := path.Match(strings.ToLower(pattern), shown); err == nil && ok {
			return true
		}
	}
	return false
}
