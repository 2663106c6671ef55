// For the test in languages.rs: what the setting says, a plugin does.
package main

import (
	crypto "crypto/rand"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"example.com/no-drafts-plugin/tidegate"
)

type Settings struct {
	Mode string `json:"mode"`
}

type plugin struct{ mode string }

func init() {
	tidegate.ExportSync(Settings{}, func(run tidegate.Run, settings Settings) (tidegate.SyncPlugin, error) {
		if now := time.Now().UnixMilli(); now != int64(run.NowMs) {
			return nil, fmt.Errorf("the clock is at %d, not %d", now, run.NowMs)
		}
		return &plugin{settings.Mode}, nil
	})
}

func main() {}

func (plugin *plugin) Decide(batch []tidegate.Entry, decisions *tidegate.Decisions) error {
	fmt.Print("on ", "one ")
	fmt.Println("line")
	fmt.Fprintln(os.Stderr, "on standard error")
	fmt.Print("not ended")
	os.Stderr.WriteString("\n")
	switch plugin.mode {
	case "index":
		fmt.Println(batch[len(batch)])
	case "nil":
		missing := plugin
		missing = nil
		fmt.Println(missing.mode)
	case "library":
		fmt.Println(strings.Repeat("-", -len(batch)))
	case "error":
		return fmt.Errorf("wrapped: %w", &tidegate.Failure{Code: "mine", Message: "mine", Key: batch[0].Key, Rule: "/mode"})
	case "file":
		_, err := os.ReadFile("/etc/passwd")
		return err
	case "unread":
		_, err := tidegate.Heads([]string{"a.txt", "c.txt"}, 10)
		return err
	case "edge":
		return tidegate.AddHeaders(nil)
	case "goroutine":
		go func() { panic("in a goroutine") }()
		time.Sleep(time.Second)
	case "exit":
		fmt.Print("leaving")
		os.Exit(3)
	case "facts":
		begin := time.Now()
		time.Sleep(time.Second)
		answers := make(chan int)
		go func() { answers <- 7 }()
		fmt.Printf("arguments %d, variables %d, %v later, goroutine %d\n", len(os.Args), len(os.Environ()), time.Since(begin), <-answers)
		bytes := make([]byte, 16)
		crypto.Read(bytes)
		fmt.Println(bytes, rand.Int(), map[float64]int{rand.Float64(): 1})
	case "edits":
		heads, err := tidegate.Heads([]string{"a.txt"}, 3)
		if err != nil {
			return err
		}
		part, err := tidegate.Range("a.txt", 5, 10)
		if err != nil {
			return err
		}
		texts, err := tidegate.Texts([]string{"b.txt"}, 100)
		if err != nil {
			return err
		}
		fmt.Printf("%s, %s, %s\n", heads[0], part, texts[0])
		decisions.Publish(0, "", "edits", tidegate.Rename("renamed.txt"), tidegate.SetHeader("content-type", "text/html"),
			tidegate.SetHeader("cache-control", "no-store"), tidegate.SetHeader("content-language", "en"),
			tidegate.SetMetadata("color", "blue"), tidegate.RemoveMetadata("other"), tidegate.RemoveHeader("expires"))
		decisions.Publish(1, "", "a redirect", tidegate.Redirect("/target/"))
		target := "/new"
		redirect := tidegate.RedirectRule{Path: "/old", Target: tidegate.Some(target), Status: 301, Reason: "moved"}
		if err := tidegate.AddRedirects([]tidegate.RedirectRule{redirect}); err != nil {
			return err
		}
		headers := []tidegate.Attribute{{Name: "x-robots-tag", Value: "noindex"}}
		return tidegate.AddHeaders([]tidegate.HeaderRule{{Path: "/*", Headers: headers, Reason: "private"}})
	}
	return nil
}

func (plugin *plugin) Finish() (tidegate.Summary, error) { return tidegate.Summary{}, nil }
