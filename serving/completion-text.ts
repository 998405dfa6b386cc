import type { PolicyText } from '../contracts/policy.ts';
import { firstMark, heldBack } from './partial-match.ts';

/** What one more token adds to a completion's text. */
export interface AddedText {
  /** May be empty: a character has several tokens, or the text may turn out to be a stop. */
  readonly text: string;
  /** A stop was met: the text ends before it. */
  readonly stopped: boolean;
}

/** A completion's text as its tokens come in. */
export interface CompletionText {
  readonly push: (id: number) => AddedText;
  /** What was held back; nothing follows. */
  readonly end: () => string;
}

const NOTHING: AddedText = { text: '', stopped: false };

/** What a text ends with when a character's tokens are not all there. */
const UNFINISHED = '\uFFFD';

/**
 * Decodes as tokens come in, and ends at any of the stops, which are left out.
 * @param atEnd nobody looks before the end: without stops, all is decoded in one go, which is cheaper
 */
export function createCompletionText(
  text: PolicyText,
  stops: readonly string[],
  atEnd: boolean,
): CompletionText {
  const ids: number[] = [];
  if (atEnd && stops.length === 0) {
    return {
      push: (id) => {
        ids.push(id);
        return NOTHING;
      },
      end: () => text.decode(ids),
    };
  }
  // A token's text may depend on the one before: what is new is told from what the last few tokens were without it.
  let from = 0;
  let known = '';
  let done = 0;
  let pending = '';
  const decoded = (unfinished: boolean): string => {
    const whole = text.decode(ids.slice(from));
    if (!unfinished && whole.endsWith(UNFINISHED)) return '';
    const added = whole.slice(known.length);
    from = done;
    done = ids.length;
    known = text.decode(ids.slice(from));
    return added;
  };
  /** Takes out what can be told. @param held characters that cannot yet */
  const told = (held: number): string => {
    const out = pending.slice(0, pending.length - held);
    pending = pending.slice(out.length);
    return out;
  };
  const add = (added: string): AddedText => {
    pending += added;
    const stop = firstMark(pending, stops);
    if (stop === null) return { text: told(heldBack(pending, stops)), stopped: false };
    const out = pending.slice(0, stop.at);
    pending = '';
    return { text: out, stopped: true };
  };
  return {
    push: (id) => {
      ids.push(id);
      return add(decoded(false));
    },
    end: () => {
      const { text: out } = add(decoded(true));
      return out + told(0);
    },
  };
}
