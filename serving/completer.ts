import { randomUUID } from 'node:crypto';
import { hashSeed } from '../contracts/hash.ts';
import type { DecodedToken, Decoder, DecoderLimits } from '../contracts/decoding.ts';
import type { FinishReason, PolicyText } from '../contracts/policy.ts';
import { ApiError } from './api-error.ts';
import { createCompletionText, type CompletionText } from './completion-text.ts';
import { createInbox } from './inbox.ts';
import { badField } from './request-body.ts';
import type { Settings } from './sampling-fields.ts';

/** Prompts to complete as a request asks for it. */
export interface Job extends Pick<Settings, 'n' | 'sampling' | 'seed' | 'stop' | 'stream'> {
  /** Ids of each. */
  readonly prompts: readonly (readonly number[])[];
  readonly topLogprobs: number | null;
  /** The field that the prompts come from. */
  readonly param: string;
}

/** What one step of the batch adds to a completion. */
export interface Piece {
  /** Which of the request's completions. */
  readonly index: number;
  /** May be empty. */
  readonly text: string;
  readonly token: DecodedToken;
  /** Null: it goes on. */
  readonly finishReason: FinishReason | null;
}

export interface CompleterOptions {
  readonly decoder: Decoder;
  readonly text: PolicyText;
  readonly limits: DecoderLimits;
  /** Completions under way at once. */
  readonly rows: number;
  /** Completions that may wait for a place; one more is refused. */
  readonly queue: number;
  /** After which a request is given up. */
  readonly seconds: number;
}

/** Completes prompts for many at once. */
export interface Completer {
  /**
   * Begins all at once, or refuses all at once; each prompt's pieces come as they are made, until all of its completions ended.
   * @param signal gives up: places are free again
   * @throws ApiError 400 when a prompt leaves no room, or there will never be as many places; 429 when too many wait; 504 later,
   *   after too long
   */
  readonly complete: (job: Job, signal: AbortSignal) => AsyncIterable<Piece>[];
}

/** Durations of so many of the last requests tell how long to wait before asking again. */
const REMEMBERED = 16;
const LONGEST_WAIT_SECONDS = 60;

/** A decoder's places, and a queue before them that has an end. */
export function createCompleter(options: CompleterOptions): Completer {
  const { decoder, text, rows, queue, seconds } = options;
  const durations: number[] = [];
  let taken = 0;

  const refuseIfFull = (wanted: number, param: string): void => {
    const places = rows + queue;
    if (wanted > places) {
      const problem = `asks for ${wanted} completions; this server has places for ${places}`;
      throw badField(param, problem);
    }
    if (taken + wanted <= places) return;
    const mean = durations.reduce((sum, each) => sum + each, 0) / Math.max(1, durations.length);
    const wait = Math.min(LONGEST_WAIT_SECONDS, Math.max(1, Math.ceil(mean)));
    throw new ApiError(429, `${taken} completions are under way or wait; try again later`, {
      code: 'rate_limit_exceeded',
      headers: { 'Retry-After': String(wait) },
    });
  };

  /** Begins one of a job's prompts, whose places are taken. */
  const begin = (job: Job, ids: readonly number[], signal: AbortSignal): AsyncIterable<Piece> => {
    const started = performance.now();
    const inbox = createInbox<readonly DecodedToken[]>();
    const decoding = decoder.decode(
      { ids, seeds: seedsOf(job), sampling: job.sampling, topLogprobs: job.topLogprobs ?? 0 },
      { onTokens: inbox.put, onFailure: inbox.fail },
    );
    const open = new Set(Array.from({ length: job.n }, (_, index) => index));
    const limit = timeLimit(seconds);
    const either = AbortSignal.any([signal, limit.signal]);
    let over = false;
    /** Gives all that is taken back, once. */
    const leave = (): void => {
      if (over) return;
      over = true;
      limit.clear();
      either.removeEventListener('abort', giveUp);
      for (const index of open) decoding.stop(index);
      taken -= job.n;
      durations.push((performance.now() - started) / 1000);
      if (durations.length > REMEMBERED) durations.shift();
    };
    const giveUp = (): void => {
      leave();
      inbox.fail(either.reason);
    };
    either.addEventListener('abort', giveUp);
    return pieces(job, text, { inbox, open, stop: decoding.stop, leave });
  };

  return {
    complete: (job, signal) => {
      for (const ids of job.prompts) checkRoom(options, ids, job.param);
      signal.throwIfAborted();
      const wanted = job.prompts.length * job.n;
      refuseIfFull(wanted, job.param);
      taken += wanted;
      return job.prompts.map((ids) => begin(job, ids, signal));
    },
  };
}

/** @throws ApiError 400 for a prompt that leaves no room for a token */
function checkRoom(
  { text, limits: { contextLength } }: CompleterOptions,
  { length }: readonly number[],
  param: string,
): void {
  if (length === 0) throw badField(param, 'is empty');
  if (length < contextLength) return;
  const whose =
    contextLength < text.contextLength
      ? `what this server keeps of a prompt and its completion, ${contextLength} tokens`
      : `the policy's context of ${contextLength}`;
  const problem = `has ${length} tokens, which leaves no room in ${whose}`;
  throw badField(param, problem, 'context_length_exceeded');
}

/** A job under way. */
interface Underway {
  readonly inbox: AsyncIterable<readonly DecodedToken[]>;
  /** Indexes of the completions that go on. */
  readonly open: Set<number>;
  readonly stop: (index: number) => void;
  /** It is over, or nobody waits for it any more. */
  readonly leave: () => void;
}

async function* pieces(
  { n, stop: stops, stream }: Job,
  text: PolicyText,
  { inbox, open, stop, leave }: Underway,
): AsyncGenerator<Piece> {
  const texts = Array.from({ length: n }, () => createCompletionText(text, stops, !stream));
  try {
    for await (const tokens of inbox) {
      for (const token of tokens) {
        if (!open.has(token.index)) continue;
        const piece = pieceOf(token, texts[token.index]!);
        if (piece.finishReason !== null) {
          open.delete(token.index);
          stop(token.index);
        }
        yield piece;
      }
      if (open.size === 0) return;
    }
  } finally {
    leave();
  }
}

/** What a token adds. */
function pieceOf(token: DecodedToken, completion: CompletionText): Piece {
  const { index } = token;
  const added = completion.push(token.id);
  if (added.stopped) return { index, text: added.text, token, finishReason: 'stop' };
  if (token.finishReason === null) return { index, text: added.text, token, finishReason: null };
  return { index, text: added.text + completion.end(), token, finishReason: token.finishReason };
}

/** The same for the same seed and index, whatever else is asked for. */
function seedsOf({ seed, n }: Job): number[] {
  const from = seed ?? randomUUID();
  return Array.from({ length: n }, (_, index) => hashSeed('serving', from, index));
}

/** A request that takes too long is not to be made again. */
function timeLimit(seconds: number): { readonly signal: AbortSignal; readonly clear: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const problem = `not done after ${seconds} s, the time limit of this server`;
    controller.abort(
      new ApiError(504, problem, { code: 'timeout', headers: { 'x-should-retry': 'false' } }),
    );
  }, 1000 * seconds);
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
    },
  };
}
