import type {
  ChatMessage,
  CompletionShape,
  DataFormat,
  EarlierCall,
  Provenance,
  Sample,
  ToolDefinition,
} from '../../contracts/sample.ts';
import { callBlock, callLine } from '../../contracts/tool-call-text.ts';
import { readGroundTruth } from '../ground-truth.ts';
import { isFault, type Read } from './fields.ts';
import type { WrittenCall } from './exact-values.ts';

/** What the assistant did in one turn. */
export interface AssistantTurn {
  readonly role: 'assistant';
  /** What it thought, where the source tells; null: it does not. A prompt does not repeat it. */
  readonly thought: string | null;
  /** What it called; empty: nothing. */
  readonly calls: readonly WrittenCall[];
  /** What it answered in words; null: nothing. */
  readonly answer: string | null;
  /** What a later prompt shows as its words. */
  readonly shown: string;
  /** Whether it is to be learned; else it is context alone. */
  readonly learned: boolean;
}

/** A turn that answers in words. */
export function answered(words: string): AssistantTurn {
  return {
    role: 'assistant',
    thought: null,
    calls: [],
    answer: words,
    shown: words,
    learned: true,
  };
}

/** A turn of calls, and nothing else. */
export function called(calls: readonly WrittenCall[]): AssistantTurn {
  return { role: 'assistant', thought: null, calls, answer: null, shown: '', learned: true };
}

/** One turn of a conversation as a reader understood it. */
export type Turn = ChatMessage | AssistantTurn;

/** A conversation, normalised; what a row of any format but rlla becomes. */
export interface Conversation {
  /** Undefined: told in the messages themselves. */
  readonly tools: readonly ToolDefinition[] | undefined;
  readonly turns: readonly Turn[];
  /** What a converted row remembers of its only turn that is to be learned. */
  readonly remembered?: Partial<Pick<Sample, 'allowedValues' | 'level'>>;
}

/** What is asked for where the right answer is to call nothing, and the source has no words for it. */
export const NO_TOOL_FITS = 'None of the tools can be used for this.';

/**
 * Characters of all samples of a row together: each repeats what came before it, so a conversation grows with the square of
 * its turns. Real ones stay below a hundredth of this.
 */
const MAX_CHARACTERS = 2 ** 28;

/** What a message takes besides its text. */
const MESSAGE_CHARACTERS = 100;

/**
 * A sample for each turn of the assistant that is to be learned, with the turns before it as its prompt. A turn without
 * anything before it has no prompt: it is context alone.
 *
 * @param id of the only sample; in a conversation `-<turn>` is added
 */
export function conversationSamples(
  { tools, turns, remembered }: Conversation,
  id: string,
  provenance: Provenance,
  isConversation: boolean,
): Read<readonly Sample[]> {
  const learned = turns.filter((each) => isAssistant(each) && each.learned).length;
  if (learned * charactersOf(tools, turns) > MAX_CHARACTERS) {
    return {
      reason: `is too long a conversation: ${learned} turns to learn, ${turns.length} in all`,
    };
  }
  const samples: Sample[] = [];
  const messages: ChatMessage[] = [];
  let turn = 0;
  for (const each of turns) {
    if (!isAssistant(each)) {
      messages.push(each);
      continue;
    }
    turn++;
    if (each.learned && messages.length > 0) {
      const truth = groundTruthOf(each);
      if (isFault(truth)) return isConversation ? inTurn(truth.reason, turn) : truth;
      samples.push({
        id: isConversation ? `${id}-${String(turn).padStart(2, '0')}` : id,
        messages: [...messages],
        ...(tools === undefined ? {} : { tools }),
        ...truth.value,
        level: null,
        ...remembered,
        provenance: isConversation ? { ...provenance, turn } : provenance,
      });
    }
    messages.push(asMessage(each));
  }
  if (samples.length > 0) return { value: samples };
  return {
    reason:
      turn === 0 ? 'has no turn of the assistant' : 'has no turn of the assistant to learn from',
  };
}

function charactersOf(tools: Conversation['tools'], turns: readonly Turn[]): number {
  const texts = turns.map((turn) => {
    if (!isAssistant(turn)) return turn.content.length;
    return turn.calls.reduce((sum, { line }) => sum + line.length, turn.shown.length);
  });
  const toolText = tools === undefined ? 0 : JSON.stringify(tools).length;
  return texts.reduce((sum, length) => sum + length + MESSAGE_CHARACTERS, toolText);
}

export function sampleId(format: DataFormat, row: number): string {
  return `${format}-${String(row).padStart(6, '0')}`;
}

const inTurn = (reason: string, turn: number) => ({
  reason: `${reason} (turn ${turn} of the assistant)`,
});

export function isAssistant(turn: Turn): turn is AssistantTurn {
  return 'learned' in turn;
}

const plainCalls = (calls: readonly WrittenCall[]) =>
  calls.map(({ name, parameters }) => ({ name, parameters }));

function asMessage({ shown, calls }: AssistantTurn): ChatMessage {
  return calls.length === 0
    ? { role: 'assistant', content: shown }
    : { role: 'assistant', content: shown, calls: calls.map(earlierCall) };
}

function earlierCall({ name, parameters, line }: WrittenCall): EarlierCall {
  const plain = { name, parameters };
  return line === callLine(plain) ? plain : { ...plain, line };
}

/** Turns as a prompt shows them. */
export function turnMessages(turns: readonly Turn[]): ChatMessage[] {
  return turns.map((turn) => (isAssistant(turn) ? asMessage(turn) : turn));
}

/** A turn as the completion that is wanted, in ToolRL's form. */
function groundTruthOf({
  thought,
  calls,
  answer,
}: AssistantTurn): Read<Pick<Sample, 'groundTruth' | 'shape' | 'calls'>> {
  if (thought === null && calls.length === 0 && (answer ?? '').trim() === '') {
    return { reason: 'says nothing: it has neither words nor calls nor a thought' };
  }
  const parts = [`<think>${thought ?? ''}</think>`];
  if (calls.length > 0) parts.push(callBlock(calls.map(({ line }) => line)));
  if (answer !== null) parts.push(`<response>${answer}</response>`);
  const groundTruth = parts.join('\n');
  const shape = shapeOf(calls.length > 0, answer !== null);
  // What the turn says may hold the tags of the form: then the text would be read as something else.
  const reading = readGroundTruth(groundTruth);
  if ('problem' in reading || reading.shape !== shape || reading.calls.length !== calls.length) {
    return { reason: "holds tags of ToolRL's form, such as </think> or <response>, in its text" };
  }
  return { value: { groundTruth, shape, calls: plainCalls(calls) } };
}

function shapeOf(hasCalls: boolean, hasAnswer: boolean): CompletionShape {
  if (hasCalls) return hasAnswer ? 'both' : 'call';
  return hasAnswer ? 'response' : 'think';
}
