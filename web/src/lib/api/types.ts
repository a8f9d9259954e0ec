/** Short names for the nouns of the API. The shapes come from the OpenAPI document. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Assistant = Schemas["Assistant"];
export type Block = Schemas["Block"];
export type Budget = Schemas["Budget"];
export type Citation = Schemas["Citation"];
export type Corpus = Schemas["Corpus"];
export type Document = Schemas["Document"];
export type DocumentText = Schemas["DocumentText"];
export type Feedback = Schemas["Feedback"];
export type Me = Schemas["Me"];
export type Message = Schemas["Message"];
export type MessageUsage = Schemas["MessageUsage"];
/** What went wrong; some problems are told by the client itself, so the extra members may be absent. */
export type Problem = Pick<Schemas["Problem"], "type" | "title" | "status" | "detail"> & {
  budget?: string;
  resets_at?: string | null;
};
export type Sentence = Schemas["Sentence"];
export type Session = Schemas["Session"];
export type SessionDetail = Schemas["SessionDetail"];
export type UsageReport = Schemas["UsageReport"];
export type UsageRow = Schemas["UsageRow"];

export type Mode = NonNullable<Message["mode"]>;
export type Outcome = NonNullable<Message["outcome"]>;
