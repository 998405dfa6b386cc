import type { RunConfig } from './config.ts';

/** What a run trains on and is evaluated on, as it was prepared. */
export interface RunDataStatus {
  /** To train on. */
  readonly samples: number;
  /** Tokens of a prompt at most; samples with longer ones are left out. */
  readonly promptLimit: number;
  /** Data of which something was left out: why, row by row, is in `events`, kind `rejected-rows`. */
  readonly leftOut: readonly LeftOutRows[];
  /** Empty: nothing is held out, and the run is never evaluated. */
  readonly heldOut: readonly HeldOutSplit[];
}

export interface LeftOutRows {
  /** `train`, or a held-out split. */
  readonly part: string;
  /** That were read. */
  readonly rows: number;
  readonly rejectedRows: number;
  readonly overlongPrompts: number;
}

export interface HeldOutSplit {
  readonly split: string;
  readonly samples: number;
}

/** Tokens that a prompt may have, so that a whole completion still fits the policy's context. */
export function promptLimit(
  config: Pick<RunConfig, 'maxPromptLength' | 'maxCompletionLength'>,
  contextLength: number,
): number {
  return Math.min(config.maxPromptLength, contextLength - config.maxCompletionLength);
}
