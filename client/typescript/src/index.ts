export type { Poke, PublishRequest } from "./gen/poke/v1/poke_pb.js";
