import { spacedJson } from '../contracts/tool-call-text.ts';
import { answeredCalls, exactValue } from '../evaluation/answered-calls.ts';
import { firstMark, heldBack } from './partial-match.ts';

/** A call as it is told. */
export interface ToldCall {
  readonly name: string;
  /** JSON; numbers as they were written. */
  readonly arguments: string;
}

/** A part of an answer. */
export type AnswerPart =
  | { readonly kind: 'thought' | 'content'; readonly text: string }
  | { readonly kind: 'call'; readonly call: ToldCall };

/** Takes a completion apart as it comes in. */
export interface AnswerReader {
  readonly push: (text: string) => AnswerPart[];
  /** What was held back; nothing follows. */
  readonly end: () => AnswerPart[];
}

const THINK = '<think>';
const THINK_END = '</think>';
const CALLS = '<tool_call>';
const CALLS_END = '</tool_call>';
/** Tags around an answer in words; they are left out. */
const RESPONSE_TAGS = ['<response>', '</response>'];

/** Reads nothing: all is content. */
export function plainAnswer(): AnswerReader {
  return { push: (text) => (text === '' ? [] : [{ kind: 'content', text }]), end: () => [] };
}

/**
 * Reads an answer in the form that tools are asked for in: a thought, then calls or words. Calls are what the reward reads as
 * calls, and come once their block is whole: a line that is no JSON makes all of it text. All else is content, without white
 * space around it.
 * @param maxCalls further calls are left out
 */
export function createAnswerReader(maxCalls: number): AnswerReader {
  let mode: 'start' | 'thought' | 'words' | 'calls' = 'start';
  let whole = '';
  let rest = '';
  /** White space that is content if more content follows. */
  let space = '';
  let hasContent = false;
  let callsRead = false;
  /** What goes on after the calls. */
  let around: 'thought' | 'words' = 'words';

  const content = (text: string): AnswerPart[] => {
    const all = hasContent ? space + text : text.trimStart();
    const shown = all.trimEnd();
    space = all.slice(shown.length);
    if (shown === '') return [];
    hasContent = true;
    return [{ kind: 'content', text: shown }];
  };
  /** Takes `count` characters off the rest, and `skip` more. */
  const take = (count: number, skip = 0): string => {
    const taken = rest.slice(0, count);
    rest = rest.slice(count + skip);
    return taken;
  };
  const emit = (text: string): AnswerPart[] => {
    if (mode !== 'thought') return content(text);
    return text === '' ? [] : [{ kind: 'thought', text }];
  };
  /** The text so far has its first block of calls. @param block as it was written */
  const closeCalls = (block: string): AnswerPart[] => {
    callsRead = true;
    mode = around;
    const calls = answeredCalls(whole.slice(0, whole.length - rest.length));
    if (calls === null) return content(block);
    return calls.slice(0, maxCalls).map(({ name, parameters }) => ({
      kind: 'call',
      call: { name, arguments: spacedJson(exactValue(parameters)) },
    }));
  };

  /** One part of the rest; null: more text has to come. */
  const next = (): AnswerPart[] | null => {
    switch (mode) {
      case 'start': {
        rest = rest.trimStart();
        if (rest.startsWith(THINK)) {
          take(0, THINK.length);
          mode = 'thought';
        } else if (THINK.startsWith(rest)) {
          return null;
        } else {
          mode = 'words';
        }
        return [];
      }
      case 'calls': {
        const at = rest.indexOf(CALLS_END, CALLS.length);
        return at < 0 ? null : closeCalls(take(at + CALLS_END.length));
      }
      default: {
        const marks = [
          ...(callsRead ? [] : [CALLS]),
          ...(mode === 'thought' ? [THINK_END] : RESPONSE_TAGS),
        ];
        const found = firstMark(rest, marks);
        if (found === null) {
          const told = emit(take(rest.length - heldBack(rest, marks)));
          return told.length === 0 ? null : told;
        }
        const { at, mark } = found;
        const told = emit(take(at, mark === CALLS ? 0 : mark.length));
        around = mark === CALLS && mode === 'thought' ? 'thought' : 'words';
        mode = mark === CALLS ? 'calls' : 'words';
        return told;
      }
    }
  };

  return {
    push: (text) => {
      whole += text;
      rest += text;
      const parts: AnswerPart[] = [];
      for (let part = next(); part !== null; part = next()) parts.push(...part);
      return parts;
    },
    end: () => {
      const last = take(rest.length);
      return mode === 'calls' ? closeCalls(last) : emit(last);
    },
  };
}
