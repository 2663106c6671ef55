package tidegate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"example.com/{{name}}-plugin/internal/wit/export_tidegate_plugin_settings"
	wit_settings "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_settings"
	wit "example.com/{{name}}-plugin/internal/wit/types"
)

// Issues are the mistakes in settings.
type Issues struct{ found []wit_settings.Issue }

// Add reports a mistake. The pointer is the JSON Pointer to the wrong value, such as `/marker`.
func (issues *Issues) Add(pointer, message string) {
	issues.found = append(issues.found, wit_settings.Issue{Pointer: pointer, Message: message})
}

// exportSettings validates settings: JSON over the defaults, and then the method `Check(*Issues)` if they have it.
func exportSettings[S any](defaults S) {
	export_tidegate_plugin_settings.Validate = func(text string) wit.Result[string, []wit_settings.Issue] {
		type canonical struct {
			text   string
			issues []wit_settings.Issue
		}
		validated := guard(func() (canonical, error) {
			settings, issues := decode(defaults, text)
			return canonical{string(encode(settings)), issues}, nil
		})
		if validated.IsErr() {
			message := validated.Err().Message
			return wit.Err[string]([]wit_settings.Issue{{Message: message}})
		}
		if issues := validated.Ok().issues; len(issues) > 0 {
			return wit.Err[string](issues)
		}
		return wit.Ok[string, []wit_settings.Issue](validated.Ok().text)
	}
}

// decodeRun decodes the settings of a run, which were validated before.
func decodeRun[S any](defaults S, run Run) (S, error) {
	settings, issues := decode(defaults, run.Settings)
	if len(issues) > 0 {
		return settings, &Failure{Code: "settings", Message: issues[0].Message, Rule: issues[0].Pointer}
	}
	return settings, nil
}

func decode[S any](defaults S, text string) (S, []wit_settings.Issue) {
	var settings S
	var known, given map[string]json.RawMessage
	base := encode(defaults)
	for _, into := range []any{&settings, &known} {
		if err := json.Unmarshal(base, into); err != nil {
			panic(fmt.Sprintf("the defaults of the settings are no object of JSON: %v", err))
		}
	}
	issues := &Issues{}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		issues.Add("", "use an object")
		return settings, issues.found
	}
	for _, name := range sorted(given) {
		if _, isKnown := known[name]; !isKnown {
			message := "unknown setting; the plugin has none"
			if len(known) > 0 {
				message = "unknown setting; the plugin has `" + strings.Join(sorted(known), "`, `") + "`"
			}
			issues.Add("/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), message)
		}
	}
	if len(issues.found) > 0 {
		return settings, issues.found
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) {
			issues.Add("/"+strings.ReplaceAll(mismatch.Field, ".", "/"), "use "+jsonType(mismatch.Type))
		} else {
			issues.Add("", strings.TrimPrefix(err.Error(), "json: "))
		}
		return settings, issues.found
	}
	if checked, ok := any(&settings).(interface{ Check(*Issues) }); ok {
		checked.Check(issues)
	}
	return settings, issues.found
}

func encode(settings any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(settings); err != nil {
		panic(fmt.Sprintf("the settings cannot be written as JSON: %v", err))
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

func sorted(members map[string]json.RawMessage) []string {
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func jsonType(goType reflect.Type) string {
	switch goType.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number in the range of " + goType.String()
	}
}
