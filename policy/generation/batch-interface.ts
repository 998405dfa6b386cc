import type { DecodedToken, DecodeRequest } from '../../contracts/decoding.ts';
import type { Feeds, Session } from '../graph/session.ts';
import type { PrefillRun } from './prefill-run.ts';
import type { GenerationBudget } from './prompt-groups.ts';

/** What a batch is computed with. */
export interface BatchRun extends PrefillRun {
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly budget: GenerationBudget;
  readonly choice: 'mixed';
  readonly decode: Session;
  /** Rotary tables, and the weights that prefill and decoding are fed. */
  readonly prefillFeeds: Feeds;
  readonly decodeFeeds: Feeds;
}

/** A token of the request that was added under this key. */
export interface BatchToken extends DecodedToken {
  readonly key: number;
}

/** A request that ended without what it asked for; others are not concerned. */
export interface BatchFailure {
  readonly key: number;
  readonly error: unknown;
}

/** What a step came to. */
export interface BatchStep {
  readonly tokens: BatchToken[];
  /** Nothing follows of these requests. */
  readonly failures: BatchFailure[];
}

/** A batch that requests join and leave while others are decoded. */
export interface RunningBatch {
  /** Tokens of a prompt and its completion at most: the policy's context, or what the budget has room for. */
  readonly contextLength: number;
  /** @param key names the request; no other one that is here has it. @param request its prompt leaves room for a token */
  readonly add: (key: number, request: DecodeRequest) => void;
  readonly stop: (key: number, index: number) => void;
  /** Whether there is nothing to do. */
  readonly idle: () => boolean;
  /**
   * Lets requests in that wait and fit, and computes one more token for each row.
   * @throws what concerns all; the batch is of no use any more
   */
  readonly step: () => Promise<BatchStep>;
}
