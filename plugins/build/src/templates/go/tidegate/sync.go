package tidegate

import (
	"fmt"

	"example.com/{{name}}-plugin/internal/wit/export_tidegate_plugin_sync"
	edge "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_edge"
	wit_sync "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_sync"
	wit_types "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_types"
	wit "example.com/{{name}}-plugin/internal/wit/types"
)

type (
	Edit         = wit_sync.Edit
	Entry        = wit_sync.Entry
	Extra        = wit_sync.Extra
	HeaderRule   = edge.HeaderRule
	RedirectRule = edge.RedirectRule
	Summary      = wit_sync.Summary
)

// SyncPlugin transforms what is published. There is one for each run.
type SyncPlugin interface {
	// Decide decides about at most 1,000 entries. Those without a decision stay unchanged. The host chooses the size of
	// batches, and answers must not depend on it.
	Decide(batch []Entry, decisions *Decisions) error
	// Finish follows the last batch, even if there was none.
	Finish() (Summary, error)
}

// ExportSync makes a component of a plugin. Call it in `init`.
func ExportSync[S any](defaults S, begin func(run Run, settings S) (SyncPlugin, error)) {
	exportSettings(defaults)
	var plugin SyncPlugin
	export_tidegate_plugin_sync.Begin = func(run Run) wit.Result[wit.Unit, wit_types.Failure] {
		setClock(int64(run.NowMs) * 1_000_000)
		return guard(func() (unit wit.Unit, err error) {
			settings, err := decodeRun(defaults, run)
			if err == nil {
				plugin, err = begin(run, settings)
			}
			return unit, err
		})
	}
	export_tidegate_plugin_sync.Decide = func(batch []Entry) wit.Result[[]wit_sync.Decision, wit_types.Failure] {
		return guard(func() ([]wit_sync.Decision, error) {
			var decisions Decisions
			err := plugin.Decide(batch, &decisions)
			return decisions.made, err
		})
	}
	export_tidegate_plugin_sync.Finish = func() wit.Result[Summary, wit_types.Failure] {
		return guard(func() (Summary, error) { return plugin.Finish() })
	}
}

// Decisions are those about one batch, in ascending order of indexes. The rule is the JSON Pointer to the rule in the
// settings, or empty.
type Decisions struct{ made []wit_sync.Decision }

// Exclude does not publish an entry.
func (decisions *Decisions) Exclude(index int, rule, reason string) {
	decisions.add(index, wit_sync.MakeActionExclude(), rule, reason)
}

// Publish publishes an entry with edits.
func (decisions *Decisions) Publish(index int, rule, reason string, edits ...Edit) {
	decisions.add(index, wit_sync.MakeActionPublish(edits), rule, reason)
}

func (decisions *Decisions) add(index int, action wit_sync.Action, rule, reason string) {
	decision := wit_sync.Decision{Index: uint32(index), Action: action, Rule: rule, Reason: reason}
	decisions.made = append(decisions.made, decision)
}

// Rename publishes the entry with another key.
func Rename(key string) Edit { return wit_sync.MakeEditRename(key) }

// Redirect publishes a redirect instead: to a path that starts with `/`, or to a URL.
func Redirect(target string) Edit { return wit_sync.MakeEditRedirect(target) }

// SetHeader sets a response header.
func SetHeader(name, value string) Edit {
	return wit_sync.MakeEditSetHeader(Attribute{Name: name, Value: value})
}

// RemoveHeader removes a response header.
func RemoveHeader(name string) Edit { return wit_sync.MakeEditRemoveHeader(name) }

// SetMetadata sets user metadata.
func SetMetadata(name, value string) Edit {
	return wit_sync.MakeEditSetMetadata(Attribute{Name: name, Value: value})
}

// RemoveMetadata removes user metadata.
func RemoveMetadata(name string) Edit { return wit_sync.MakeEditRemoveMetadata(name) }

// AddRedirects adds at most 1,000 rules for requests, if the site has an edge: if the run has the fact `edge.redirects`.
func AddRedirects(rules []RedirectRule) error { return ruleError(edge.AddRedirects(rules)) }

// AddHeaders adds at most 1,000 rules for headers, as AddRedirects.
func AddHeaders(rules []HeaderRule) error { return ruleError(edge.AddHeaders(rules)) }

func ruleError(result wit.Result[wit.Unit, edge.RuleError]) error {
	if !result.IsErr() {
		return nil
	}
	message := "the site has no edge"
	switch err := result.Err(); err.Tag() {
	case edge.RuleErrorBudgetExhausted:
		message = "the rules of the run are too many or too long"
	case edge.RuleErrorInvalid:
		message = fmt.Sprintf("rule %d: %s", err.Invalid().Index, err.Invalid().Message)
	case edge.RuleErrorOther:
		message = err.Other()
	}
	return &Failure{Code: "edge", Message: message}
}
