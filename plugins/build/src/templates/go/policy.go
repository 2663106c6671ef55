// Warns about large pages, and holds plans that delete objects until a person approves them.
package main

import (
	"fmt"
	"strings"

	"example.com/{{name}}-plugin/tidegate"
)

// Settings are those of the plugin, with their names in JSON. `{}` must be valid, so every one has a default.
type Settings struct {
	// MaxPageBytes is the size of a page, in bytes, above which there is a warning.
	MaxPageBytes uint64 `json:"max-page-bytes"`
}

// Check reports mistakes that the types do not exclude.
func (settings *Settings) Check(issues *tidegate.Issues) {
	if settings.MaxPageBytes == 0 {
		issues.Add("/max-page-bytes", "use a number above 0")
	}
}

func init() {
	tidegate.ExportPolicy(Settings{MaxPageBytes: 100_000}, begin)
}

// A component has no main function, but Go wants one.
func main() {}

// pageSizes lives for one run.
type pageSizes struct {
	settings Settings
	deletes  uint64
}

func begin(run tidegate.Run, totals tidegate.Totals, settings Settings) (tidegate.PolicyPlugin, error) {
	return &pageSizes{settings: settings, deletes: tidegate.Count(totals, "delete")}, nil
}

func (plugin *pageSizes) Review(batch []tidegate.Change) ([]tidegate.Finding, error) {
	var findings []tidegate.Finding
	limit := plugin.settings.MaxPageBytes
	for _, change := range batch {
		isNew := change.Kind.Tag() == tidegate.Create || change.Kind.Tag() == tidegate.Update
		if isNew && strings.HasSuffix(change.Key, ".html") && change.Size > limit {
			findings = append(findings, tidegate.Finding{
				Code:     "large-page",
				Severity: tidegate.Warning,
				Message:  fmt.Sprintf("the page has %d bytes, more than %d", change.Size, limit),
				Key:      tidegate.Some(change.Key),
				Rule:     "/max-page-bytes",
			})
		}
	}
	return findings, nil
}

func (plugin *pageSizes) Conclude() (tidegate.Judgement, error) {
	if plugin.deletes == 0 {
		return tidegate.Judgement{Verdict: tidegate.Allow()}, nil
	}
	message := fmt.Sprintf("%d objects are deleted", plugin.deletes)
	deletes := tidegate.Finding{Code: "deletes", Severity: tidegate.Warning, Message: message}
	return tidegate.Judgement{Verdict: tidegate.Hold(), Findings: []tidegate.Finding{deletes}}, nil
}
