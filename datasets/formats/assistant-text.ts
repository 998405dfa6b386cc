import { isRecord } from '../ground-truth.ts';
import { NO_TOOL_FITS, type AssistantTurn } from './conversation.ts';
import { readCall, readValueText, type WrittenCall } from './exact-values.ts';
import { isFault, readEach, type Fault, type Read } from './fields.ts';
import { takeTagged } from './tagged-text.ts';

/** Tags between which data sets write calls: Hermes's, which most have, and Nemotron's. */
const CALL_TAGS = ['tool_call', 'TOOLCALL'] as const;

/** A text of the assistant, taken apart. */
export interface SpokenText {
  /** What stands in a `<think>` at its beginning, or in a `<scratch_pad>`; null: nothing. */
  readonly thought: string | null;
  /** What stands between tags of calls; empty: nothing is called. */
  readonly calls: readonly WrittenCall[];
  /** The rest. Exactly the text where it has no tags. */
  readonly words: string;
}

/**
 * Reads the thought and the calls that a text of the assistant holds between tags. A text with such tags that cannot be read
 * is a fault: taken for words, it would reward the policy for calling nothing.
 */
export function readSpokenText(text: string, field: string): Read<SpokenText> {
  const think = takeThink(text);
  const pads = think === null ? null : takeTagged(think.rest, 'scratch_pad');
  if (think === null || pads === null) {
    return { field, reason: `has a ${think === null ? '<think>' : '<scratch_pad>'} without end` };
  }
  const thoughts = [...think.thoughts, ...pads.inside].filter((each) => each !== '');
  const isTagged = think.thoughts.length + pads.inside.length > 0;
  const read = readTaggedCalls(isTagged ? pads.outside : text, field);
  if (isFault(read)) return read;
  const { calls, words } = read.value;
  if (/<\/?think>/u.test(words)) {
    return {
      field,
      reason: 'has a <think> or </think> besides a thought at its beginning: only that one is read',
    };
  }
  if (words.startsWith('<response>')) {
    return { field, reason: 'has its answer in a <response>: write the words alone' };
  }
  return { value: { thought: thoughts.length === 0 ? null : thoughts.join('\n'), calls, words } };
}

/** A text as a turn: what is said beside calls is why they are made. */
export function spokenTurn({ thought, calls, words }: SpokenText): AssistantTurn {
  const hasCalls = calls.length > 0;
  return {
    role: 'assistant',
    thought: hasCalls ? thoughtBefore(thought, words) : thought,
    calls,
    answer: hasCalls || (words === '' && thought !== null) ? null : words,
    shown: words,
    learned: true,
  };
}

/** The thought of a turn of calls, with the words beside them. */
export function thoughtBefore(thought: string | null, words: string): string {
  return [thought ?? '', words].filter((text) => text !== '').join('\n');
}

/** One thought at the beginning, as models that reason write it; null: it does not end. */
function takeThink(
  text: string,
): { readonly thoughts: readonly string[]; readonly rest: string } | null {
  const [open, close] = ['<think>', '</think>'];
  const from = text.search(/\S/u);
  if (from < 0 || !text.startsWith(open, from)) return { thoughts: [], rest: text };
  const end = text.indexOf(close, from);
  if (end < 0) return null;
  const thought = text.slice(from + open.length, end).trim();
  return { thoughts: [thought], rest: text.slice(end + close.length) };
}

function readTaggedCalls(text: string, field: string): Read<Omit<SpokenText, 'thought'>> {
  const tag = CALL_TAGS.find((name) => text.includes(`<${name}>`) || text.includes(`</${name}>`));
  if (tag === undefined) return { value: { calls: [], words: text } };
  const tagged = takeTagged(text, tag);
  if (tagged === null) return advised({ field, reason: `has a <${tag}> without end` }, tag);
  if (tagged.inside.length === 0) {
    return advised({ field, reason: `has a </${tag}> without beginning` }, tag);
  }
  const calls: WrittenCall[] = [];
  for (const inside of tagged.inside) {
    const read = readCalls(inside, field);
    if (isFault(read)) return advised(read, tag);
    for (const call of read.value) calls.push(call);
  }
  const words = calls.length === 0 && tagged.outside === '' ? NO_TOOL_FITS : tagged.outside;
  return { value: { calls, words } };
}

const advised = ({ reason, ...fault }: Fault, tag: string): Fault => ({
  ...fault,
  reason: `${reason}; calls are <${tag}>{"name": …, "arguments": {…}}</${tag}>, and words do without the tag`,
});

/** One object, several of them a line each, or a list of them, which may be empty: then nothing is called. */
function readCalls(text: string, field: string): Read<readonly WrittenCall[]> {
  const whole = readValueText(text, field);
  const lines = isFault(whole) ? readEach(text.split('\n'), field, readValueText) : whole;
  const read = isFault(lines) ? whole : lines;
  if (isFault(read)) return { field, reason: `has a call that ${read.reason}` };
  const items: unknown = isRecord(read.value) ? [read.value] : read.value;
  if (!Array.isArray(items)) return { field, reason: 'has a call that is not an object' };
  return readEach(items as readonly unknown[], field, readTaggedCall);
}

/** Some have the wrapping of OpenAI's calls. */
function readTaggedCall(item: unknown, field: string): Read<WrittenCall> {
  return readCall(isRecord(item) && isRecord(item['function']) ? item['function'] : item, field);
}
