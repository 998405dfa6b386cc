import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { SUITE_SPLIT } from '../contracts/evaluation-plan.ts';
import type { PolicyText } from '../contracts/policy.ts';
import type { Sample } from '../contracts/sample.ts';
import { builtinEvaluation } from '../datasets/builtin/corpus.ts';
import { EVALUATION_SPLITS } from '../datasets/builtin/splits.ts';
import { isRejected, openDataset, readSamples } from '../datasets/dataset.ts';
import { contentKey, HeldOutDraw } from '../datasets/held-out.ts';
import type { Database } from '../db/connection.ts';
import { ingestCorpus, type IngestedCorpus, type IngestedSample } from '../db/corpus-ingestion.ts';
import { suiteFiles } from '../evaluation/suite-files.ts';
import {
  firstUsableSamples,
  longestPrompt,
  usableSamples,
  type LeftOut,
} from './usable-samples.ts';

/** Data as it was stored, with what was left out of it. */
export interface StoredData extends IngestedCorpus {
  /** File, or generator. */
  readonly source: string;
  readonly leftOut: LeftOut;
}

export interface RunData {
  readonly train: StoredData;
  readonly splits: readonly (StoredData & { readonly split: string })[];
}

/**
 * Reads the data of a run into Postgres: the training corpus and the held-out splits. Streams: a large corpus is never in
 * memory as a whole. To be called in a transaction.
 *
 * @throws ToolsampleError `dataset` or `not-found` when there is nothing to train or evaluate on
 */
export async function ingestRunData(
  tx: Database,
  config: RunConfig,
  text: PolicyText,
): Promise<RunData> {
  const promptLimit = longestPrompt(config, text.contextLength);
  const limits = { promptLimit, maxBadRows: config.maxBadRows };
  const isHeldOut = await heldOutTest(config);
  const held: IngestedSample[] = [];
  const all = usableSamples(openDataset(config.data, config), text, limits);
  const corpus = await ingestCorpus(
    tx,
    config.data,
    without(all.samples, isHeldOut, (sample) => held.push(sample)),
  );
  const train = { ...corpus, source: config.data, leftOut: all.leftOut() };
  requireSamples(train, promptLimit);

  const store = async (
    split: string,
    source: string,
    sources: Parameters<typeof firstUsableSamples>[0],
  ): Promise<RunData['splits'][number]> => {
    const usable = firstUsableSamples(sources, text, { ...limits, most: config.evalSize });
    const stored = await ingestCorpus(tx, source, usable.samples);
    const data = { ...stored, split, source, leftOut: usable.leftOut() };
    requireSamples(data, promptLimit);
    return data;
  };
  const splits: RunData['splits'][number][] = [];
  if (config.evalData !== 'auto') {
    splits.push(await store('heldout', config.evalData, [readSamples(config.evalData)]));
  } else if (config.data !== 'builtin') {
    const samples = held.map(({ sample }) => sample);
    if (samples.length > 0) splits.push(await store('heldout', config.data, [samples]));
  } else {
    for (const split of EVALUATION_SPLITS) {
      const tasks = builtinEvaluation({ seed: config.seed, size: config.evalSize, split });
      splits.push(await store(split, config.data, [tasks]));
    }
  }
  if (config.evalSuite !== 'none') {
    const files = await suiteFiles(config.evalSuite);
    splits.push(await store(SUITE_SPLIT, config.evalSuite, files.map(readSamples)));
  }
  return { train, splits };
}

/** Contents that are remembered at first, for each sample to hold out, while a file is read for which they are. */
const CANDIDATES = 8;

/** Whether a sample of the training data is kept from training to evaluate on. A file is read once more for it, or more often if it repeats itself. */
async function heldOutTest(config: RunConfig): Promise<(sample: Sample) => boolean> {
  if (config.data === 'builtin' || config.evalData !== 'auto') return () => false;
  const { seed, evalSize: size } = config;
  for (let candidates = CANDIDATES * size; ; candidates *= CANDIDATES) {
    const draw = new HeldOutDraw({ seed, size, candidates });
    for await (const item of readSamples(config.data)) {
      if (!isRejected(item)) draw.add(contentKey(item));
    }
    const held = draw.held();
    if (held !== null) return (sample) => held.has(contentKey(sample));
  }
}

async function* without(
  samples: AsyncIterable<IngestedSample>,
  isHeldOut: (sample: Sample) => boolean,
  hold: (sample: IngestedSample) => void,
): AsyncGenerator<IngestedSample> {
  for await (const each of samples) {
    if (isHeldOut(each.sample)) hold(each);
    else yield each;
  }
}

function requireSamples({ samples, source, leftOut }: StoredData, promptLimit: number): void {
  if (samples > 0) return;
  const { rows, rejectedRows, overlongPrompts, examples } = leftOut;
  const [example] = examples;
  throw new ToolsampleError(
    'dataset',
    `none of the ${rows} rows can be used: ${rejectedRows} are not well-formed, ${overlongPrompts} have prompts of more than ${promptLimit} tokens` +
      (example === undefined ? '' : `; e.g. row ${example.row}: ${example.reason}`),
    {
      at: { file: source },
      hint: 'raise max_prompt_length, or use a policy with a longer context',
    },
  );
}
