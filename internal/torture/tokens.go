package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/merchantim/merchantim/internal/torture/load"
)

// sign gives every user of the cast a token, over the admin listener as an
// operator would.
func sign(ctx context.Context, admin, data string, cast []load.User) error {
	key, err := os.ReadFile(filepath.Join(data, "keys", "admin.key"))
	if err != nil {
		return err
	}
	var names []string
	for _, u := range cast {
		names = append(names, u.Name)
	}
	body, err := json.Marshal(map[string]any{"users": names, "ttl": "24h"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+admin+"/admin/tokens", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	var answer struct {
		Tokens map[string]string `json:"tokens"`
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("asking for tokens: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	for i := range cast {
		if cast[i].Token = answer.Tokens[cast[i].Name]; cast[i].Token == "" {
			return fmt.Errorf("no token for %s", cast[i].Name)
		}
	}
	return nil
}
