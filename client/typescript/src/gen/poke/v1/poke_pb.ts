// Multicast Poke: small signals from the cloud to every client that holds the same interest.
//
// This file is the specification. MUST, MUST NOT, SHOULD and MAY are used as in RFC 2119. Where another document
// disagrees with it, this file wins.
//
// # The whole of it in one paragraph
//
// A back end calls Publish with a domain, a filter and optional data. Every client whose open Subscribe stream names
// that interest (domain + filter) receives the poke in near real time. Clients own their subscriptions: the set of
// interests, and the last position that they saw of each. To change interests, to refresh a token, to follow a server
// that drains, or to survive a lost network, a client does one and the same thing: it opens a new Subscribe with the
// full set and its positions, waits until that is live, and drops the old one. The server keeps no session.
//
// # Order, duplicates and loss
//
// 1. Order. On one stream, the pokes of one interest arrive in the order in which the server accepted them: with
//    strictly rising positions. Nothing is promised about the order between two interests.
// 2. Duplicates. One stream never carries the same poke twice. While a client moves from an old stream to a new one
//    it can see a poke on both: it MUST drop every poke and gap whose position is at or before the one that it has
//    saved for that interest (same epoch; see Gap for the exception). An Ended always counts.
// 3. Loss. The server never loses a poke in silence: a subscriber sees every poke of a live interest, or a Gap that
//    says up to where it has missed something.
// 4. Freshness. A poke can describe a change that the client already knows, for example from a reload that it made a
//    moment ago. Data SHOULD be idempotent, or carry a version of its own.
//
// # Resume
//
// A Position names a place in a log that many interests share. A client saves, for each interest, the position of the
// newest Subscribed, Poke, Gap or Ended that it has handled, and raises it by the checkpoints of Heartbeat. It sends
// the saved position as `after` when it subscribes again. Registering and replaying are one atomic step: a poke that is
// published in between arrives exactly once. A position that the server can't honour (unknown, of another epoch, in
// the future, garbled, or older than what is retained) is answered by a Gap; never by an error, and never by silence.
//
// # Who ends a stream
//
// The client, by cancelling it. The server ends it with OK when each interest has ended or was finally rejected, and
// otherwise with a status from the table below. It announces a planned end by Reconnect. A client MUST treat silence of
// 2.5 heartbeat intervals as a lost connection.
//
// # Callers
//
// A call carries an API key or a JWT as metadata, `authorization: Bearer`; a client's certificate can stand for it. The
// server's configuration says who may publish and end, and who may listen: everyone, who is authenticated, or whose token
// grants the interest. A call whose credentials don't hold is refused, even where none are needed; so are Publish and
// EndInterest without the right to them. An interest that may not be listened to is rejected by its event, while the
// others go on. A server that is set up with neither keys nor issuers, as in development, looks at no credentials.
//
// Before a token expires its stream gets Reconnect, RECONNECT_REASON_TOKEN_EXPIRING. At its end the stream ends with
// UNAUTHENTICATED, TOKEN_EXPIRED, and nothing is delivered after that. If rights are withdrawn, a live interest is
// rejected; if the key or the issuer is withdrawn, the stream ends with UNAUTHENTICATED, INVALID_CREDENTIALS. An operator
// can revoke a customer's tokens: then their streams end with UNAUTHENTICATED, TOKEN_REVOKED, as does every call with a
// token that was issued until then. A token that the issuer makes later is accepted again.
//
// # Errors
//
// Each error carries google.rpc.Status details: ErrorInfo (domain "poke.v1", an UPPER_SNAKE reason), BadRequest with at
// most 8 field violations for bad input, RetryInfo when a retry is right. The message stays under 1 KB, all the details
// under 4 KiB, and neither repeats the input.
//
// One rule for every client. Retry if RetryInfo is present, or the code is UNAVAILABLE or DEADLINE_EXCEEDED, or the
// transport itself (not the server) raised CANCELLED or INTERNAL. UNAUTHENTICATED: refresh the token and try once more.
// Everything else is final. An HTTP answer that isn't gRPC comes from a proxy or from something else that listens there:
// 408, 429 and 5xx are retried, 401 is UNAUTHENTICATED, and the others are final, whatever code a library makes of them.
//
//   code                 reason                          when
//   INVALID_ARGUMENT     INVALID_DOMAIN                  not 1 to 64 of [A-Za-z0-9_.-]
//   INVALID_ARGUMENT     INVALID_FILTER                  not 1 to 256 bytes, or with a forbidden character
//   INVALID_ARGUMENT     INVALID_DATA                    data breaks a rule of `PublishRequest.data`
//   INVALID_ARGUMENT     INVALID_CUSTOMER                customer_id without AUDIENCE_CUSTOMER, the reverse, or malformed
//   INVALID_ARGUMENT     INVALID_AUDIENCE                a value that this server doesn't know
//   INVALID_ARGUMENT     INVALID_IDEMPOTENCY_KEY         not 1 to 128 printable ASCII characters
//   INVALID_ARGUMENT     INVALID_SUBSCRIPTIONS           none, or a subscription without an interest
//   INVALID_ARGUMENT     INVALID_REQUEST                 not a message of this contract
//   INVALID_ARGUMENT     UNSUPPORTED_FIELD               a field that this server doesn't know; see Growth
//   INVALID_ARGUMENT     TOO_MANY_INTERESTS              more than Limits.max_interests; details carry `limit`
//   UNAUTHENTICATED      CREDENTIALS_REQUIRED            neither a key nor a token was sent, and one is needed
//   UNAUTHENTICATED      INVALID_CREDENTIALS             a key or token that this server doesn't accept
//   UNAUTHENTICATED      TOKEN_EXPIRED                   a token whose time is over; on an open stream too
//   UNAUTHENTICATED      TOKEN_REVOKED                   a token that was revoked; on an open stream too
//   UNAUTHENTICATED      CUSTOMER_REQUIRED               AUDIENCE_CUSTOMER without a verified customer
//   PERMISSION_DENIED    NO_PUBLISHERS                   the server's configuration lets nobody publish to the domain
//   PERMISSION_DENIED    NOT_A_PUBLISHER                 these credentials have no right to publish there, or to end
//   PERMISSION_DENIED    NOT_GRANTED                     these credentials don't grant the interest
//   PERMISSION_DENIED    NOT_AN_ADMIN                    these credentials give no right to administer
//   NOT_FOUND            UNKNOWN_DOMAIN                  the domain isn't configured on this server
//   ALREADY_EXISTS       IDEMPOTENCY_KEY_REUSED          the key has already been used for other content
//   FAILED_PRECONDITION  WRONG_AUDIENCE                  the domain is configured for the other audience
//   FAILED_PRECONDITION  INTEREST_ENDED                  EndInterest was called for it within the retention window
//   RESOURCE_EXHAUSTED   POKE_TOO_LARGE                  over 131,072 bytes; details carry `limit`, and `size` or `size_over`
//   RESOURCE_EXHAUSTED   REQUEST_TOO_LARGE               a SubscribeRequest over the bytes that it may take
//   RESOURCE_EXHAUSTED   HEADERS_TOO_LARGE               the request's header fields, such as the token; details carry `limit`
//   RESOURCE_EXHAUSTED   RATE_LIMITED                    the publisher, or all together, send too fast (RetryInfo)
//   RESOURCE_EXHAUSTED   TOO_MANY_STREAMS                server, address or customer has no more (RetryInfo)
//   RESOURCE_EXHAUSTED   OVERLOADED                      the server has no memory to spare just now (RetryInfo)
//   ABORTED              CLIENT_STALLED                  the client didn't read for too long (RetryInfo)
//   UNAVAILABLE          SHUTTING_DOWN                   the server is going away (RetryInfo)
//   UNAVAILABLE          MAX_AGE                         the stream reached its age after a Reconnect (RetryInfo)
//   UNAVAILABLE          KEYS_UNAVAILABLE                the token can't be checked just now (RetryInfo)
//   UNAVAILABLE          BACKPLANE_UNAVAILABLE           nothing can be stored just now (RetryInfo)
//   DEADLINE_EXCEEDED    DEADLINE                        the caller's grpc-timeout or connect-timeout-ms passed
//   UNIMPLEMENTED        UNKNOWN_METHOD                  no such method, or an encoding that the server doesn't speak
//   INTERNAL             INTERNAL                        a fault of the server; the log has it
//
// # Growth
//
// Old clients never change. Fields and events are only ever added. A client MUST ignore a field or an event that it
// doesn't know, but counts the event as a sign of life. A client MUST treat an unknown enum value as the zero value.
//
// Requests are strict. A server MUST refuse a request that has a field which it doesn't know, at any level but inside
// `data`, in protobuf as in JSON: INVALID_ARGUMENT, UNSUPPORTED_FIELD, with the number or the name of the field. A server
// that dropped the field could do something else than what was asked for. The refusal is of the whole call and final: a
// client MUST NOT send the call again without the field by itself, and SHOULD set a field only if its program did. So
// servers are upgraded first, and clients after them.

// @generated by protoc-gen-es v2.13.0 with parameter "target=ts,import_extension=js,erasable_syntax=true"
// @generated from file poke/v1/poke.proto (package poke.v1, syntax proto3)
/* eslint-disable */

import type { GenEnum, GenFile, GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import { enumDesc, fileDesc, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import type { Duration, Timestamp, Value } from "@bufbuild/protobuf/wkt";
import { file_google_protobuf_duration, file_google_protobuf_struct, file_google_protobuf_timestamp } from "@bufbuild/protobuf/wkt";
import type { Message, UnknownEnum } from "@bufbuild/protobuf";

/**
 * Describes the file poke/v1/poke.proto.
 */
export const file_poke_v1_poke: GenFile = /*@__PURE__*/
  fileDesc("ChJwb2tlL3YxL3Bva2UucHJvdG8SB3Bva2UudjEiTwoISW50ZXJlc3QSDgoGZG9tYWluGAEgASgJEg4KBmZpbHRlchgCIAEoCRIjCghhdWRpZW5jZRgDIAEoDjIRLnBva2UudjEuQXVkaWVuY2UiKwoIUG9zaXRpb24SDQoFZXBvY2gYASABKAkSEAoIc2VxdWVuY2UYAiABKAMiyAEKBFBva2USDgoGZG9tYWluGAEgASgJEg4KBmZpbHRlchgCIAEoCRIkCgRkYXRhGAMgASgLMhYuZ29vZ2xlLnByb3RvYnVmLlZhbHVlEiMKCGF1ZGllbmNlGAQgASgOMhEucG9rZS52MS5BdWRpZW5jZRIjCghwb3NpdGlvbhgFIAEoCzIRLnBva2UudjEuUG9zaXRpb24SMAoMcHVibGlzaF90aW1lGAYgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcCKpAQoOUHVibGlzaFJlcXVlc3QSDgoGZG9tYWluGAEgASgJEg4KBmZpbHRlchgCIAEoCRIkCgRkYXRhGAMgASgLMhYuZ29vZ2xlLnByb3RvYnVmLlZhbHVlEiMKCGF1ZGllbmNlGAQgASgOMhEucG9rZS52MS5BdWRpZW5jZRITCgtjdXN0b21lcl9pZBgFIAEoCRIXCg9pZGVtcG90ZW5jeV9rZXkYBiABKAkimAEKD1B1Ymxpc2hSZXNwb25zZRIjCghwb3NpdGlvbhgBIAEoCzIRLnBva2UudjEuUG9zaXRpb24SIQoUbG9jYWxfcmVjZWl2ZXJfY291bnQYAiABKAVIAIgBARIWCglkdXBsaWNhdGUYAyABKAhIAYgBAUIXChVfbG9jYWxfcmVjZWl2ZXJfY291bnRCDAoKX2R1cGxpY2F0ZSKtAQoSRW5kSW50ZXJlc3RSZXF1ZXN0Eg4KBmRvbWFpbhgBIAEoCRIOCgZmaWx0ZXIYAiABKAkSJAoEZGF0YRgDIAEoCzIWLmdvb2dsZS5wcm90b2J1Zi5WYWx1ZRIjCghhdWRpZW5jZRgEIAEoDjIRLnBva2UudjEuQXVkaWVuY2USEwoLY3VzdG9tZXJfaWQYBSABKAkSFwoPaWRlbXBvdGVuY3lfa2V5GAYgASgJIjoKE0VuZEludGVyZXN0UmVzcG9uc2USIwoIcG9zaXRpb24YASABKAsyES5wb2tlLnYxLlBvc2l0aW9uIggKBkxhdGVzdCKDAQoMU3Vic2NyaXB0aW9uEiMKCGludGVyZXN0GAEgASgLMhEucG9rZS52MS5JbnRlcmVzdBIiCgVhZnRlchgCIAEoCzIRLnBva2UudjEuUG9zaXRpb25IABIhCgZsYXRlc3QYAyABKAsyDy5wb2tlLnYxLkxhdGVzdEgAQgcKBXN0YXJ0IkAKEFN1YnNjcmliZVJlcXVlc3QSLAoNc3Vic2NyaXB0aW9ucxgBIAMoCzIVLnBva2UudjEuU3Vic2NyaXB0aW9uIsICChFTdWJzY3JpYmVSZXNwb25zZRIjCgd3ZWxjb21lGAEgASgLMhAucG9rZS52MS5XZWxjb21lSAASKQoKc3Vic2NyaWJlZBgCIAEoCzITLnBva2UudjEuU3Vic2NyaWJlZEgAEiUKCHJlamVjdGVkGAMgASgLMhEucG9rZS52MS5SZWplY3RlZEgAEh0KBHBva2UYBCABKAsyDS5wb2tlLnYxLlBva2VIABIbCgNnYXAYBSABKAsyDC5wb2tlLnYxLkdhcEgAEh8KBWVuZGVkGAYgASgLMg4ucG9rZS52MS5FbmRlZEgAEicKCWhlYXJ0YmVhdBgHIAEoCzISLnBva2UudjEuSGVhcnRiZWF0SAASJwoJcmVjb25uZWN0GAggASgLMhIucG9rZS52MS5SZWNvbm5lY3RIAEIHCgVldmVudCKpAQoHV2VsY29tZRIRCglzdHJlYW1faWQYASABKAkSNQoSaGVhcnRiZWF0X2ludGVydmFsGAIgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEh8KBmxpbWl0cxgDIAEoCzIPLnBva2UudjEuTGltaXRzEjMKEHJlY29ubmVjdF9zcHJlYWQYBCABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24ihAEKBkxpbWl0cxIVCg1tYXhfaW50ZXJlc3RzGAEgASgFEhYKDm1heF9wb2tlX2J5dGVzGAIgASgFEhYKDm1heF9kYXRhX2RlcHRoGAMgASgFEjMKEHJldGVudGlvbl93aW5kb3cYBCABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24ieQoKU3Vic2NyaWJlZBIjCghpbnRlcmVzdBgBIAEoCzIRLnBva2UudjEuSW50ZXJlc3QSIwoIcG9zaXRpb24YAiABKAsyES5wb2tlLnYxLlBvc2l0aW9uEiEKB291dGNvbWUYAyABKA4yEC5wb2tlLnYxLk91dGNvbWUijgEKCFJlamVjdGVkEiMKCGludGVyZXN0GAEgASgLMhEucG9rZS52MS5JbnRlcmVzdBIMCgRjb2RlGAIgASgFEg4KBnJlYXNvbhgDIAEoCRIPCgdtZXNzYWdlGAQgASgJEi4KC3JldHJ5X2RlbGF5GAUgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uItEBCgNHYXASIwoIaW50ZXJlc3QYASABKAsyES5wb2tlLnYxLkludGVyZXN0EiIKBnJlYXNvbhgCIAEoDjISLnBva2UudjEuR2FwUmVhc29uEiMKCHBvc2l0aW9uGAMgASgLMhEucG9rZS52MS5Qb3NpdGlvbhIZCgxtaXNzZWRfY291bnQYBCABKANIAIgBARIwCg1yZWxvYWRfc3ByZWFkGAUgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uQg8KDV9taXNzZWRfY291bnQidwoFRW5kZWQSIwoIaW50ZXJlc3QYASABKAsyES5wb2tlLnYxLkludGVyZXN0EiMKCHBvc2l0aW9uGAIgASgLMhEucG9rZS52MS5Qb3NpdGlvbhIkCgRkYXRhGAMgASgLMhYuZ29vZ2xlLnByb3RvYnVmLlZhbHVlIjMKCUhlYXJ0YmVhdBImCgtjaGVja3BvaW50cxgBIAMoCzIRLnBva2UudjEuUG9zaXRpb24iwgEKCVJlY29ubmVjdBIsCgltaW5fZGVsYXkYASABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SLAoJbWF4X2RlbGF5GAIgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEi8KDGNsb3Nlc19hZnRlchgDIAEoCzIZLmdvb2dsZS5wcm90b2J1Zi5EdXJhdGlvbhIoCgZyZWFzb24YBCABKA4yGC5wb2tlLnYxLlJlY29ubmVjdFJlYXNvbio7CghBdWRpZW5jZRIYChRBVURJRU5DRV9VTlNQRUNJRklFRBAAEhUKEUFVRElFTkNFX0NVU1RPTUVSEAEqXQoHT3V0Y29tZRIXChNPVVRDT01FX1VOU1BFQ0lGSUVEEAASEQoNT1VUQ09NRV9GUkVTSBABEhUKEU9VVENPTUVfUkVDT1ZFUkVEEAISDwoLT1VUQ09NRV9HQVAQAyqOAQoJR2FwUmVhc29uEhoKFkdBUF9SRUFTT05fVU5TUEVDSUZJRUQQABIcChhHQVBfUkVBU09OX0VQT0NIX0NIQU5HRUQQARIWChJHQVBfUkVBU09OX0VWSUNURUQQAhIVChFHQVBfUkVBU09OX0xBR0dFRBADEhgKFEdBUF9SRUFTT05fQkFDS1BMQU5FEAQqsgEKD1JlY29ubmVjdFJlYXNvbhIgChxSRUNPTk5FQ1RfUkVBU09OX1VOU1BFQ0lGSUVEEAASGgoWUkVDT05ORUNUX1JFQVNPTl9EUkFJThABEhwKGFJFQ09OTkVDVF9SRUFTT05fTUFYX0FHRRACEiMKH1JFQ09OTkVDVF9SRUFTT05fVE9LRU5fRVhQSVJJTkcQAxIeChpSRUNPTk5FQ1RfUkVBU09OX1JFQkFMQU5DRRAEMtsBCgtQb2tlU2VydmljZRI8CgdQdWJsaXNoEhcucG9rZS52MS5QdWJsaXNoUmVxdWVzdBoYLnBva2UudjEuUHVibGlzaFJlc3BvbnNlEkQKCVN1YnNjcmliZRIZLnBva2UudjEuU3Vic2NyaWJlUmVxdWVzdBoaLnBva2UudjEuU3Vic2NyaWJlUmVzcG9uc2UwARJICgtFbmRJbnRlcmVzdBIbLnBva2UudjEuRW5kSW50ZXJlc3RSZXF1ZXN0GhwucG9rZS52MS5FbmRJbnRlcmVzdFJlc3BvbnNlQg8KC2Rldi5wb2tlLnYxUAFiBnByb3RvMw", [file_google_protobuf_duration, file_google_protobuf_struct, file_google_protobuf_timestamp]);

/**
 * Interest is what a client listens to, and the key that a poke is published under.
 *
 * @generated from message poke.v1.Interest
 */
export type Interest = Message<"poke.v1.Interest"> & {
  /**
   * The kind of data, for example "PLAYLIST": 1 to 64 characters of [A-Za-z0-9_.-]. Operators configure a domain's
   * audience, retention and rights.
   *
   * @generated from field: string domain = 1;
   */
  domain: string;

  /**
   * Which one of its kind, for example a playlist's id: 1 to 256 bytes of UTF-8, compared byte for byte: no case
   * folding, no Unicode normalisation, no trimming, no wildcards. Control characters (U+0000 to U+001F, U+007F to
   * U+009F), U+2028, U+2029 and the bidirectional controls (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069)
   * are refused.
   *
   * @generated from field: string filter = 2;
   */
  filter: string;

  /**
   * To whom the pokes go. A domain has one audience; naming the other is refused (WRONG_AUDIENCE).
   *
   * @generated from field: poke.v1.Audience audience = 3;
   */
  audience: Audience;
};

/**
 * Describes the message poke.v1.Interest.
 * Use `create(InterestSchema)` to create a new message.
 */
export const InterestSchema: GenMessage<Interest> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 0);

/**
 * Position is a place in a log that many interests share.
 *
 * @generated from message poke.v1.Position
 */
export type Position = Message<"poke.v1.Position"> & {
  /**
   * Names one unbroken history: at most 64 bytes, opaque. Positions of different epochs can't be compared.
   *
   * @generated from field: string epoch = 1;
   */
  epoch: string;

  /**
   * Strictly rises within an epoch, over all of its interests. It is not contiguous within one interest: clients
   * compare order, and MUST NOT compute loss from it.
   *
   * @generated from field: int64 sequence = 2;
   */
  sequence: bigint;
};

/**
 * Describes the message poke.v1.Position.
 * Use `create(PositionSchema)` to create a new message.
 */
export const PositionSchema: GenMessage<Position> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 1);

/**
 * Poke is the signal. Fields 1 to 3, in the server's encoding, take at most 131,072 bytes together (128 KiB for the
 * entire message, not just for data). What was accepted can always be delivered: the later fields don't count.
 *
 * @generated from message poke.v1.Poke
 */
export type Poke = Message<"poke.v1.Poke"> & {
  /**
   * The interest's domain.
   *
   * @generated from field: string domain = 1;
   */
  domain: string;

  /**
   * The interest's filter.
   *
   * @generated from field: string filter = 2;
   */
  filter: string;

  /**
   * What the publisher said. Absent is undefined; else it is a string or any JSON. JSON null is a value, not absence.
   *
   * @generated from field: google.protobuf.Value data = 3;
   */
  data?: Value | undefined;

  /**
   * The interest's audience.
   *
   * @generated from field: poke.v1.Audience audience = 4;
   */
  audience: Audience;

  /**
   * Where the poke stands in the log.
   *
   * @generated from field: poke.v1.Position position = 5;
   */
  position?: Position | undefined;

  /**
   * When the server accepted it, by the server's clock. For people and for measurements; order comes from `position`.
   *
   * @generated from field: google.protobuf.Timestamp publish_time = 6;
   */
  publishTime?: Timestamp | undefined;
};

/**
 * Describes the message poke.v1.Poke.
 * Use `create(PokeSchema)` to create a new message.
 */
export const PokeSchema: GenMessage<Poke> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 2);

/**
 * PublishRequest sends one poke. Its JSON form is as people write it:
 * `{"domain":"PLAYLIST","filter":"playlist-id","data":"Updated"}`.
 *
 * @generated from message poke.v1.PublishRequest
 */
export type PublishRequest = Message<"poke.v1.PublishRequest"> & {
  /**
   * The interest's domain. See Interest.domain.
   *
   * @generated from field: string domain = 1;
   */
  domain: string;

  /**
   * The interest's filter. See Interest.filter.
   *
   * @generated from field: string filter = 2;
   */
  filter: string;

  /**
   * Absent (undefined), a string, or any JSON value, null included.
   *
   * Numbers are IEEE 754 doubles, as in JavaScript. The JSON path refuses a whole number that a double can't hold,
   * however it is written (`9007199254740993.0`), and one that would become zero (`1e-400`): send it as a string. At
   * most 24 arrays and objects may be nested (`"x"` is 0, `[]` is 1). A Value without a kind, a number that isn't
   * finite, and text that isn't UTF-8 are refused, at any depth. The server re-encodes what it accepts: unknown
   * fields inside it are dropped, and the order of object keys is not kept. In JSON, a `data` of null is the value null;
   * leave the field out for undefined.
   *
   * @generated from field: google.protobuf.Value data = 3;
   */
  data?: Value | undefined;

  /**
   * To whom it goes.
   *
   * @generated from field: poke.v1.Audience audience = 4;
   */
  audience: Audience;

  /**
   * The customer, with AUDIENCE_CUSTOMER: 1 to 256 bytes, under the rules of Interest.filter. It MUST be set with that
   * audience and MUST NOT be set without it, so that a lost field can't turn one customer's poke into a broadcast.
   * It is what the customer's token says, or `issuer:` and that, with the issuer's name in the server's configuration,
   * where several issuers name customers. An id that nobody has is accepted: the server doesn't know all customers.
   *
   * @generated from field: string customer_id = 5;
   */
  customerId: string;

  /**
   * Makes retries safe: 1 to 128 printable ASCII characters, scoped to the publisher and the interest. Empty is none.
   *
   * It is kept for the retention window, or for a stated number of keys per domain, whichever is shorter. A repeat
   * answers with the first position and `duplicate`, and isn't delivered again; with other data it is ALREADY_EXISTS.
   * Content is compared in canonical form, so the order of object keys doesn't matter. The check comes before rate
   * limits and before the check for an ended interest. Senders SHOULD make a key when the user gives none.
   *
   * @generated from field: string idempotency_key = 6;
   */
  idempotencyKey: string;
};

/**
 * Describes the message poke.v1.PublishRequest.
 * Use `create(PublishRequestSchema)` to create a new message.
 */
export const PublishRequestSchema: GenMessage<PublishRequest> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 3);

/**
 * PublishResponse says that the poke is accepted, and where it stands.
 *
 * @generated from message poke.v1.PublishResponse
 */
export type PublishResponse = Message<"poke.v1.PublishResponse"> & {
  /**
   * Where the poke stands in the log.
   *
   * @generated from field: poke.v1.Position position = 1;
   */
  position?: Position | undefined;

  /**
   * How many streams held the interest on the answering node at that instant: for people, never for decisions.
   *
   * @generated from field: optional int32 local_receiver_count = 2;
   */
  localReceiverCount?: number | undefined;

  /**
   * True when the idempotency_key had been used before: the position is the first one's, nothing was sent again.
   *
   * @generated from field: optional bool duplicate = 3;
   */
  duplicate?: boolean | undefined;
};

/**
 * Describes the message poke.v1.PublishResponse.
 * Use `create(PublishResponseSchema)` to create a new message.
 */
export const PublishResponseSchema: GenMessage<PublishResponse> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 4);

/**
 * EndInterestRequest ends one interest.
 *
 * @generated from message poke.v1.EndInterestRequest
 */
export type EndInterestRequest = Message<"poke.v1.EndInterestRequest"> & {
  /**
   * The interest's domain. See Interest.domain.
   *
   * @generated from field: string domain = 1;
   */
  domain: string;

  /**
   * The interest's filter. See Interest.filter.
   *
   * @generated from field: string filter = 2;
   */
  filter: string;

  /**
   * A last word for the subscribers, under the rules and the size of PublishRequest.data.
   *
   * @generated from field: google.protobuf.Value data = 3;
   */
  data?: Value | undefined;

  /**
   * Whose interest it is. See PublishRequest.audience.
   *
   * @generated from field: poke.v1.Audience audience = 4;
   */
  audience: Audience;

  /**
   * The customer, with AUDIENCE_CUSTOMER. See PublishRequest.customer_id.
   *
   * @generated from field: string customer_id = 5;
   */
  customerId: string;

  /**
   * Under the same rules of form as PublishRequest.idempotency_key, and without any further meaning: ending is
   * idempotent by itself, so of two calls with the same key or with different ones the first one's data wins.
   *
   * @generated from field: string idempotency_key = 6;
   */
  idempotencyKey: string;
};

/**
 * Describes the message poke.v1.EndInterestRequest.
 * Use `create(EndInterestRequestSchema)` to create a new message.
 */
export const EndInterestRequestSchema: GenMessage<EndInterestRequest> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 5);

/**
 * EndInterestResponse says where the interest ends.
 *
 * @generated from message poke.v1.EndInterestResponse
 */
export type EndInterestResponse = Message<"poke.v1.EndInterestResponse"> & {
  /**
   * The end's place in the log: every poke of the interest stands before it. Repeats return the same position.
   *
   * @generated from field: poke.v1.Position position = 1;
   */
  position?: Position | undefined;
};

/**
 * Describes the message poke.v1.EndInterestResponse.
 * Use `create(EndInterestResponseSchema)` to create a new message.
 */
export const EndInterestResponseSchema: GenMessage<EndInterestResponse> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 6);

/**
 * Latest, as a subscription's start, asks for the newest retained poke and then everything new.
 *
 * @generated from message poke.v1.Latest
 */
export type Latest = Message<"poke.v1.Latest"> & {
};

/**
 * Describes the message poke.v1.Latest.
 * Use `create(LatestSchema)` to create a new message.
 */
export const LatestSchema: GenMessage<Latest> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 7);

/**
 * Subscription is one interest and where to start.
 *
 * @generated from message poke.v1.Subscription
 */
export type Subscription = Message<"poke.v1.Subscription"> & {
  /**
   * What to listen to.
   *
   * @generated from field: poke.v1.Interest interest = 1;
   */
  interest?: Interest | undefined;

  /**
   * Where to start. Without it: new pokes only.
   *
   * @generated from oneof poke.v1.Subscription.start
   */
  start: {
    /**
     * Everything retained after this position, then everything new. What one Subscribe replays to all its `after` is
     * bounded (4 MiB by default): where more is retained, the oldest of it is lost by a Gap, GAP_REASON_EVICTED.
     *
     * @generated from field: poke.v1.Position after = 2;
     */
    value: Position;
    case: "after";
  } | {
    /**
     * The newest retained poke if there is one, then everything new. That poke always comes, outside of the bound.
     *
     * @generated from field: poke.v1.Latest latest = 3;
     */
    value: Latest;
    case: "latest";
  } | { case: undefined; value?: undefined };
};

/**
 * Describes the message poke.v1.Subscription.
 * Use `create(SubscriptionSchema)` to create a new message.
 */
export const SubscriptionSchema: GenMessage<Subscription> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 8);

/**
 * SubscribeRequest names everything that the client wants on this stream.
 *
 * @generated from message poke.v1.SubscribeRequest
 */
export type SubscribeRequest = Message<"poke.v1.SubscribeRequest"> & {
  /**
   * 1 to Limits.max_interests (500 by default) after deduplication; of two with the same interest the first wins. A
   * malformed interest is rejected by an event while the others go on; an empty or oversized list fails the call.
   *
   * The whole request takes at most 64 KiB, or 64 KiB for each hundred of Limits.max_interests if that is more: as many
   * interests as there may be always fit, with the longest names and positions. A client that doesn't know the limit yet
   * SHOULD ask for no more than 100 interests at first, and MUST let the others wait rather than fail.
   *
   * @generated from field: repeated poke.v1.Subscription subscriptions = 1;
   */
  subscriptions: Subscription[];
};

/**
 * Describes the message poke.v1.SubscribeRequest.
 * Use `create(SubscribeRequestSchema)` to create a new message.
 */
export const SubscribeRequestSchema: GenMessage<SubscribeRequest> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 9);

/**
 * SubscribeResponse is one event of a stream.
 *
 * @generated from message poke.v1.SubscribeResponse
 */
export type SubscribeResponse = Message<"poke.v1.SubscribeResponse"> & {
  /**
   * What happened. More cases will come: a client ignores one that it doesn't know, but counts it as a sign of life.
   *
   * @generated from oneof poke.v1.SubscribeResponse.event
   */
  event: {
    /**
     * Always the first.
     *
     * @generated from field: poke.v1.Welcome welcome = 1;
     */
    value: Welcome;
    case: "welcome";
  } | {
    /**
     * An interest is live.
     *
     * @generated from field: poke.v1.Subscribed subscribed = 2;
     */
    value: Subscribed;
    case: "subscribed";
  } | {
    /**
     * An interest is refused or withdrawn.
     *
     * @generated from field: poke.v1.Rejected rejected = 3;
     */
    value: Rejected;
    case: "rejected";
  } | {
    /**
     * A poke.
     *
     * @generated from field: poke.v1.Poke poke = 4;
     */
    value: Poke;
    case: "poke";
  } | {
    /**
     * Something was lost.
     *
     * @generated from field: poke.v1.Gap gap = 5;
     */
    value: Gap;
    case: "gap";
  } | {
    /**
     * There is no more of an interest.
     *
     * @generated from field: poke.v1.Ended ended = 6;
     */
    value: Ended;
    case: "ended";
  } | {
    /**
     * A sign of life, and how far everything is complete.
     *
     * @generated from field: poke.v1.Heartbeat heartbeat = 7;
     */
    value: Heartbeat;
    case: "heartbeat";
  } | {
    /**
     * Move to a new stream.
     *
     * @generated from field: poke.v1.Reconnect reconnect = 8;
     */
    value: Reconnect;
    case: "reconnect";
  } | { case: undefined; value?: undefined };
};

/**
 * Describes the message poke.v1.SubscribeResponse.
 * Use `create(SubscribeResponseSchema)` to create a new message.
 */
export const SubscribeResponseSchema: GenMessage<SubscribeResponse> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 10);

/**
 * Welcome is the first event of each stream, sent at once.
 *
 * @generated from message poke.v1.Welcome
 */
export type Welcome = Message<"poke.v1.Welcome"> & {
  /**
   * Names the stream in the server's log. Opaque.
   *
   * @generated from field: string stream_id = 1;
   */
  streamId: string;

  /**
   * How long the server stays silent at most. Silence of 2.5 intervals means that the connection is lost: the client
   * MUST open a new stream, and SHOULD double its patience each time that this happens again in a row.
   *
   * @generated from field: google.protobuf.Duration heartbeat_interval = 2;
   */
  heartbeatInterval?: Duration | undefined;

  /**
   * What this server accepts.
   *
   * @generated from field: poke.v1.Limits limits = 3;
   */
  limits?: Limits | undefined;

  /**
   * After a loss that wasn't announced, or of a stream that it couldn't replace in time after `reconnect`, the client
   * waits for a uniformly random part of this before its first retry, so that the clients of a node that is gone don't
   * come back in one instant. RetryInfo comes on top.
   *
   * @generated from field: google.protobuf.Duration reconnect_spread = 4;
   */
  reconnectSpread?: Duration | undefined;
};

/**
 * Describes the message poke.v1.Welcome.
 * Use `create(WelcomeSchema)` to create a new message.
 */
export const WelcomeSchema: GenMessage<Welcome> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 11);

/**
 * Limits are the bounds that a client can run into.
 *
 * @generated from message poke.v1.Limits
 */
export type Limits = Message<"poke.v1.Limits"> & {
  /**
   * Interests on one stream, after deduplication. A client with more asks for those that were added first, and for the
   * others as soon as there is room.
   *
   * @generated from field: int32 max_interests = 1;
   */
  maxInterests: number;

  /**
   * Bytes of a poke: fields 1 to 3 of Poke.
   *
   * @generated from field: int32 max_poke_bytes = 2;
   */
  maxPokeBytes: number;

  /**
   * Arrays and objects nested in data.
   *
   * @generated from field: int32 max_data_depth = 3;
   */
  maxDataDepth: number;

  /**
   * For how long pokes, idempotency keys and ends are kept.
   *
   * @generated from field: google.protobuf.Duration retention_window = 4;
   */
  retentionWindow?: Duration | undefined;
};

/**
 * Describes the message poke.v1.Limits.
 * Use `create(LimitsSchema)` to create a new message.
 */
export const LimitsSchema: GenMessage<Limits> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 12);

/**
 * Subscribed says that an interest is live on this stream.
 *
 * @generated from message poke.v1.Subscribed
 */
export type Subscribed = Message<"poke.v1.Subscribed"> & {
  /**
   * The interest, as requested.
   *
   * @generated from field: poke.v1.Interest interest = 1;
   */
  interest?: Interest | undefined;

  /**
   * Where this stream starts: everything after it follows. From here on a client that moves from an old stream drops
   * the old stream's events for this interest.
   *
   * @generated from field: poke.v1.Position position = 2;
   */
  position?: Position | undefined;

  /**
   * How it starts.
   *
   * @generated from field: poke.v1.Outcome outcome = 3;
   */
  outcome: Outcome;
};

/**
 * Describes the message poke.v1.Subscribed.
 * Use `create(SubscribedSchema)` to create a new message.
 */
export const SubscribedSchema: GenMessage<Subscribed> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 13);

/**
 * Rejected says that an interest isn't, or is no longer, served on this stream. It can follow Subscribed. The other
 * interests go on.
 *
 * @generated from message poke.v1.Rejected
 */
export type Rejected = Message<"poke.v1.Rejected"> & {
  /**
   * The interest as requested; when it is malformed, cut to its limits in length.
   *
   * @generated from field: poke.v1.Interest interest = 1;
   */
  interest?: Interest | undefined;

  /**
   * A google.rpc.Code, from the table of errors above.
   *
   * @generated from field: int32 code = 2;
   */
  code: number;

  /**
   * UPPER_SNAKE, from the same table.
   *
   * @generated from field: string reason = 3;
   */
  reason: string;

  /**
   * For people. Under 1 KB.
   *
   * @generated from field: string message = 4;
   */
  message: string;

  /**
   * When to ask again. Absent: it is final, the client MUST NOT ask again by itself.
   *
   * @generated from field: google.protobuf.Duration retry_delay = 5;
   */
  retryDelay?: Duration | undefined;
};

/**
 * Describes the message poke.v1.Rejected.
 * Use `create(RejectedSchema)` to create a new message.
 */
export const RejectedSchema: GenMessage<Rejected> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 14);

/**
 * Gap says that everything which the client had not seen up to and including `position` is lost to it. The client
 * SHOULD reload its state from where that lives. Everything after `position` follows: all that is retained there, so
 * that a client which moves to a new server sees what was published on it before it came.
 *
 * @generated from message poke.v1.Gap
 */
export type Gap = Message<"poke.v1.Gap"> & {
  /**
   * The interest. Absent: all interests of this stream.
   *
   * @generated from field: poke.v1.Interest interest = 1;
   */
  interest?: Interest | undefined;

  /**
   * Why.
   *
   * @generated from field: poke.v1.GapReason reason = 2;
   */
  reason: GapReason;

  /**
   * Up to where. A client whose saved position is of the same epoch and at or past it ignores the gap, except for
   * GAP_REASON_EPOCH_CHANGED, which always counts: the client saves this position in place of its own.
   *
   * @generated from field: poke.v1.Position position = 3;
   */
  position?: Position | undefined;

  /**
   * With GAP_REASON_LAGGED only: how many pokes this stream missed.
   *
   * @generated from field: optional int64 missed_count = 4;
   */
  missedCount?: bigint | undefined;

  /**
   * The client waits for a uniformly random part of this before it reloads, so that a million clients don't call the
   * app's back end at once. Absent or zero: at once.
   *
   * @generated from field: google.protobuf.Duration reload_spread = 5;
   */
  reloadSpread?: Duration | undefined;
};

/**
 * Describes the message poke.v1.Gap.
 * Use `create(GapSchema)` to create a new message.
 */
export const GapSchema: GenMessage<Gap> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 15);

/**
 * Ended says that there is no more of this interest. It comes after every earlier poke. The client stops and MUST NOT
 * retry. When all interests of a stream have ended or were finally rejected, the server closes it with OK.
 *
 * @generated from message poke.v1.Ended
 */
export type Ended = Message<"poke.v1.Ended"> & {
  /**
   * The interest.
   *
   * @generated from field: poke.v1.Interest interest = 1;
   */
  interest?: Interest | undefined;

  /**
   * The end's place in the log.
   *
   * @generated from field: poke.v1.Position position = 2;
   */
  position?: Position | undefined;

  /**
   * The data of the EndInterest call. Absent is undefined.
   *
   * @generated from field: google.protobuf.Value data = 3;
   */
  data?: Value | undefined;
};

/**
 * Describes the message poke.v1.Ended.
 * Use `create(EndedSchema)` to create a new message.
 */
export const EndedSchema: GenMessage<Ended> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 16);

/**
 * Heartbeat is sent when a stream has been idle for heartbeat_interval, at least every 60 s on a busy one, and before
 * Reconnect.
 *
 * @generated from message poke.v1.Heartbeat
 */
export type Heartbeat = Message<"poke.v1.Heartbeat"> & {
  /**
   * At most one for each epoch. Every live interest of this stream in that epoch is complete through it: the client
   * raises what it has saved. That is how a quiet interest resumes without a gap.
   *
   * @generated from field: repeated poke.v1.Position checkpoints = 1;
   */
  checkpoints: Position[];
};

/**
 * Describes the message poke.v1.Heartbeat.
 * Use `create(HeartbeatSchema)` to create a new message.
 */
export const HeartbeatSchema: GenMessage<Heartbeat> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 17);

/**
 * Reconnect asks the client to make before break: at a uniformly random time between min_delay and max_delay it opens a
 * new stream with its full set of interests and positions, and drops this one as soon as the new one is live. Until
 * then this stream goes on, and counts against no limit on streams. Times are durations from the arrival of this event,
 * since phones' clocks are wrong.
 *
 * Except for RECONNECT_REASON_TOKEN_EXPIRING, the server first sends GOAWAY (NO_ERROR) on the HTTP/2 connection and
 * keeps its streams, so that the new one takes a new connection.
 *
 * @generated from message poke.v1.Reconnect
 */
export type Reconnect = Message<"poke.v1.Reconnect"> & {
  /**
   * Not before.
   *
   * @generated from field: google.protobuf.Duration min_delay = 1;
   */
  minDelay?: Duration | undefined;

  /**
   * Not after.
   *
   * @generated from field: google.protobuf.Duration max_delay = 2;
   */
  maxDelay?: Duration | undefined;

  /**
   * When the server will close this stream: with UNAVAILABLE and RetryInfo, or with UNAUTHENTICATED when the token has
   * expired.
   *
   * @generated from field: google.protobuf.Duration closes_after = 3;
   */
  closesAfter?: Duration | undefined;

  /**
   * Why.
   *
   * @generated from field: poke.v1.ReconnectReason reason = 4;
   */
  reason: ReconnectReason;
};

/**
 * Describes the message poke.v1.Reconnect.
 * Use `create(ReconnectSchema)` to create a new message.
 */
export const ReconnectSchema: GenMessage<Reconnect> = /*@__PURE__*/
  messageDesc(file_poke_v1_poke, 18);

/**
 * Audience says to whom a poke goes. It is part of an interest's identity: the same domain and filter with another
 * audience is another interest.
 *
 * @generated from enum poke.v1.Audience
 */
export const Audience = {
  /**
   * Everyone who holds the interest. Any client can receive it: it is not meant for one customer's data.
   *
   * @generated from enum value: AUDIENCE_UNSPECIFIED = 0;
   */
  UNSPECIFIED: 0,

  /**
   * One customer ("classic Poke"). The subscriber never names the customer: the server takes it from the verified
   * token. The publisher does, in `customer_id`. Each customer's interests are a namespace of their own: no domain and
   * filter of another customer, or of everyone, is one of theirs.
   *
   * @generated from enum value: AUDIENCE_CUSTOMER = 1;
   */
  CUSTOMER: 1,
} as const;

/**
 * Audience says to whom a poke goes. It is part of an interest's identity: the same domain and filter with another
 * audience is another interest.
 *
 * @generated from enum poke.v1.Audience
 */
export type Audience = (typeof Audience)[keyof typeof Audience] | UnknownEnum;

/**
 * Describes the enum poke.v1.Audience.
 */
export const AudienceSchema: GenEnum<Audience> = /*@__PURE__*/
  enumDesc(file_poke_v1_poke, 0);

/**
 * Outcome says how a subscription starts.
 *
 * @generated from enum poke.v1.Outcome
 */
export const Outcome = {
  /**
   * Never sent.
   *
   * @generated from enum value: OUTCOME_UNSPECIFIED = 0;
   */
  UNSPECIFIED: 0,

  /**
   * It starts at the head of the log, or just before the newest retained poke if `latest` was asked for.
   *
   * @generated from enum value: OUTCOME_FRESH = 1;
   */
  FRESH: 1,

  /**
   * It goes on after the position that was asked for: nothing is missing.
   *
   * @generated from enum value: OUTCOME_RECOVERED = 2;
   */
  RECOVERED: 2,

  /**
   * It can't go on from there. The interest's Gap is its next event.
   *
   * @generated from enum value: OUTCOME_GAP = 3;
   */
  GAP: 3,
} as const;

/**
 * Outcome says how a subscription starts.
 *
 * @generated from enum poke.v1.Outcome
 */
export type Outcome = (typeof Outcome)[keyof typeof Outcome] | UnknownEnum;

/**
 * Describes the enum poke.v1.Outcome.
 */
export const OutcomeSchema: GenEnum<Outcome> = /*@__PURE__*/
  enumDesc(file_poke_v1_poke, 1);

/**
 * GapReason says why something was lost.
 *
 * @generated from enum poke.v1.GapReason
 */
export const GapReason = {
  /**
   * A reason that this client doesn't know.
   *
   * @generated from enum value: GAP_REASON_UNSPECIFIED = 0;
   */
  UNSPECIFIED: 0,

  /**
   * The position is not of the history that this server holds: after a restart, or because it is garbled or lies in the
   * future.
   *
   * @generated from enum value: GAP_REASON_EPOCH_CHANGED = 1;
   */
  EPOCH_CHANGED: 1,

  /**
   * The position is older than what is retained, or than what one Subscribe replays (see Subscription.start).
   *
   * @generated from enum value: GAP_REASON_EVICTED = 2;
   */
  EVICTED: 2,

  /**
   * This stream read too slowly, and its place was overrun.
   *
   * @generated from enum value: GAP_REASON_LAGGED = 3;
   */
  LAGGED: 3,

  /**
   * The servers lost touch with each other for a while.
   *
   * @generated from enum value: GAP_REASON_BACKPLANE = 4;
   */
  BACKPLANE: 4,
} as const;

/**
 * GapReason says why something was lost.
 *
 * @generated from enum poke.v1.GapReason
 */
export type GapReason = (typeof GapReason)[keyof typeof GapReason] | UnknownEnum;

/**
 * Describes the enum poke.v1.GapReason.
 */
export const GapReasonSchema: GenEnum<GapReason> = /*@__PURE__*/
  enumDesc(file_poke_v1_poke, 2);

/**
 * ReconnectReason says why the client is asked to move.
 *
 * @generated from enum poke.v1.ReconnectReason
 */
export const ReconnectReason = {
  /**
   * A reason that this client doesn't know.
   *
   * @generated from enum value: RECONNECT_REASON_UNSPECIFIED = 0;
   */
  UNSPECIFIED: 0,

  /**
   * The server is going away.
   *
   * @generated from enum value: RECONNECT_REASON_DRAIN = 1;
   */
  DRAIN: 1,

  /**
   * The stream or its connection is old.
   *
   * @generated from enum value: RECONNECT_REASON_MAX_AGE = 2;
   */
  MAX_AGE: 2,

  /**
   * The token is about to expire: refresh it before the new Subscribe.
   *
   * @generated from enum value: RECONNECT_REASON_TOKEN_EXPIRING = 3;
   */
  TOKEN_EXPIRING: 3,

  /**
   * Another node should carry this stream.
   *
   * @generated from enum value: RECONNECT_REASON_REBALANCE = 4;
   */
  REBALANCE: 4,
} as const;

/**
 * ReconnectReason says why the client is asked to move.
 *
 * @generated from enum poke.v1.ReconnectReason
 */
export type ReconnectReason = (typeof ReconnectReason)[keyof typeof ReconnectReason] | UnknownEnum;

/**
 * Describes the enum poke.v1.ReconnectReason.
 */
export const ReconnectReasonSchema: GenEnum<ReconnectReason> = /*@__PURE__*/
  enumDesc(file_poke_v1_poke, 3);

/**
 * PokeService sends pokes and delivers them.
 *
 * It speaks gRPC, gRPC-Web and Connect on one port. The unary methods also take plain JSON over HTTP POST
 * (`content-type: application/json`), so that `curl` needs no library, and Connect's streams come in protobuf or JSON
 * (`application/connect+proto`, `application/connect+json`).
 *
 * @generated from service poke.v1.PokeService
 */
export const PokeService: GenService<{
  /**
   * Publish sends one poke to everyone who holds its interest at this moment, and retains it for those who come back.
   *
   * OK means accepted: the poke has its place in the log, and each subscriber sees it or a Gap. Publish never waits for
   * a subscriber. After UNAVAILABLE or DEADLINE_EXCEEDED the outcome is unknown: retry with the same idempotency_key.
   *
   * @generated from rpc poke.v1.PokeService.Publish
   */
  publish: {
    methodKind: "unary";
    input: typeof PublishRequestSchema;
    output: typeof PublishResponseSchema;
  },
  /**
   * Subscribe opens a stream of events for a set of interests.
   *
   * The set can't change: open a new stream and drop the old one. The first event is always Welcome, at once and without
   * any traffic. Then each interest gets Subscribed or Rejected, in the order of the request; nothing of an interest
   * arrives before its Subscribed. A client SHOULD hold one stream for all its interests.
   *
   * @generated from rpc poke.v1.PokeService.Subscribe
   */
  subscribe: {
    methodKind: "server_streaming";
    input: typeof SubscribeRequestSchema;
    output: typeof SubscribeResponseSchema;
  },
  /**
   * EndInterest tells all subscribers of an interest that there is no more.
   *
   * It is idempotent: the first call's data wins, and repeats return the first position. Once it has answered OK,
   * Publish to the interest is refused on every node (INTEREST_ENDED) for the retention window; a Publish that races
   * with it either precedes the end or is refused. A subscriber who comes late gets Ended at once. After the window the
   * interest can be used afresh, and positions from before the end are answered by a Gap.
   *
   * @generated from rpc poke.v1.PokeService.EndInterest
   */
  endInterest: {
    methodKind: "unary";
    input: typeof EndInterestRequestSchema;
    output: typeof EndInterestResponseSchema;
  },
}> = /*@__PURE__*/
  serviceDesc(file_poke_v1_poke, 0);

