// Package wire is the text of the long link, subprotocol merchantim.v1.json:
// the frames of docs/protocol.md, read and written; and that of the short link,
// whose bodies are the same JSON without a frame around it. It knows nothing of
// sockets, users or storage.
//
// What it promises. A Decoder reads a client's frame in one pass without
// allocating, and every field that it hands out has passed the rules of the
// protocol: identifiers have their form, numbers their range, text is valid
// UTF-8. It never panics, whatever the bytes. The Append functions write one
// frame without a newline, append-style and without allocating; frames are
// joined with '\n' by whoever owns the connection.
//
// How JSON is read. As RFC 8259 says, with four choices: the last of two equal
// keys wins; keys are compared with their case; null is the same as absent;
// fields that a frame's type does not have are ignored whatever they hold, as
// long as the whole is valid JSON, valid UTF-8 and nested at most MaxDepth
// deep. An escape for half of a surrogate pair is refused, not replaced: a
// message is never changed on its way.
//
// What it refuses. It does not know the configured limit of a text's length,
// does not check tokens, and writes what it is given: strings handed to an
// Append function must be valid UTF-8, content must be valid JSON on one line.
package wire
