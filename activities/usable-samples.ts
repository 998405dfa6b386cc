import { setImmediate } from 'node:timers/promises';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PolicyText } from '../contracts/policy.ts';
import { promptLimit } from '../contracts/run-data.ts';
import type { RejectedRow, Sample } from '../contracts/sample.ts';
import { badRowLimit } from '../datasets/bad-rows.ts';
import { isRejected } from '../datasets/dataset.ts';
import type { IngestedSample } from '../db/corpus-ingestion.ts';
import { groundTruthCalls } from '../dscl/ground-truth.ts';

/** Rows that could not be used, counted; the first ones with their reasons. */
export interface LeftOut {
  /** Of a conversation, each turn of the assistant counts. */
  readonly rows: number;
  readonly rejectedRows: number;
  readonly overlongPrompts: number;
  readonly examples: readonly RejectedRow[];
}

export interface UsableSamples {
  readonly samples: AsyncIterable<IngestedSample>;
  /** What was left out of the samples that were taken so far. */
  leftOut(): LeftOut;
}

/** Examples of rows left out that are kept for people. */
const EXAMPLES = 20;
/** Items that are tokenised between two turns of the event loop: it is all computing, and heartbeats have to get through. */
const BREATH = 64;

/** The {@link promptLimit} of a run. @throws ToolsampleError `config` where there is no room for a prompt */
export function longestPrompt(
  config: Pick<RunConfig, 'maxPromptLength' | 'maxCompletionLength'>,
  contextLength: number,
): number {
  const room = contextLength - config.maxCompletionLength;
  if (room <= 0) {
    throw new ToolsampleError(
      'config',
      `completions of ${config.maxCompletionLength} tokens leave no room for a prompt in the policy's context of ${contextLength}`,
      { at: { field: 'max_completion_length' }, hint: `use less than ${contextLength}` },
    );
  }
  return promptLimit(config, contextLength);
}

/** What a sample has to be to be used. */
export interface UsabilityLimits {
  /** Tokens. */
  readonly promptLimit: number;
  /** Unusable rows that are left out; too long ones do not count. */
  readonly maxBadRows: number;
}

/** A dataset as it is read. */
type Items = AsyncIterable<Sample | RejectedRow> | Iterable<Sample | RejectedRow>;

/**
 * Those samples of a dataset that can be trained and evaluated on; the others are counted. Streams.
 * @throws ToolsampleError `dataset`, while it is read, at the first row that is one unusable too many
 */
export function usableSamples(
  items: Items,
  text: Pick<PolicyText, 'promptLengths'>,
  limits: UsabilityLimits,
): UsableSamples {
  return firstUsableSamples([items], text, { ...limits, most: Number.POSITIVE_INFINITY });
}

/**
 * The first usable samples of each of several datasets, one dataset after the other; those left out on the way to them are
 * counted over all. Each is read no further than that. See {@link usableSamples}.
 */
export function firstUsableSamples(
  sources: Iterable<Items>,
  text: Pick<PolicyText, 'promptLengths'>,
  {
    promptLimit,
    maxBadRows,
    most,
  }: UsabilityLimits & {
    /** Samples of each. */
    readonly most: number;
  },
): UsableSamples {
  const allowBadRow = badRowLimit(maxBadRows);
  let rows = 0;
  let rejectedRows = 0;
  let overlongPrompts = 0;
  const examples: RejectedRow[] = [];
  const leaveOut = (row: RejectedRow): void => {
    if (examples.length < EXAMPLES) examples.push(row);
  };
  function* usable(batch: readonly (IngestedSample | RejectedRow)[]): Generator<IngestedSample> {
    const prompts = batch.flatMap((judged) => ('reason' in judged ? [] : [judged.sample]));
    const lengths = text.promptLengths(prompts).values();
    for (const judged of batch) {
      rows++;
      if ('reason' in judged) {
        allowBadRow(judged);
        rejectedRows++;
        leaveOut(judged);
        continue;
      }
      const tokens = lengths.next().value ?? 0;
      if (tokens > promptLimit) {
        overlongPrompts++;
        leaveOut(rejected(judged.sample, `prompt of ${tokens} tokens, ${promptLimit} at most`));
        continue;
      }
      yield judged;
    }
  }
  async function* filtered(items: Items): AsyncGenerator<IngestedSample> {
    let batch: (IngestedSample | RejectedRow)[] = [];
    for await (const item of items) {
      batch.push(isRejected(item) ? item : judge(item));
      if (batch.length < BREATH) continue;
      yield* usable(batch);
      batch = [];
      await setImmediate();
    }
    yield* usable(batch);
  }
  async function* all(): AsyncGenerator<IngestedSample> {
    for (const items of sources) yield* first(filtered(items), most);
  }
  return {
    samples: all(),
    leftOut: () => ({ rows, rejectedRows, overlongPrompts, examples }),
  };
}

async function* first(
  samples: AsyncIterable<IngestedSample>,
  limit: number,
): AsyncGenerator<IngestedSample> {
  let taken = 0;
  for await (const each of samples) {
    yield each;
    if (++taken >= limit) return;
  }
}

/** The range of a sample's reward; a ground truth that cannot be scored makes it unusable. */
function judge(sample: Sample): IngestedSample | RejectedRow {
  try {
    return groundTruthCalls(sample).length === 0
      ? { sample, rewardMin: 0, rewardMax: 1 }
      : { sample, rewardMin: -3, rewardMax: 4 };
  } catch (error) {
    if (error instanceof ToolsampleError) return rejected(sample, error.message);
    throw error;
  }
}

function rejected({ provenance }: Sample, reason: string): RejectedRow {
  return { file: provenance.source, row: provenance.row, reason };
}
