package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// readyLimit is how long a recovery may take; longer counts as no recovery.
const readyLimit = 60 * time.Second

// ports are the addresses of a server that is ready.
type ports struct {
	Listen string `json:"listen"`
	Admin  string `json:"admin"`
}

// errDied: the server ended without being killed.
var errDied = errors.New("the server ended by itself")

// life is one process of the server from its start to its end.
type life struct {
	no      int
	power   bool // it runs on storage that loses what is not synced
	started time.Time
	cmd     *exec.Cmd
	log     *os.File
	ports   string        // the file that it announces its addresses in
	ended   chan struct{} // closed when the process is gone
	err     error         // how it ended, once ended is closed
}

// birth is what a life begins with.
type birth struct {
	exe, dir   string
	no         int
	addrs      ports // zero: any
	power      bool
	fault      string
	seed       uint64
	partitions int  // of each topic; 0: as shipped
	narrow     bool // little is taken from each user
	large      int  // size above which a group is large
}

// narrow are the limits of a life that takes less than the load offers: of a
// user with the shipped rate about half of the sends.
var narrow = []string{
	"MERCHANTIM_LIMITS_SENDS_PER_SECOND=60", "MERCHANTIM_LIMITS_SENDS_BURST=20",
	"MERCHANTIM_LIMITS_REQUESTS_PER_SECOND=80", "MERCHANTIM_LIMITS_REQUESTS_BURST=40",
}

// spawn starts a server.
func spawn(b birth) (*life, error) {
	dir, addrs := b.dir, b.addrs
	l := &life{no: b.no, power: b.power, ports: filepath.Join(dir, "ports.json"), ended: make(chan struct{})}
	if err := os.Remove(l.ports); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if addrs == (ports{}) {
		addrs = ports{"127.0.0.1:0", "127.0.0.1:0"}
	}
	command := []string{"serve"}
	if b.power {
		command = []string{"torture-server", "--seed", fmt.Sprint(b.seed), "--break", b.fault}
	}
	l.cmd = exec.Command(b.exe, append(command, "--data", filepath.Join(dir, "data"),
		"--listen", addrs.Listen, "--admin", addrs.Admin, "--ports-file", l.ports)...)
	l.cmd.Env = append(os.Environ(), fmt.Sprint("MERCHANTIM_LIMITS_LARGE_GROUP_SIZE=", b.large))
	if b.narrow {
		l.cmd.Env = append(l.cmd.Env, narrow...)
	}
	if b.partitions > 0 {
		l.cmd.Env = append(l.cmd.Env, fmt.Sprint("MERCHANTIM_PIPELINE_SINGLE_PARTITIONS=", b.partitions),
			fmt.Sprint("MERCHANTIM_PIPELINE_MIXED_PARTITIONS=", b.partitions))
	}
	var err error
	if l.log, err = os.Create(filepath.Join(dir, "logs", fmt.Sprintf("server-%03d.log", b.no))); err != nil {
		return nil, err
	}
	l.cmd.Stdout, l.cmd.Stderr = l.log, l.log
	l.started = time.Now()
	if err := l.cmd.Start(); err != nil {
		return nil, errors.Join(err, l.log.Close())
	}
	go func() {
		l.err = l.cmd.Wait()
		_ = l.log.Close()
		close(l.ended)
	}()
	return l, nil
}

// ready waits until the server serves and returns its addresses. errDied if it
// ends before.
func (l *life) ready(ctx context.Context) (ports, error) {
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-l.ended:
			return ports{}, fmt.Errorf("%w before it was ready (%v), see %s", errDied, l.err, l.log.Name())
		case <-ctx.Done():
			return ports{}, ctx.Err()
		case <-poll.C:
		}
		if time.Since(l.started) > readyLimit {
			return ports{}, fmt.Errorf("%w: not ready after %v, see %s", errDied, readyLimit, l.log.Name())
		}
		data, err := os.ReadFile(l.ports)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var p ports
		if err == nil {
			err = json.Unmarshal(data, &p)
		}
		return p, err
	}
}

// wait passes the time d, unless the server ends (errDied) or ctx.
func (l *life) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.ended:
		return fmt.Errorf("%w (%v), see %s", errDied, l.err, l.log.Name())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop tells the server to stop and gives it the time d for it. errDied if it
// ends with another code than 0.
func (l *life) stop(ctx context.Context, d time.Duration) error {
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("%w: %w", errDied, err)
	}
	err := l.wait(ctx, d)
	if errors.Is(err, errDied) && l.err == nil {
		return nil
	}
	return err
}

// kill is kill -9; it returns when the process is gone.
func (l *life) kill() {
	_ = l.cmd.Process.Kill() // an error says that it is gone already
	<-l.ended
}
