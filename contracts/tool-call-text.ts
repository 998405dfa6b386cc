import { ExactNumber, type ExactRecord, type ExactValue } from './exact-number.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { ChatMessage } from './sample.ts';

/** JSON on one line with a space after each colon and comma, as ToolRL's data has it. */
export function spacedJson(value: JsonValue | ExactValue): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([key, field]) => `${JSON.stringify(key)}: ${spacedJson(field as JsonValue)}`,
    );
    return `{${fields.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** A call as one line of JSON. */
export function callLine(call: {
  readonly name: string;
  readonly parameters: JsonObject | ExactRecord;
}): string {
  return spacedJson({ name: call.name, parameters: call.parameters } as JsonValue);
}

/** Calls between their tags, one a line, as ToolRL's form has them. */
export function callBlock(lines: readonly string[]): string {
  return `<tool_call>\n${lines.join('\n')}\n</tool_call>`;
}

/** A message with the calls of an earlier turn as text, in the form of answers; exactly the message where it has none. */
export function withCallsAsText(message: ChatMessage): ChatMessage {
  const { role, content, calls } = message;
  if (calls === undefined) return message;
  const block = callBlock(calls.map((call) => call.line ?? callLine(call)));
  return { role, content: content === '' ? block : `${content}\n${block}` };
}

/** A thought and calls as one completion in ToolRL's form. */
export function completionText(thought: string, lines: readonly string[]): string {
  return `<think>${thought}</think>\n${callBlock(lines)}`;
}
