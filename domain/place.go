package domain

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is a record's place in a topic of the log. It names a dead letter for
// ever; in text it is incarnation-partition-offset.
type Place struct {
	Partition int32
	Position  Position
}

func (p Place) String() string {
	return fmt.Sprintf("%d-%d-%d", p.Position.Incarnation, p.Partition, p.Position.Offset)
}

// ParsePlace reads what String wrote, and nothing else.
func ParsePlace(text string) (p Place, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return p, false
	}
	incarnation, err1 := strconv.ParseUint(parts[0], 10, 32)
	partition, err2 := strconv.ParseUint(parts[1], 10, 31)
	offset, err3 := strconv.ParseUint(parts[2], 10, 63)
	if err1 != nil || err2 != nil || err3 != nil {
		return p, false
	}
	p = Place{int32(partition), Position{uint32(incarnation), int64(offset)}}
	return p, p.String() == text
}
