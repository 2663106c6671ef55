// Excludes pages that are marked as drafts, keeps caches from data, and adds a redirect for a robots.txt that is missing.
package main

import (
	"strings"

	"example.com/{{name}}-plugin/tidegate"
)

const headBytes = 1024

// Settings are those of the plugin, with their names in JSON. `{}` must be valid, so every one has a default.
type Settings struct {
	// Marker is the text at the start of a page that marks it as a draft.
	Marker string `json:"marker"`
}

// Check reports mistakes that the types do not exclude.
func (settings *Settings) Check(issues *tidegate.Issues) {
	if settings.Marker == "" {
		issues.Add("/marker", "it is empty, so every page is a draft; set a marker")
	}
}

func init() {
	tidegate.ExportSync(Settings{Marker: `<meta name="draft"`}, begin)
}

// A component has no main function, but Go wants one.
func main() {}

// noDrafts lives for one run.
type noDrafts struct {
	settings  Settings
	hasRobots bool
}

func begin(run tidegate.Run, settings Settings) (tidegate.SyncPlugin, error) {
	return &noDrafts{settings: settings}, nil
}

func isPage(entry tidegate.Entry) bool {
	return strings.HasSuffix(entry.Key, ".html") && !entry.Redirect.IsSome()
}

func (plugin *noDrafts) Decide(batch []tidegate.Entry, decisions *tidegate.Decisions) error {
	// One call for all pages of the batch: the host reads them concurrently.
	var keys []string
	for _, entry := range batch {
		if isPage(entry) {
			keys = append(keys, entry.Key)
		}
	}
	heads, err := tidegate.Texts(keys, headBytes)
	if err != nil {
		return err
	}
	page := 0
	for index, entry := range batch {
		switch {
		case entry.Key == "robots.txt":
			plugin.hasRobots = true
		case isPage(entry):
			if strings.Contains(heads[page], plugin.settings.Marker) {
				decisions.Exclude(index, "/marker", "marked as a draft")
			}
			page++
		case strings.HasSuffix(entry.Key, ".json"):
			decisions.Publish(index, "", "data is never cached", tidegate.SetHeader("cache-control", "no-store"))
		}
	}
	return nil
}

func (plugin *noDrafts) Finish() (tidegate.Summary, error) {
	var summary tidegate.Summary
	if !plugin.hasRobots {
		robots := tidegate.Extra{Key: "robots.txt", Redirect: "/robots/", Reason: "the artifact has no robots.txt"}
		summary.Extras = append(summary.Extras, robots)
	}
	return summary, nil
}
