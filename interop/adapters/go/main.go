// The adapter of grpc-go with generated stubs. See interop/README.md for what it speaks.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	pb "multicast-poke.dev/interop/gen/poke/v1"
)

// command has the fields of all commands.
type command struct {
	ID             int             `json:"id"`
	Command        string          `json:"command"`
	Client         string          `json:"client"`
	URL            string          `json:"url"`
	Tokens         []string        `json:"tokens"`
	DeadlineMs     int64           `json:"deadlineMs"`
	Subscription   string          `json:"subscription"`
	Interests      []interest      `json:"interests"`
	Domain         string          `json:"domain"`
	Filter         string          `json:"filter"`
	Data           json.RawMessage `json:"data"`
	CustomerID     string          `json:"customerId"`
	IdempotencyKey string          `json:"idempotencyKey"`
}

type interest struct {
	Domain   string          `json:"domain"`
	Filter   string          `json:"filter"`
	Audience string          `json:"audience"`
	Latest   bool            `json:"latest"`
	Position json.RawMessage `json:"position"`
}

type client struct {
	connection *grpc.ClientConn
	stub       pb.PokeServiceClient
	token      string
	deadline   time.Duration
}

// subscription is one call, read by a goroutine of its own.
type subscription struct {
	client *client
	cancel context.CancelFunc
	done   chan struct{}
	// Held while the program takes no events.
	reading sync.Mutex
}

var (
	state         sync.Mutex
	clients       = map[string]*client{}
	subscriptions = map[string]*subscription{}
	output        = json.NewEncoder(os.Stdout)
	speaking      sync.Mutex
)

func say(line any) {
	speaking.Lock()
	defer speaking.Unlock()
	if err := output.Encode(line); err != nil {
		os.Exit(1)
	}
}

func main() {
	output.SetEscapeHTML(false)
	say(fields{"ready": true, "version": "grpc-go " + grpc.Version + ", " + strings.Replace(runtime.Version(), "go", "Go ", 1)})
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var command command
		if err := json.Unmarshal(line, &command); err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		go func() {
			ok, err := handle(&command)
			if err != nil {
				say(fields{"id": command.ID, "error": refusal(err)})
			} else {
				say(fields{"id": command.ID, "ok": ok})
			}
		}()
	}
}

func handle(command *command) (fields, error) {
	state.Lock()
	client, listening := clients[command.Client], subscriptions[command.Subscription]
	state.Unlock()
	switch command.Command {
	case "open":
		return fields{}, open(command)
	case "subscribe":
		return fields{}, subscribe(client, command)
	case "pause":
		listening.reading.Lock()
	case "resume":
		listening.reading.Unlock()
	case "cancel":
		listening.stop()
	case "publish":
		return publish(client, command)
	case "end":
		return end(client, command)
	case "close":
		state.Lock()
		for _, listening := range subscriptions {
			if listening.client == client {
				defer listening.stop()
			}
		}
		state.Unlock()
		return fields{}, client.connection.Close()
	default:
		return nil, fmt.Errorf("no command %q", command.Command)
	}
	return fields{}, nil
}

func open(command *command) error {
	connection, err := grpc.NewClient(strings.TrimPrefix(command.URL, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	made := &client{connection: connection, stub: pb.NewPokeServiceClient(connection)}
	if len(command.Tokens) > 0 {
		made.token = command.Tokens[0]
	}
	made.deadline = time.Duration(command.DeadlineMs) * time.Millisecond
	state.Lock()
	defer state.Unlock()
	clients[command.Client] = made
	return nil
}

func (client *client) context(deadline time.Duration) (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if client.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+client.token)
	}
	if deadline > 0 {
		return context.WithTimeout(ctx, deadline)
	}
	return context.WithCancel(ctx)
}

func subscribe(client *client, command *command) error {
	request := &pb.SubscribeRequest{}
	for _, interest := range command.Interests {
		start := &pb.Subscription{Interest: &pb.Interest{Domain: interest.Domain, Filter: interest.Filter}}
		if interest.Audience == "customer" {
			start.Interest.Audience = pb.Audience_AUDIENCE_CUSTOMER
		}
		if interest.Latest {
			start.Start = &pb.Subscription_Latest{Latest: &pb.Latest{}}
		} else if interest.Position != nil {
			after := &pb.Position{}
			if err := protojson.Unmarshal(interest.Position, after); err != nil {
				return err
			}
			start.Start = &pb.Subscription_After{After: after}
		}
		request.Subscriptions = append(request.Subscriptions, start)
	}
	ctx, cancel := client.context(client.deadline)
	listening := &subscription{client: client, cancel: cancel, done: make(chan struct{})}
	state.Lock()
	subscriptions[command.Subscription] = listening
	state.Unlock()
	go listening.read(ctx, command.Subscription, request)
	return nil
}

func (listening *subscription) read(ctx context.Context, name string, request *pb.SubscribeRequest) {
	defer close(listening.done)
	tell := func(event fields) {
		// What happens after its cancel isn't told.
		if event != nil && ctx.Err() != context.Canceled {
			say(fields{"subscription": name, "event": event})
		}
	}
	call, err := listening.client.stub.Subscribe(ctx, request)
	for err == nil {
		listening.reading.Lock()
		listening.reading.Unlock()
		var response *pb.SubscribeResponse
		if response, err = call.Recv(); err == nil {
			tell(event(response))
		}
	}
	tell(ending(err))
}

// stop ends the call, and waits until nothing more can be told.
func (listening *subscription) stop() {
	listening.cancel()
	<-listening.done
}

func publish(client *client, command *command) (fields, error) {
	data, err := value(command.Data)
	if err != nil {
		return nil, err
	}
	ctx, cancel := client.context(command.deadline())
	defer cancel()
	answer, err := client.stub.Publish(ctx, &pb.PublishRequest{
		Domain: command.Domain, Filter: command.Filter, Data: data, Audience: command.audience(),
		CustomerId: command.CustomerID, IdempotencyKey: command.IdempotencyKey,
	})
	if err != nil {
		return nil, err
	}
	ok := fields{"position": position(answer.Position), "duplicate": answer.GetDuplicate()}
	if answer.LocalReceiverCount != nil {
		ok["localReceiverCount"] = *answer.LocalReceiverCount
	}
	return ok, nil
}

func end(client *client, command *command) (fields, error) {
	data, err := value(command.Data)
	if err != nil {
		return nil, err
	}
	ctx, cancel := client.context(command.deadline())
	defer cancel()
	answer, err := client.stub.EndInterest(ctx, &pb.EndInterestRequest{
		Domain: command.Domain, Filter: command.Filter, Data: data, Audience: command.audience(),
		CustomerId: command.CustomerID,
	})
	if err != nil {
		return nil, err
	}
	return fields{"position": position(answer.Position)}, nil
}

func value(data json.RawMessage) (*structpb.Value, error) {
	if data == nil {
		return nil, nil
	}
	value := &structpb.Value{}
	return value, protojson.Unmarshal(data, value)
}

func (command *command) deadline() time.Duration {
	if command.DeadlineMs > 0 {
		return time.Duration(command.DeadlineMs) * time.Millisecond
	}
	return 10 * time.Second
}

func (command *command) audience() pb.Audience {
	if command.CustomerID != "" {
		return pb.Audience_AUDIENCE_CUSTOMER
	}
	return pb.Audience_AUDIENCE_UNSPECIFIED
}

