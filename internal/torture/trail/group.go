package trail

import (
	"encoding/json"
	"slices"
)

// Content is the content of an entry: a text, nothing (void), or what an entry
// of a group's own says of it.
type Content struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`

	Title   string   `json:"title,omitempty"`
	Members []string `json:"members,omitempty"`
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Mode    string   `json:"mode,omitempty"`
}

// Equal compares all of two contents.
func (c Content) Equal(o Content) bool {
	return c.Type == o.Type && c.Text == o.Text && c.Title == o.Title && c.Mode == o.Mode &&
		slices.Equal(c.Members, o.Members) && slices.Equal(c.Added, o.Added) && slices.Equal(c.Removed, o.Removed)
}

// The types of the entries that a group's chain has besides messages.
const (
	Created   = "created"
	Members   = "members"
	Diffusion = "diffusion"
)

// Own reports whether the entry is one of a group's own: not a message, not
// counted, without a key.
func (e Entry) Own() bool {
	return e.Content != nil && (e.Content.Type == Created || e.Content.Type == Members || e.Content.Type == Diffusion)
}

// Joins reports whether the entry brings a user in.
func (e Entry) Joins(user string) bool {
	return e.Content != nil && (e.Content.Type == Created && slices.Contains(e.Content.Members, user) ||
		e.Content.Type == Members && slices.Contains(e.Content.Added, user))
}

// Leaves reports whether the entry takes a user out.
func (e Entry) Leaves(user string) bool {
	return e.Content != nil && e.Content.Type == Members && slices.Contains(e.Content.Removed, user)
}

// HeadOf is the newest index of a large group.
type HeadOf struct {
	Conversation string `json:"conversation"`
	Index        int64  `json:"index"`
}

// Person is a member; as a bare name, without Role, a string in JSON.
type Person struct {
	User  string
	Role  string
	Since int64
}

// People are bare names.
func People(names []string) []Person {
	people := make([]Person, len(names))
	for i, n := range names {
		people[i].User = n
	}
	return people
}

// Names of people.
func Names(people []Person) []string {
	names := make([]string, len(people))
	for i, p := range people {
		names[i] = p.User
	}
	return names
}

type person struct {
	User  string `json:"user"`
	Role  string `json:"role"`
	Since int64  `json:"since,omitempty"`
}

// MarshalJSON writes a bare name as a string.
func (p Person) MarshalJSON() ([]byte, error) {
	if p.Role == "" {
		return json.Marshal(p.User)
	}
	return json.Marshal(person(p))
}

// UnmarshalJSON reads both forms.
func (p *Person) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*p = Person{}
		return json.Unmarshal(b, &p.User)
	}
	var q person
	err := json.Unmarshal(b, &q)
	*p = Person(q)
	return err
}
