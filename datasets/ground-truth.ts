import { ExactNumber } from '../contracts/exact-number.ts';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { CompletionShape, ToolCall } from '../contracts/sample.ts';
import { inShort } from '../contracts/shown-value.ts';

/** What a ground truth asks for; or why it cannot be one. */
export type GroundTruthReading =
  | { readonly shape: CompletionShape; readonly calls: readonly ToolCall[] }
  | { readonly problem: string };

const THOUGHT_BEGIN = '<think>';
const THOUGHT_END = '</think>';

/** What follows the thought's first end that it can follow, and what the text ends with. [ToolRL] */
const FORMS: {
  readonly [shape in CompletionShape]: { readonly after: string; readonly last: string };
} = {
  think: { after: THOUGHT_END, last: '' },
  call: { after: '</think>\n<tool_call>\n', last: '\n</tool_call>' },
  response: { after: '</think>\n<response>', last: '</response>' },
  both: { after: '</think>\n<tool_call>\n', last: '</response>' },
};

/** Between the calls and the answer. */
const ANSWER = '\n</tool_call>\n<response>';

/** Deeper values are refused: nothing real has them, and they overflow the stack of whoever walks them. */
const MAX_DEPTH = 64;

/**
 * Reads a ground truth in ToolRL's form: its shape from the tags after the thought, its calls one JSON object a line.
 * Where the thought talks about tags, ToolRL's scorer faults even the ground truth's own format; another thought passes.
 */
export function readGroundTruth(text: string): GroundTruthReading {
  const shape = shapeOf(text);
  const lines = callLines(text.endsWith('\n') ? text.slice(0, -1) : text, shape);
  if (lines === null) {
    return { problem: "is not in ToolRL's form <think>…</think>, then <tool_call> or <response>" };
  }
  const calls: ToolCall[] = [];
  for (const line of lines) {
    const call = readCall(line);
    if (typeof call === 'string') return { problem: call };
    calls.push(call);
  }
  return { shape, calls };
}

/**
 * The lines of calls of a text in one of ToolRL's forms; null: it is not in that form. In linear time, where a regular
 * expression tries every end of a thought with every end of the calls.
 */
export function callLines(text: string, shape: CompletionShape): readonly string[] | null {
  const { after, last } = FORMS[shape];
  const end = text.length - last.length;
  const at = text.indexOf(after, THOUGHT_BEGIN.length);
  const from = at + after.length;
  if (!text.startsWith(THOUGHT_BEGIN) || !text.endsWith(last) || at < 0 || from > end) return null;
  if (shape === 'response') return [];
  if (shape === 'think') return from === end ? [] : null;
  const close = shape === 'call' ? end : text.lastIndexOf(ANSWER, end - ANSWER.length);
  return close < from ? null : text.slice(from, close).split('\n');
}

/** From what follows the thought: a thought may talk about tags, as some of ToolRL's distilled ones do. */
function shapeOf(text: string): CompletionShape {
  const end = text.indexOf(THOUGHT_END);
  const answer = end < 0 ? '' : text.slice(end + THOUGHT_END.length);
  if (answer.startsWith('\n<response>')) return 'response';
  if (!answer.startsWith('\n<tool_call>')) return 'think';
  return answer.includes('\n</tool_call>\n<response>') ? 'both' : 'call';
}

/** A call, or why the line is none. */
function readCall(line: string): ToolCall | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return `has a call that is not JSON: ${excerpt(line)}`;
  }
  if (!isRecord(value)) return `has a call that is not a JSON object: ${excerpt(line)}`;
  const { name, parameters } = value;
  if (typeof name !== 'string') return `has a call without a "name": ${excerpt(line)}`;
  if (!isRecord(parameters)) return `has a call without "parameters": ${excerpt(line)}`;
  const fault = textFault(name) ?? valueFault(parameters, 0);
  return fault === undefined ? { name, parameters: parameters as JsonObject } : `has ${fault}`;
}

/** Why a value cannot be one of a call's: too deep, or text that Postgres cannot store. */
export function valueFault(value: unknown, depth: number): string | undefined {
  if (depth > MAX_DEPTH) return `values nested deeper than ${MAX_DEPTH} levels`;
  if (typeof value === 'string') return textFault(value);
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, field] of Object.entries(value as { [key: string]: JsonValue })) {
    const fault = textFault(key) ?? valueFault(field, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Text that Postgres cannot store as it is. */
export function textFault(text: string): string | undefined {
  if (text.includes('\0')) return 'a NUL character';
  return /\p{Surrogate}/u.test(text) ? 'half of a surrogate pair' : undefined;
}

/** An object that is neither null nor a list, nor a number as it was written. */
export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ExactNumber)
  );
}

/** The beginning of a text, on one line, to be recognised in a message. */
export function excerpt(text: string): string {
  return inShort(text.trim());
}

/** A value as a message repeats it. */
export function shownValue(value: unknown): string {
  return value === undefined ? 'missing' : excerpt(JSON.stringify(value));
}
