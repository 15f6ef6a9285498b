// Package rest is the short link: HTTP requests that mean what the frames of
// the long link mean, for clients whose long link fails, and for whoever has
// only curl. docs/rest.md tells how to use it, docs/openapi.json is made of it.
//
// What it promises. Every request ends in the same use-case as its frame, is
// read by the same decoder (package wire) with the same limits, and is answered
// with the same JSON; nothing is decided here. Every refusal is an RFC 9457
// problem with the code that the long link has. The description is made of the
// table that also serves (see operations), so neither can lag behind the other.
//
// What it refuses. It holds no state of a client between two requests. A change
// that is not answered in time is `unavailable`: outcome unknown, ask again with
// the same key. Waiters, pollers and requests are bounded; who is above the
// bound is told to come back.
package rest
