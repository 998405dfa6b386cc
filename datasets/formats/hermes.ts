import type { ToolDefinition } from '../../contracts/sample.ts';
import { shownValue } from '../ground-truth.ts';
import { readSpokenText, spokenTurn } from './assistant-text.ts';
import type { Conversation, Turn } from './conversation.ts';
import { withExpressedCalls } from './expressed-calls.ts';
import { isFault, readOptionalText, readRecords, readText, type Read } from './fields.ts';
import { takeTagged } from './tagged-text.ts';
import { takeTaggedTools } from './tagged-tools.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/**
 * Hermes function calling: `conversations` of `system`, `human`, `gpt` and `tool`, the system text there or beside them; tools
 * between `<tools>` and `</tools>` of it, calls between `<tool_call>` and `</tool_call>`, thoughts in a `<scratch_pad>` or a
 * `<think>`.
 */
export const readHermesRow = conversationReader('hermes', readRow);

function readRow(row: Row): Read<Conversation> {
  const entries = readRecords(row['conversations'], 'conversations');
  if (isFault(entries)) return entries;
  let tools: readonly ToolDefinition[] | undefined;
  const turns: Turn[] = [];
  const beside = readOptionalText(row['system'], 'system');
  if (isFault(beside)) return beside;
  const head = takeTaggedTools(beside.value, 'system');
  if (isFault(head)) return head;
  tools = head.value.tools;
  if (head.value.text !== '') turns.push({ role: 'system', content: head.value.text });
  for (const [i, entry] of entries.value.entries()) {
    const field = `conversations[${i}]`;
    const value = readText(entry['value'], `${field}.value`);
    if (isFault(value)) return value;
    if (entry['from'] === 'system') {
      const system = takeTaggedTools(value.value, `${field}.value`);
      if (isFault(system)) return system;
      tools = system.value.tools ?? tools;
      if (system.value.text !== '') turns.push({ role: 'system', content: system.value.text });
      continue;
    }
    const read = readTurns(entry['from'], value.value, field);
    if (isFault(read)) return read;
    for (const turn of read.value) turns.push(turn);
  }
  if (tools === undefined && row['tools'] !== undefined && row['tools'] !== null) {
    const read = readTools(row['tools'], 'tools');
    if (isFault(read)) return read;
    tools = read.value;
  }
  return { value: { tools, turns: withExpressedCalls(turns, tools) } };
}

const NO_RESULTS = { inside: [], outside: '' };

function readTurns(from: unknown, content: string, field: string): Read<readonly Turn[]> {
  switch (from) {
    case 'human':
    case 'user':
      return { value: [{ role: 'user', content }] };
    case 'tool': {
      const { inside: results, outside } = takeTagged(content, 'tool_response') ?? NO_RESULTS;
      if (results.length === 0) return { value: [{ role: 'tool', content }] };
      // What stands around results belongs to them.
      const texts =
        outside === '' ? results : [content.replaceAll(/<\/?tool_response>/gu, '').trim()];
      return { value: texts.map((text) => ({ role: 'tool', content: text })) };
    }
    case 'gpt':
    case 'assistant': {
      const spoken = readSpokenText(content.trim(), `${field}.value`);
      return isFault(spoken) ? spoken : { value: [spokenTurn(spoken.value)] };
    }
    default:
      return {
        field: `${field}.from`,
        reason: `is ${shownValue(from)}: none of system, human, gpt, tool`,
      };
  }
}
