import type { JsonObject, JsonValue } from './json.ts';

/** A call of a tool, as ground truth or as predicted by the policy. */
export interface ToolCall {
  readonly name: string;
  readonly parameters: JsonObject;
}

/** A call of an earlier turn. */
export interface EarlierCall extends ToolCall {
  /** The line of JSON that tells it exactly; absent where {@link ToolCall}, which has passed through JavaScript's numbers, does. */
  readonly line?: string;
}

/** A tool that a prompt offers. */
export interface ToolDefinition {
  readonly name: string;
  /** Empty where the source has none. */
  readonly description: string;
  /** JSON Schema of an object: the tool's parameters. */
  readonly parameters: JsonObject;
}

/** One chat message of a prompt. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /** What an earlier turn of the assistant called; absent where it called nothing, and where its text holds the calls. */
  readonly calls?: readonly EarlierCall[];
}

/** What a task's user asked for last; empty for a prompt without a user. */
export function lastRequest(messages: readonly ChatMessage[]): string {
  return messages.findLast(({ role }) => role === 'user')?.content ?? '';
}

/** What the ground truth consists of besides its thought; decides the format that is asked for. */
export const COMPLETION_SHAPES = ['think', 'call', 'response', 'both'] as const;
export type CompletionShape = (typeof COMPLETION_SHAPES)[number];

/** Data formats of files, as they are recognised by content. */
export const DATA_FORMATS = [
  'rlla',
  'xlam',
  'toolace',
  'hermes',
  'apigen-mt',
  'openai',
  'bfcl',
] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];

/** Where a sample comes from. */
export interface Provenance {
  /** `builtin`, `rlla-verl` or `rlla-raw` (rlla's two forms), or another {@link DataFormat}. */
  readonly format: string;
  /** File name (not the full path) or generator name. */
  readonly source: string;
  /** 1-based row in the source; in JSON lines the line. */
  readonly row: number;
  /** 1-based turn of the assistant, where a row is a conversation. */
  readonly turn?: number;
}

/** One task: a prompt and the calls that solve it. The one type that every reader normalises to. */
export interface Sample {
  /** Stable and unique within its corpus, e.g. `builtin-000017`; the same content keeps its id. */
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  /**
   * The tools on offer, shown by the policy's chat template. Absent: the messages themselves tell of tools and of the form
   * of the answer, as rlla's and the built-in ones do.
   */
  readonly tools?: readonly ToolDefinition[];
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

/** What a policy is shown of a sample. */
export type Prompt = Pick<Sample, 'messages' | 'tools'>;

/** A row that could not be used, with the reason; counted and reported, never dropped silently. */
export interface RejectedRow {
  readonly file: string;
  /** 1-based. */
  readonly row: number;
  readonly field?: string;
  readonly reason: string;
}
