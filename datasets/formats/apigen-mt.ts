import { shownValue } from '../ground-truth.ts';
import { readSpokenText, spokenTurn } from './assistant-text.ts';
import { called, type Conversation, type Turn } from './conversation.ts';
import { isFault, readEach, readOptionalText, readRecords, readText, type Read } from './fields.ts';
import { readCall, readValueText } from './exact-values.ts';
import { conversationReader, type Row } from './row-reader.ts';
import { readTools } from './tool-definitions.ts';

/**
 * APIGen-MT (and ShareGPT's form with tools in general): `conversations` of `human`, `gpt`, `function_call` and
 * `observation`, `system` and `tools` beside them, the tools and each call as a text of JSON. What `gpt` says may hold calls
 * between tags, too.
 */
export const readApigenMtRow = conversationReader('apigen-mt', readRow);

function readRow(row: Row): Read<Conversation> {
  const system = readOptionalText(row['system'], 'system');
  if (isFault(system)) return system;
  const tools = readTools(row['tools'], 'tools');
  if (isFault(tools)) return tools;
  const entries = readRecords(row['conversations'], 'conversations');
  if (isFault(entries)) return entries;
  const turns: Turn[] = system.value === '' ? [] : [{ role: 'system', content: system.value }];
  const spoken = readEach(entries.value, 'conversations', readTurn);
  if (isFault(spoken)) return spoken;
  return { value: { tools: tools.value, turns: [...turns, ...spoken.value] } };
}

function readTurn(entry: Row, field: string): Read<Turn> {
  const value = readText(entry['value'], `${field}.value`);
  if (isFault(value)) return value;
  const content = value.value;
  switch (entry['from']) {
    case 'system':
      return { value: { role: 'system', content } };
    case 'human':
      return { value: { role: 'user', content } };
    case 'observation':
      return { value: { role: 'tool', content } };
    case 'gpt': {
      const spoken = readSpokenText(content, `${field}.value`);
      return isFault(spoken) ? spoken : { value: spokenTurn(spoken.value) };
    }
    case 'function_call': {
      const read = readValueText(content, `${field}.value`);
      if (isFault(read)) return read;
      const items: readonly unknown[] = Array.isArray(read.value) ? read.value : [read.value];
      const calls = readEach(items, `${field}.value`, readCall);
      if (isFault(calls)) return calls;
      if (calls.value.length === 0) return { field: `${field}.value`, reason: 'calls nothing' };
      return { value: called(calls.value) };
    }
    default:
      return {
        field: `${field}.from`,
        reason: `is ${shownValue(entry['from'])}: none of human, gpt, function_call, observation`,
      };
  }
}
