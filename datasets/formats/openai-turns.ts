import type { ChatMessage } from '../../contracts/sample.ts';
import { isRecord, shownValue } from '../ground-truth.ts';
import { readSpokenText, thoughtBefore, type SpokenText } from './assistant-text.ts';
import type { AssistantTurn, Turn } from './conversation.ts';
import { readCall, type WrittenCall } from './exact-values.ts';
import { isFault, readOptionalText, readRecords, readText, type Read } from './fields.ts';
import type { Row } from './row-reader.ts';

/**
 * Messages of OpenAI's chat format as turns. Results of tools come in the order of their calls, whatever order they are in.
 * @param tags whether thoughts and calls that the assistant's text holds between tags are read as such, or kept as words
 */
export function readTurns(
  value: unknown,
  field: string,
  tags: 'read' | 'kept',
): Read<readonly Turn[]> {
  const entries = readRecords(value, field);
  if (isFault(entries)) return entries;
  const turns: Turn[] = [];
  // Places of the calls of the last turn that made some, by their ids: results may come in another order.
  let places: ReadonlyMap<unknown, number> = new Map();
  let results: { readonly order: number; readonly message: ChatMessage }[] = [];
  const flush = (): void => {
    // Not spread: there may be more of them than a call takes arguments.
    for (const { message } of results.sort((a, b) => a.order - b.order)) turns.push(message);
    results = [];
  };
  for (const [i, entry] of entries.value.entries()) {
    const read = readTurn(entry, `${field}[${i}]`, tags);
    if (isFault(read)) return read;
    const turn = read.value;
    if (turn.role === 'tool') {
      const order = places.get(entry['tool_call_id']) ?? places.size;
      results.push({ order, message: turn });
      continue;
    }
    flush();
    if (turn.role === 'assistant') places = callPlaces(entry);
    turns.push(turn);
  }
  flush();
  return { value: turns };
}

function callPlaces(entry: Row): ReadonlyMap<unknown, number> {
  const calls: unknown = entry['tool_calls'];
  if (!Array.isArray(calls)) return new Map();
  return new Map(
    (calls as readonly unknown[]).map((call, i) => [isRecord(call) ? call['id'] : undefined, i]),
  );
}

const ROLES: { readonly [role: string]: ChatMessage['role'] } = {
  system: 'system',
  developer: 'system',
  user: 'user',
  tool: 'tool',
  function: 'tool',
};

function readTurn(entry: Row, field: string, tags: 'read' | 'kept'): Read<Turn> {
  const given = entry['role'];
  if (given === 'assistant') return readAssistant(entry, field, tags);
  const role = typeof given === 'string' && Object.hasOwn(ROLES, given) ? ROLES[given] : undefined;
  if (role === undefined) {
    return {
      field: `${field}.role`,
      reason: `is ${shownValue(given)}: none of system, user, assistant, tool`,
    };
  }
  const content = readContent(entry['content'], `${field}.content`);
  return isFault(content) ? content : { value: { role, content: content.value ?? '' } };
}

function readAssistant(entry: Row, field: string, tags: 'read' | 'kept'): Read<AssistantTurn> {
  const content = readContent(entry['content'], `${field}.content`);
  if (isFault(content)) return content;
  const refusal = readOptionalText(entry['refusal'], `${field}.refusal`);
  if (isFault(refusal)) return refusal;
  const reasoning = readContent(entry['reasoning_content'], `${field}.reasoning_content`);
  if (isFault(reasoning)) return reasoning;
  const apart = readCalls(entry, field);
  if (isFault(apart)) return apart;
  // OpenAI's servers put what is said instead of an answer beside an empty content.
  const isRefusal = refusal.value !== '' && (content.value ?? '') === '';
  const said = isRefusal ? refusal.value : content.value;
  const learned = entry['weight'] !== 0;
  const asWords = { value: { thought: null, calls: [], words: said ?? '' } };
  const read = tags === 'read' ? readSpoken(said ?? '', apart.value, `${field}.content`) : asWords;
  if (isFault(read) && learned) return read;
  // Nobody learns from a turn that is context alone, so it may say what cannot be read.
  const { thought, calls: tagged, words } = (isFault(read) ? asWords : read).value;
  const calls = apart.value.length > 0 ? apart.value : tagged;
  const hasCalls = calls.length > 0;
  // Words beside calls say why they are made, unless the thought is told apart: then they are an answer.
  const isThought = hasCalls && reasoning.value === null;
  // What is told apart comes first; it may be told to be empty.
  const told = reasoning.value === '' ? (thought ?? '') : (reasoning.value ?? thought);
  const isSilent = words === '' && (hasCalls || thought !== null);
  return {
    value: {
      role: 'assistant',
      thought: isThought ? thoughtBefore(thought, words) : told,
      calls,
      answer: isThought || isSilent || said === null ? null : words,
      shown: words,
      learned,
    },
  };
}

/** The text with the thought and the calls in it. */
function readSpoken(text: string, apart: readonly WrittenCall[], field: string): Read<SpokenText> {
  const read = readSpokenText(text, field);
  if (isFault(read) || read.value.calls.length === 0 || apart.length === 0) return read;
  return {
    field,
    reason: 'has calls in its text, and "tool_calls" besides: leave out one of them',
  };
}

function readCalls(entry: Row, field: string): Read<readonly WrittenCall[]> {
  const { tool_calls: list, function_call: single } = entry;
  const calls: WrittenCall[] = [];
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  if (list !== undefined && list !== null && !Array.isArray(list)) {
    return { field: `${field}.tool_calls`, reason: 'is not a list' };
  }
  for (const [i, item] of items.entries()) {
    const place = `${field}.tool_calls[${i}]`;
    // Some leave out the wrapping.
    const call = readCall(isRecord(item) ? (item['function'] ?? item) : item, place);
    if (isFault(call)) return call;
    calls.push(call.value);
  }
  if (calls.length > 0 || single === undefined || single === null) return { value: calls };
  const call = readCall(single, `${field}.function_call`);
  return isFault(call) ? call : { value: [call.value] };
}

/** A text, a list of parts that are texts, or null. */
function readContent(value: unknown, field: string): Read<string | null> {
  if (value === undefined || value === null) return { value: null };
  if (!Array.isArray(value)) return readText(value, field);
  const texts: string[] = [];
  for (const [i, part] of (value as readonly unknown[]).entries()) {
    // A refusal is told as its text.
    const key = isRecord(part) && part['type'] === 'refusal' ? 'refusal' : 'text';
    if (!isRecord(part) || part['type'] !== key) {
      return { field: `${field}[${i}]`, reason: 'is not a text: only texts can be used' };
    }
    const text = readText(part[key], `${field}[${i}].${key}`);
    if (isFault(text)) return text;
    texts.push(text.value);
  }
  return readText(texts.join(''), field);
}
