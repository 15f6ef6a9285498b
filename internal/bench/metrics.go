package bench

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Gauges that say whether the server still works on what it has answered.
const (
	lagMetric     = "merchantim_stage_lag"
	pendingMetric = "merchantim_store_pending_bytes"
)

// backlog is what a server still has to do.
type backlog struct {
	lag     float64 // records that some stage has not handled
	pending float64 // bytes that the store writer has not written
}

// parseBacklog reads the backlog from Prometheus text. A server that does not
// export both gauges cannot be measured: its CPU would be counted too early.
func parseBacklog(r io.Reader) (backlog, error) {
	var b backlog
	lags, pendings := 0, 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, ok := parseSample(lines.Text())
		if !ok {
			continue
		}
		switch name {
		case lagMetric:
			lags++
			b.lag += value
		case pendingMetric:
			pendings++
			b.pending += value
		}
	}
	if err := lines.Err(); err != nil {
		return b, err
	}
	if lags == 0 || pendings == 0 {
		return b, fmt.Errorf("the metrics lack %s or %s", lagMetric, pendingMetric)
	}
	return b, nil
}

// parseSample reads `name{labels} value`; comments and blank lines are none.
func parseSample(line string) (name string, value float64, ok bool) {
	if line == "" || line[0] == '#' {
		return "", 0, false
	}
	end := strings.IndexAny(line, "{ ")
	if end < 0 {
		return "", 0, false
	}
	name = line[:end]
	if line[end] == '{' {
		end = strings.LastIndexByte(line, '}')
		if end < 0 {
			return "", 0, false
		}
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) == 0 {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(fields[0], 64)
	return name, value, err == nil
}
