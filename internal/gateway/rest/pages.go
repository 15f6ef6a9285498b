package rest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
)

//go:embed page
var page embed.FS

// pageRules keep the reference page to itself: it asks this server and nobody
// else, whatever stands in it.
const pageRules = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages serves the description and the reference page that is made of it.
func (s *Server) pages() error {
	s.file("/v1/openapi.json", "application/json", s.spec)
	for path, of := range map[string]struct{ file, kind string }{
		"/v1/docs":          {"page/index.html", "text/html; charset=utf-8"},
		"/v1/docs/page.js":  {"page/page.js", "text/javascript; charset=utf-8"},
		"/v1/docs/page.css": {"page/page.css", "text/css; charset=utf-8"},
	} {
		body, err := fs.ReadFile(page, of.file)
		if err != nil {
			return err
		}
		s.file(path, of.kind, body)
	}
	return nil
}

func (s *Server) file(path, kind string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	s.router.Get(path, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Security-Policy", pageRules)
		h.Set("Referrer-Policy", "no-referrer")
		if matches(r.Header.Values("If-None-Match"), tag) {
			write(w, http.StatusNotModified, "", nil)
			return
		}
		write(w, http.StatusOK, kind, body)
	})
}
