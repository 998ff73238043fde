// Moderation in Go, standard library only: a plain subscriber, which stores nothing. The bus keeps its position, and sends an
// event again until a 2xx answers it. The id of a verdict is derived from the comment's, so the bus recognises a verdict that
// is published again: the service is idempotent without a memory.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

var (
	address = "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "4003")
	bus     = cmp.Or(os.Getenv("EVENT_BUS_URL"), "http://localhost:4005")
	client  = http.Client{Timeout: 4 * time.Second}
)

func main() {
	http.HandleFunc("POST /events", moderate)
	fmt.Println("listening on http://" + address)
	log.Fatal(http.ListenAndServe(address, nil))
}

func moderate(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Type string
		Data any
	}
	decoder := json.NewDecoder(r.Body)
	decoder.UseNumber() // an id that is a number stays as it came
	if err := decoder.Decode(&event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if event.Type == "CommentCreated" {
		comment, _ := event.Data.(map[string]any)
		if comment["id"] == nil { // a poison event: the bus puts it aside after a few times
			http.Error(w, "a comment without an id", http.StatusUnprocessableEntity)
			return
		}
		if err := publish(verdictOn(comment)); err != nil { // the bus is away: it sends the event again
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// verdictOn returns the event that announces the verdict on a comment.
func verdictOn(comment map[string]any) map[string]any {
	status := "approved"
	if strings.Contains(strings.ToLower(fmt.Sprint(comment["content"])), "orange") {
		status = "rejected"
	}
	return map[string]any{
		"id": fmt.Sprint(comment["id"], "/CommentModerated"), "source": "moderation", "type": "CommentModerated",
		"data": map[string]any{
			"id": comment["id"], "postId": comment["postId"], "content": comment["content"], "status": status,
		},
	}
}

// publish returns nil once the bus has the event on disk.
func publish(event map[string]any) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	answer, err := client.Post(bus+"/events", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// 409: the log has a verdict on this comment, and the first one stands.
	if answer.StatusCode/100 != 2 && answer.StatusCode != http.StatusConflict {
		return fmt.Errorf("the bus answered %s", answer.Status)
	}
	return nil
}
