import type { ChatMessage, Sample, ToolCall } from '../contracts/sample.ts';
import type { JsonObject } from '../contracts/json.ts';
import { spacedJson } from '../contracts/tool-call-text.ts';
import { callLines, isRecord } from './ground-truth.ts';
import { isFault } from './formats/fields.ts';
import { readValueText } from './formats/exact-values.ts';

/**
 * A sample as a row of OpenAI's chat format, which is the canonical one: read again, it gives the same sample, but for its
 * id and provenance. The last message is what is to be learned; turns of the assistant before it have `weight` 0. What the
 * format has no place for is under `toolsample`: where the sample came from, and BFCL's allowed values.
 */
export function openaiRow(sample: Sample): JsonObject {
  const { messages, tools, provenance, allowedValues, level, id } = sample;
  let calls = 0;
  const nextId = (): string => `call_${++calls}`;
  // Results answer the calls of the turn before them in order.
  let open: string[] = [];
  const context = messages.map((message) => {
    if (message.role === 'tool') {
      return { role: 'tool', tool_call_id: open.shift() ?? nextId(), content: message.content };
    }
    const row = contextMessage(message, nextId);
    open = row.ids;
    return row.message;
  });
  return {
    messages: [...context, answerMessage(sample, nextId)],
    ...(tools === undefined
      ? {}
      : { tools: tools.map((tool) => ({ type: 'function', function: { ...tool } })) }),
    toolsample: {
      id,
      source: { ...provenance },
      ...(level === null ? {} : { level }),
      ...(allowedValues === undefined ? {} : { allowed_values: allowedValues }),
    },
  };
}

function contextMessage(
  { role, content, calls }: ChatMessage,
  nextId: () => string,
): { readonly message: JsonObject; readonly ids: string[] } {
  if (role !== 'assistant') return { message: { role, content }, ids: [] };
  const ids = (calls ?? []).map(nextId);
  const written = (calls ?? []).map((call, i) =>
    toolCall(
      call,
      call.line === undefined ? JSON.stringify(call.parameters) : argumentsOf(call.line, call),
      ids[i] ?? '',
    ),
  );
  const toolCalls = written.length === 0 ? {} : { tool_calls: written };
  return { message: { role, content, ...toolCalls, weight: 0 }, ids };
}

function answerMessage(sample: Sample, nextId: () => string): JsonObject {
  const { groundTruth, shape, calls } = sample;
  const thought = between(groundTruth, '<think>', '</think>');
  const answer = shape === 'response' || shape === 'both' ? responseOf(groundTruth) : null;
  const exact = exactArguments(sample);
  return {
    role: 'assistant',
    // Told apart wherever the words beside it would be taken for it, or there is nothing else.
    ...(thought === '' && shape !== 'both' && shape !== 'think' && answer?.trim() !== ''
      ? {}
      : { reasoning_content: thought }),
    content: answer,
    ...(calls.length === 0
      ? {}
      : { tool_calls: calls.map((call, i) => toolCall(call, exact[i] ?? '{}', nextId())) }),
  };
}

function toolCall({ name }: ToolCall, parameters: string, id: string): JsonObject {
  return { id, type: 'function', function: { name, arguments: parameters } };
}

/** Arguments as the ground truth has them: `calls` have passed through JavaScript's numbers. */
function exactArguments({ groundTruth, shape, calls }: Sample): readonly string[] {
  const lines = callLines(
    groundTruth.endsWith('\n') ? groundTruth.slice(0, -1) : groundTruth,
    shape,
  );
  return calls.map((call, i) => argumentsOf(lines?.[i] ?? '', call));
}

/** As the line of a call has them; where it cannot be read, as the call has them. */
function argumentsOf(line: string, call: ToolCall): string {
  const read = readValueText(line, 'call');
  const parameters = isFault(read) || !isRecord(read.value) ? undefined : read.value['parameters'];
  return isRecord(parameters) ? spacedJson(parameters) : spacedJson(call.parameters);
}

/** Up to the first end, as a reward reads it. */
function between(text: string, open: string, close: string): string {
  return text.slice(open.length, Math.max(open.length, text.indexOf(close, open.length)));
}

function responseOf(groundTruth: string): string {
  const open = '\n<response>';
  const from = groundTruth.indexOf(open, groundTruth.indexOf('</think>')) + open.length;
  return groundTruth.slice(from, groundTruth.lastIndexOf('</response>'));
}
