import type { JsonObject, JsonValue } from './json.ts';

/** A call of a tool, as ground truth or as predicted by the policy. */
export interface ToolCall {
  readonly name: string;
  readonly parameters: JsonObject;
}

/** One chat message of a prompt. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
}

/** What a task's user asked for last; empty for a prompt without a user. */
export function lastRequest(messages: readonly ChatMessage[]): string {
  return messages.findLast(({ role }) => role === 'user')?.content ?? '';
}

/** What the ground truth consists of besides its thought; decides the format that is asked for. */
export const COMPLETION_SHAPES = ['think', 'call', 'response', 'both'] as const;
export type CompletionShape = (typeof COMPLETION_SHAPES)[number];

/** Where a sample comes from. */
export interface Provenance {
  /** Format name, e.g. `builtin`, `rlla-json`, `rlla-parquet`. */
  readonly format: string;
  /** File name (not the full path) or generator name. */
  readonly source: string;
  /** 1-based row in the source. */
  readonly row: number;
}

/** One task: a prompt and the calls that solve it. The one type that every reader normalises to. */
export interface Sample {
  /** Stable and unique within its corpus, e.g. `builtin-000017`; the same content keeps its id. */
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  /** The reference completion in ToolRL's form (`<think>…</think>\n<tool_call>\n{…}\n</tool_call>`). */
  readonly groundTruth: string;
  readonly shape: CompletionShape;
  /** The ground-truth calls, parsed. Empty for shapes `think` and `response`. */
  readonly calls: readonly ToolCall[];
  /**
   * For value mode `bfcl`: allowed values per call and parameter (`""` in a list marks the parameter optional).
   * Absent: each ground-truth value is the only allowed one.
   */
  readonly allowedValues?: readonly { readonly [parameter: string]: readonly JsonValue[] }[];
  /** Difficulty level where the source knows one (the built-in generator: 0 to 4). */
  readonly level: number | null;
  readonly provenance: Provenance;
}

/** A row that could not be used, with the reason; counted and reported, never dropped silently. */
export interface RejectedRow {
  readonly file: string;
  /** 1-based. */
  readonly row: number;
  readonly field?: string;
  readonly reason: string;
}
