// Package demo is the command that lets people chat in terminals, two or a
// group: one line typed is one message. It needs nothing of a terminal but lines.
//
// It stands where the server's data folder is: it finds the server by it and
// makes its own token with the admin key. It promises what internal/client
// does, and shows it: what is typed while the server is away is kept and sent
// when it is back, nothing is shown twice, and where the long link is cut the
// chat goes on over the short one.
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/merchantim/merchantim/internal/admin"
	"github.com/merchantim/merchantim/internal/client"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// tokenTTL is how long a token of the demo lives; each link gets a new one.
const tokenTTL = 24 * time.Hour

type options struct {
	as, group    string
	with         []string
	server, data string
	say          string
	count        int
	history      int
}

// Command is `merchantim demo`.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "demo --as alice --with bob",
		Short: "Chat with other users in the terminal",
		Long: `Chat with another user in the terminal: each line that you type is a message.
Run it again in another terminal with the names exchanged, and stop and start
the server in between as you like. Ctrl-D ends it.

With --group, the chat is that of a group: of the one with this name that you
are in, or else of a new one with everybody that --with names.

It needs the data folder of a server on this machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.as, "as", "", "who you are")
	flags.StringArrayVar(&o.with, "with", nil, "whom you talk with; of a group, several times")
	flags.StringVar(&o.group, "group", "", "name of the group to talk in")
	flags.StringVar(&o.server, "server", "", "address of the server, such as ws://127.0.0.1:8080 (default: found in the data folder)")
	flags.StringVar(&o.data, "data", "./data", "folder of the server's data")
	flags.IntVar(&o.history, "history", 20, "how many earlier messages to show, at most 200")
	flags.StringVar(&o.say, "say", "", "send this text and end, without a chat")
	flags.IntVar(&o.count, "count", 1, "how many times to send it, numbered")
	return cmd
}

func (o *options) check() error {
	if err := o.names(); err != nil {
		return err
	}
	switch {
	case o.count < 1:
		return errors.New("--count is at least 1")
	case o.history < 0 || o.history > wire.MaxHistory:
		return fmt.Errorf("--history is 0 to %d", wire.MaxHistory)
	}
	return nil
}

// names checks who is named.
func (o *options) names() error {
	const how = "needs a name of 1 to 64 characters of a-z A-Z 0-9 . _ -, such as: merchantim demo --as alice --with bob"
	if !wire.ValidUser([]byte(o.as)) {
		return errors.New("--as " + how)
	}
	for _, name := range o.with {
		if !wire.ValidUser([]byte(name)) {
			return errors.New("--with " + how)
		}
	}
	switch {
	case o.group == "" && len(o.with) == 0:
		return errors.New("--with " + how)
	case o.group == "" && len(o.with) > 1:
		return errors.New("with several people you talk in a group: give it a name with --group")
	case slices.Contains(o.with, o.as):
		return errors.New("--as and --with are the same person; who is the other one?")
	case o.group != "" && !wire.ValidKey([]byte(o.group)):
		return errors.New("--group needs a name of 1 to 64 printable ASCII characters without \" and \\")
	case len(o.with) > wire.MaxNamed:
		return fmt.Errorf("--with names at most %d", wire.MaxNamed)
	}
	return nil
}

// misuse is an error in how the command was called.
type misuse struct{ error }

func (misuse) ExitCode() int { return 2 }

func (o *options) run(cmd *cobra.Command) error {
	if err := o.check(); err != nil {
		return misuse{err}
	}
	_, ports, err := admin.Find(o.data)
	if errors.Is(err, admin.ErrNoServer) {
		return fmt.Errorf("%w\nStart one in another terminal and try again:\n\n  %s serve --data %s", err, os.Args[0], o.data)
	}
	if err != nil {
		return err
	}
	if o.server == "" {
		o.server = "ws://" + reachable(ports.Listen)
	}
	states := newStates()
	c, err := client.New(client.Options{
		URL: o.server, Token: o.token, Device: "demo", FromNow: true, OnState: states.set,
		BackOff: client.BackOff{Base: 100 * time.Millisecond, Max: 2 * time.Second}, // somebody sits and waits
	})
	if err != nil {
		return err
	}
	chat := &chat{options: *o, client: c, states: states, out: cmd.OutOrStdout()}
	if o.say != "" {
		err = chat.sayAll(cmd.Context())
	} else {
		err = chat.run(cmd.Context(), cmd.InOrStdin())
	}
	return errors.Join(err, c.Close())
}

// token makes a token, and all users. The server is looked for each time: it
// may have been started again elsewhere.
func (o *options) token(ctx context.Context) (string, error) {
	a, _, err := admin.Find(o.data)
	if err != nil {
		return "", err
	}
	tokens, err := a.Tokens(ctx, append([]string{o.as}, o.with...), tokenTTL)
	return tokens[o.as], err
}

// reachable turns the address that a server is bound to into one to connect to.
func reachable(bound string) string {
	host, port, err := net.SplitHostPort(bound)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return bound
}
