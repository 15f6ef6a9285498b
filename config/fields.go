package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one setting: its path as files write it ("journal.segment_bytes")
// and its place in a Config.
type field struct {
	path  string
	value reflect.Value
}

// env is the name of the variable that sets the field.
func (f field) env() string {
	return "MERCHANTIM_" + strings.ToUpper(strings.ReplaceAll(f.path, ".", "_"))
}

// fields lists every setting of c in the order of declaration.
func fields(c *Config) []field {
	return walk(reflect.ValueOf(c).Elem(), "")
}

func walk(section reflect.Value, prefix string) []field {
	var all []field
	for i := range section.NumField() {
		path := prefix + section.Type().Field(i).Tag.Get("key")
		if value := section.Field(i); value.Kind() == reflect.Struct {
			all = append(all, walk(value, path+".")...)
		} else {
			all = append(all, field{path: path, value: value})
		}
	}
	return all
}

// set gives the field a raw value as a file, a variable or a flag delivers it.
func (f field) set(raw any) error {
	switch p := f.value.Addr().Interface().(type) {
	case *string:
		s, ok := raw.(string)
		if !ok {
			return fmt.Errorf("%v is not a text", raw)
		}
		*p = s
		return nil
	case *[]string:
		list, err := parseList(raw)
		*p = list
		return err
	case *time.Duration:
		d, err := parseDuration(raw)
		*p = d
		return err
	case *Bytes:
		b, err := parseSize(raw)
		*p = b
		return err
	default:
		return f.setNumber(raw)
	}
}

func (f field) setNumber(raw any) error {
	n, err := parseInt(raw)
	if err != nil {
		return err
	}
	switch {
	case f.value.CanInt() && !f.value.OverflowInt(n):
		f.value.SetInt(n)
	case f.value.CanUint() && n >= 0 && !f.value.OverflowUint(uint64(n)):
		f.value.SetUint(uint64(n))
	default:
		return fmt.Errorf("%d is out of range", n)
	}
	return nil
}

// parseList takes a list, or one text with commas between the items.
func parseList(raw any) ([]string, error) {
	switch v := raw.(type) {
	case []string:
		return v, nil
	case string:
		items := strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
		for i := range items {
			items[i] = strings.TrimSpace(items[i])
		}
		return items, nil
	case []any:
		items := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, fmt.Errorf("%v is not a text", v[i])
			}
			items[i] = s
		}
		return items, nil
	}
	return nil, fmt.Errorf("%v is not a list of texts", raw)
}

// parseDuration refuses a bare number: nobody knows its unit.
func parseDuration(raw any) (time.Duration, error) {
	switch v := raw.(type) {
	case time.Duration:
		return v, nil
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%v is not a time with its unit, such as 700us, 5s or 1h", raw)
}

func parseSize(raw any) (Bytes, error) {
	switch v := raw.(type) {
	case Bytes:
		return v, nil
	case string:
		return ParseBytes(v)
	}
	n, err := parseInt(raw)
	if err == nil && n < 0 {
		err = errors.New("a size is not negative")
	}
	return Bytes(n), err
}

func parseInt(raw any) (int64, error) {
	switch v := reflect.ValueOf(raw); {
	case raw == nil:
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return int64(v.Uint()), nil
	case v.CanFloat() && v.Float() == math.Trunc(v.Float()) && math.Abs(v.Float()) < 1<<53:
		return int64(v.Float()), nil // JSON has no other numbers
	case v.Kind() == reflect.String:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%v is not a whole number", raw)
}
