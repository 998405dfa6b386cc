import type { JsonValue } from '../contracts/json.ts';
import type { ToolCall } from '../contracts/sample.ts';

/** JSON on one line with a space after each colon and comma, as ToolRL's data has it. */
function spacedJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([key, field]) => `${JSON.stringify(key)}: ${spacedJson(field)}`,
    );
    return `{${fields.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** A call as one line of JSON. */
export function callLine(call: ToolCall): string {
  return spacedJson({ name: call.name, parameters: call.parameters });
}

/** A thought and calls as one completion in ToolRL's form, one call a line. */
export function completionText(thought: string, lines: readonly string[]): string {
  return `<think>${thought}</think>\n<tool_call>\n${lines.join('\n')}\n</tool_call>`;
}
