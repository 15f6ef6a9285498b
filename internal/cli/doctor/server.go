package doctor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/auth"
)

// answerTime is how long a live server may take to tell its status.
const answerTime = 5 * time.Second

func keys(dir string) Finding {
	_, err := os.Stat(filepath.Join(dir, "keys"))
	if errors.Is(err, fs.ErrNotExist) {
		return found("keys", OK, "not there yet; the first start makes them")
	}
	if err := auth.Check(dir); err != nil {
		return found("keys", Wrong, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return found("keys", OK, "there, and readable by their owner only")
}

func server(ctx context.Context, dir string) Finding {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	client, ports, err := admin.Find(dir)
	switch {
	case errors.Is(err, admin.ErrNoServer):
		return found("server", OK, "none runs on this data folder")
	case errors.Is(err, admin.ErrStarting):
		return found("server", Doubt, "%v", err)
	case err != nil:
		return found("server", Wrong, "it cannot be asked: %v", err)
	}
	s, err := client.Status(ctx)
	if err != nil {
		return found("server", Wrong, "one has the data folder and does not answer: %v", err)
	}
	state, lag := OK, []string{}
	for _, stage := range slices.Sorted(maps.Keys(s.StageLag)) {
		lag = append(lag, stage+" "+strconv.FormatInt(s.StageLag[stage], 10))
	}
	if !s.Ready {
		state = Wrong
	}
	return found("server", state, "version %s (pid %d) at %s, ready: %v, up %v, %d connections, lag: %s",
		s.Version, s.PID, ports.Listen, s.Ready, time.Duration(s.UptimeSeconds)*time.Second, s.Connections,
		strings.Join(lag, ", "))
}

// listener doubts an admin address that other machines may reach: health and
// metrics are open there.
func listener(addr string) Finding {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return found("admin", Wrong, "%v", err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
		return found("admin", OK, "%s is not reached from outside", addr)
	}
	return found("admin", Doubt, "%s: others may reach it and read health and metrics without a key", addr)
}
