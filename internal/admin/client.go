package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/merchantim/merchantim/internal/auth"
)

// ErrNoServer: no server runs on the data folder.
var ErrNoServer = errors.New("no server runs on this data folder")

// ErrStarting: a server has the data folder and does not listen yet, or no more.
var ErrStarting = errors.New("the server is starting or stopping")

// maxAnswer holds MaxUsers tokens.
const maxAnswer = 16 << 20

// Client talks to a live server's admin listener. It may be used concurrently.
type Client struct {
	base string
	key  string
	http http.Client
}

// NewClient is for a server at addr (host:port) whose admin key is known.
func NewClient(addr, key string) *Client {
	return &Client{base: "http://" + addr, key: key, http: http.Client{
		Timeout: time.Minute,
		// No proxy, no redirect: the key goes to the server and nowhere else.
		// No idle connection: a Client needs no Close.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Find returns a client of the server that runs on a data folder, and the
// addresses that the server is bound to. ErrNoServer or ErrStarting if there
// is none to talk to.
func Find(data string) (*Client, Ports, error) {
	held, err := claimed(data)
	if err != nil {
		return nil, Ports{}, err
	}
	if !held {
		return nil, Ports{}, fmt.Errorf("%w (%s)", ErrNoServer, data)
	}
	ports, err := ReadPorts(filepath.Join(data, portsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Ports{}, fmt.Errorf("%w (%s)", ErrStarting, data)
	}
	if err != nil {
		return nil, Ports{}, err
	}
	key, err := auth.AdminKey(data)
	if err != nil {
		return nil, Ports{}, err
	}
	return NewClient(ports.Admin, key), ports, nil
}

// Tokens makes a token for each user, and the users that are not there yet.
// ttl 0 is DefaultTTL.
func (c *Client) Tokens(ctx context.Context, users []string, ttl time.Duration) (map[string]string, error) {
	req := tokensRequest{Users: users}
	if ttl != 0 {
		req.TTL = ttl.String()
	}
	body, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	var answer tokensAnswer
	err = c.do(ctx, http.MethodPost, "/admin/tokens", bytes.NewReader(body), &answer)
	return answer.Tokens, err
}

// Status asks the server how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, http.MethodGet, "/admin/status", nil, &s)
	return s, err
}

// Letters asks for up to limit dead letters after the one with that id; "":
// from the first.
func (c *Client) Letters(ctx context.Context, after string, limit int) (Letters, error) {
	query := url.Values{"after": {after}, "limit": {strconv.Itoa(limit)}}
	var page Letters
	err := c.do(ctx, http.MethodGet, "/admin/dead?"+query.Encode(), nil, &page)
	return page, err
}

// Letter asks for one dead letter.
func (c *Client) Letter(ctx context.Context, id string) (Letter, error) {
	var l Letter
	err := c.do(ctx, http.MethodGet, "/admin/dead/"+url.PathEscape(id), nil, &l)
	return l, err
}

// Replay has a parked record taken after all.
func (c *Client) Replay(ctx context.Context, id string) (Replayed, error) {
	var done Replayed
	err := c.do(ctx, http.MethodPost, "/admin/dead/"+url.PathEscape(id)+"/replay", nil, &done)
	return done, err
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, answer any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	d := json.NewDecoder(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode != http.StatusOK {
		var p problem
		if d.Decode(&p) != nil || p.Detail == "" {
			p.Detail = "no merchantim admin listener answers there"
		}
		return fmt.Errorf("admin: %s: %s", res.Status, p.Detail)
	}
	if err := d.Decode(answer); err != nil {
		return fmt.Errorf("admin: reading the answer: %w", err)
	}
	return nil
}
