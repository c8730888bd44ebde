package main

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	pb "multicast-poke.dev/interop/gen/poke/v1"
)

type fields = map[string]any

// event is one event as all adapters tell it; nil for one that these stubs don't know.
func event(response *pb.SubscribeResponse) fields {
	switch event := response.Event.(type) {
	case *pb.SubscribeResponse_Welcome:
		return fields{"event": "connected", "streamId": event.Welcome.StreamId}
	case *pb.SubscribeResponse_Subscribed:
		of := event.Subscribed
		outcome := enum(pb.Outcome_name, int32(of.Outcome), "OUTCOME_")
		return about(of.Interest, fields{"event": "live", "position": position(of.Position), "outcome": outcome})
	case *pb.SubscribeResponse_Rejected:
		of := event.Rejected
		return about(of.Interest, fields{"event": "rejected", "code": code(codes.Code(of.Code)), "reason": of.Reason,
			"message": of.Message, "final": of.RetryDelay == nil})
	case *pb.SubscribeResponse_Poke:
		of := event.Poke
		told := fields{"event": "poke", "position": position(of.Position),
			"publishTime": of.PublishTime.AsTime().Format(time.RFC3339Nano)}
		addData(told, of.Data)
		return about(&pb.Interest{Domain: of.Domain, Filter: of.Filter, Audience: of.Audience}, told)
	case *pb.SubscribeResponse_Gap:
		of := event.Gap
		told := fields{"event": "gap", "reason": enum(pb.GapReason_name, int32(of.Reason), "GAP_REASON_"),
			"position": position(of.Position), "reloadAfterMs": milliseconds(of.ReloadSpread)}
		if of.MissedCount != nil {
			told["missedCount"] = *of.MissedCount
		}
		return about(of.Interest, told)
	case *pb.SubscribeResponse_Ended:
		told := fields{"event": "ended", "position": position(event.Ended.Position)}
		addData(told, event.Ended.Data)
		return about(event.Ended.Interest, told)
	case *pb.SubscribeResponse_Heartbeat:
		checkpoints := []fields{}
		for _, checkpoint := range event.Heartbeat.Checkpoints {
			checkpoints = append(checkpoints, position(checkpoint))
		}
		return fields{"event": "heartbeat", "checkpoints": checkpoints}
	case *pb.SubscribeResponse_Reconnect:
		of := event.Reconnect
		return fields{"event": "reconnect", "reason": enum(pb.ReconnectReason_name, int32(of.Reason), "RECONNECT_REASON_"),
			"minDelayMs": milliseconds(of.MinDelay), "maxDelayMs": milliseconds(of.MaxDelay),
			"closesAfterMs": milliseconds(of.ClosesAfter)}
	}
	return nil
}

// ending is how a call ended.
func ending(err error) fields {
	if err == io.EOF {
		return fields{"event": "over"}
	}
	return fields{"event": "failed", "error": refusal(err)}
}

// refusal is an error; one that is no status of gRPC is of this side.
func refusal(err error) fields {
	said, isStatus := status.FromError(err)
	if !isStatus {
		return fields{"message": err.Error()}
	}
	told := fields{"code": code(said.Code()), "message": said.Message()}
	for _, detail := range said.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			told["reason"] = info.Reason
		}
	}
	return told
}

func about(interest *pb.Interest, told fields) fields {
	told["domain"], told["filter"] = interest.GetDomain(), interest.GetFilter()
	if interest.GetAudience() == pb.Audience_AUDIENCE_CUSTOMER {
		told["audience"] = "AUDIENCE_CUSTOMER"
	}
	return told
}

func addData(told fields, data *structpb.Value) {
	if data == nil {
		return
	}
	text, err := protojson.Marshal(data)
	if err != nil {
		text = []byte(`"no data"`)
	}
	told["data"] = json.RawMessage(text)
}

func position(of *pb.Position) fields {
	text, _ := protojson.Marshal(of) // It has no field that could fail.
	told := fields{"epoch": "", "sequence": "0"}
	_ = json.Unmarshal(text, &told)
	return told
}

func milliseconds(of *durationpb.Duration) int64 {
	return of.AsDuration().Milliseconds()
}

func enum(names map[int32]string, value int32, prefix string) string {
	if name, known := names[value]; known {
		return strings.TrimPrefix(name, prefix)
	}
	return "UNSPECIFIED"
}

var word = regexp.MustCompile(`([a-z])([A-Z])`)

// code is `NotFound` as NOT_FOUND.
func code(of codes.Code) string {
	if of == codes.OK {
		return "OK"
	}
	return strings.ToUpper(word.ReplaceAllString(of.String(), "${1}_${2}"))
}
