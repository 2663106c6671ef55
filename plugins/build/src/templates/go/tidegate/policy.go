package tidegate

import (
	"example.com/{{name}}-plugin/internal/wit/export_tidegate_plugin_policy"
	wit_policy "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_policy"
	wit_types "example.com/{{name}}-plugin/internal/wit/tidegate_plugin_types"
	wit "example.com/{{name}}-plugin/internal/wit/types"
)

type (
	Change    = wit_policy.Change
	Judgement = wit_policy.Judgement
	Totals    = wit_policy.Totals
	Verdict   = wit_policy.Verdict
)

// The kinds of changes, as `change.Kind.Tag()` returns them.
const (
	Create  = wit_policy.ChangeKindCreate
	Update  = wit_policy.ChangeKindUpdate
	Headers = wit_policy.ChangeKindHeaders
	Delete  = wit_policy.ChangeKindDelete
	Keep    = wit_policy.ChangeKindKeep
)

// Allow publishes.
func Allow() Verdict { return wit_policy.MakeVerdictAllow() }

// Hold stops until a person approves exactly this plan.
func Hold() Verdict { return wit_policy.MakeVerdictHold() }

// Deny ends the run.
func Deny() Verdict { return wit_policy.MakeVerdictDeny() }

// Count is one of the totals, such as `delete`; 0 if the plan does not have it.
func Count(totals Totals, name string) uint64 {
	for _, count := range totals.Counts {
		if count.F0 == name {
			return count.F1
		}
	}
	return 0
}

// PolicyPlugin reviews the plan. There is one for each run.
type PolicyPlugin interface {
	// Review reviews at most 1,000 changes. The host chooses the size of batches, and answers must not depend on it.
	Review(batch []Change) ([]Finding, error)
	// Conclude follows the last batch, even if there was none.
	Conclude() (Judgement, error)
}

// ExportPolicy makes a component of a plugin. Call it in `init`.
func ExportPolicy[S any](defaults S, begin func(run Run, totals Totals, settings S) (PolicyPlugin, error)) {
	exportSettings(defaults)
	var plugin PolicyPlugin
	export_tidegate_plugin_policy.Begin = func(run Run, totals Totals) wit.Result[wit.Unit, wit_types.Failure] {
		setClock(int64(run.NowMs) * 1_000_000)
		return guard(func() (unit wit.Unit, err error) {
			settings, err := decodeRun(defaults, run)
			if err == nil {
				plugin, err = begin(run, totals, settings)
			}
			return unit, err
		})
	}
	export_tidegate_plugin_policy.Review = func(batch []Change) wit.Result[[]Finding, wit_types.Failure] {
		return guard(func() ([]Finding, error) { return plugin.Review(batch) })
	}
	export_tidegate_plugin_policy.Conclude = func() wit.Result[Judgement, wit_types.Failure] {
		return guard(func() (Judgement, error) { return plugin.Conclude() })
	}
}
