package trail

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Members are names where they are asked for, and people where they are told.
func TestPerson(t *testing.T) {
	for raw, want := range map[string]Person{
		`"bob"`: {User: "bob"},
		`{"user":"bob","role":"owner","since":7}`: {User: "bob", Role: "owner", Since: 7},
	} {
		var got Person
		if err := json.Unmarshal([]byte(raw), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if again, err := json.Marshal(got); err != nil || string(again) != raw {
			t.Errorf("%s became %s: %v", raw, again, err)
		}
	}
	var p Person
	if json.Unmarshal([]byte(`7`), &p) == nil {
		t.Error("a number is no person")
	}
}

func TestGroupEntries(t *testing.T) {
	created := Entry{Content: &Content{Type: Created, Members: []string{"alice", "bob"}}}
	members := Entry{Content: &Content{Type: Members, Added: []string{"carol"}, Removed: []string{"bob"}}}
	for _, c := range []struct {
		name string
		got  bool
		want bool
	}{
		{"created has its members join", created.Joins("bob"), true},
		{"and nobody else", created.Joins("carol"), false},
		{"added joins", members.Joins("carol"), true},
		{"removed does not", members.Joins("bob"), false},
		{"removed leaves", members.Leaves("bob"), true},
		{"added does not", members.Leaves("carol"), false},
		{"a receipt is none of a group's own", Entry{}.Own(), false},
		{"a text is none", Entry{Content: &Content{Type: "text"}}.Own(), false},
		{"created is one", created.Own(), true},
		{"contents differ", created.Content.Equal(*members.Content), false},
		{"a content is itself", members.Content.Equal(*members.Content), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", c.name, c.got)
		}
	}
}
