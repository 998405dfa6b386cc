import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ArtifactRef } from '../contracts/artifacts.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { hashSeed, seededRandom } from '../contracts/hash.ts';
import type { Demonstration, PolicyText } from '../contracts/policy.ts';
import { badRowLimit } from '../datasets/bad-rows.ts';
import { isRejected, readSamples } from '../datasets/dataset.ts';
import { HeldOutTasks } from '../datasets/held-out.ts';
import { samplesInOrder, splitCorpus } from '../db/corpora.ts';
import { eventsOf, recordEvent } from '../db/events.ts';
import { splitsOf, type RunRow } from '../db/runs.ts';
import { BLOCK_INDICES, BLOCK_STEPS } from './demonstration-batches.ts';
import { tokenised, type DemonstrationAt } from './demonstrations.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { corruptArtifact, decodeRagged, encodeRagged } from './ragged-lists.ts';

type Stores = Pick<ActivityDependencies, 'db' | 'artifacts'>;

/** Rows between two turns of the event loop: tokenising is all computing, and heartbeats have to get through. */
const BREATH = 16;
const PAGE = 256;

/**
 * The demonstrations of a phase that reads a file, endlessly: pass after pass, each in a seeded order of its own.
 *
 * The file is read once a run. What was read is kept as an artifact, so that every slice, on any machine and after any crash,
 * sees the same, also when the file has changed. Held-out samples are left out, and so are those that are too long; an event
 * says how many.
 *
 * @throws ToolsampleError `not-found` or `dataset` when the file cannot be used
 */
export async function fileDemonstrations(
  stores: Stores,
  run: RunRow,
  phase: number,
  seed: number,
  text: PolicyText,
): Promise<DemonstrationAt> {
  const { data, batchTokens } = run.config.warmStart[phase] ?? { data: '', batchTokens: 0 };
  const ref = await storedFile(stores, run, phase, data, text);
  const artifact = decodeRagged(await stores.artifacts.get(ref), ref.sha256);
  const completions = artifact.lists('completion_ids');
  const all = artifact.lists('prompt_ids').map((promptIds, i): Demonstration => {
    const completionIds = completions[i];
    if (completionIds === undefined) throw corruptArtifact(ref.sha256, 'completion_ids');
    return { promptIds, completionIds };
  });
  return inSeededPasses(all, seed, batchTokens);
}

/**
 * Passes over a finite list as the endless stream that blocks of batches draw from.
 *
 * @param batchTokens - Tokens of a batch on average: tells how far into the passes a block begins.
 */
export function inSeededPasses(
  all: readonly Demonstration[],
  seed: number,
  batchTokens: number,
): DemonstrationAt {
  const tokens = all.reduce((sum, { promptIds, completionIds }) => {
    return sum + promptIds.length + completionIds.length;
  }, 0);
  const blockLength = Math.max(1, Math.round((BLOCK_STEPS * batchTokens * all.length) / tokens));
  const order = new Map<number, readonly Demonstration[]>();
  const passOf = (pass: number): readonly Demonstration[] => {
    const known = order.get(pass);
    if (known !== undefined) return known;
    const random = seededRandom(hashSeed(seed, 'pass', pass));
    const shuffled = all
      .map((demonstration) => ({ demonstration, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ demonstration }) => demonstration);
    order.set(pass, shuffled);
    return shuffled;
  };
  return (index) => {
    const block = Math.floor(index / BLOCK_INDICES);
    const position = block * blockLength + (index % BLOCK_INDICES);
    return passOf(Math.floor(position / all.length))[position % all.length] ?? null;
  };
}

/** The artifact of a phase's file; the event that reports it is also where it is found again. */
async function storedFile(
  { db, artifacts }: Stores,
  run: RunRow,
  phase: number,
  file: string,
  text: PolicyText,
): Promise<ArtifactRef> {
  const event = `demonstrations/${phase + 1}`;
  const find = async (): Promise<ArtifactRef | null> => {
    const details = (await eventsOf(db, run.run)).find((each) => each.event === event)?.details;
    const { sha256, bytes } = details ?? {};
    return typeof sha256 === 'string' && typeof bytes === 'number' ? { sha256, bytes } : null;
  };
  const stored = await find();
  if (stored !== null) return stored;

  const read = await readDemonstrations({ db }, run, file, text);
  const { demonstrations, ...counts } = read;
  const ref = await artifacts.put(
    encodeRagged({
      lists: {
        prompt_ids: demonstrations.map(({ promptIds }) => promptIds),
        completion_ids: demonstrations.map(({ completionIds }) => completionIds),
      },
      integers: {},
      numbers: {},
    }),
  );
  await recordEvent(db, run.run, {
    event,
    kind: 'demonstrations',
    message:
      `warm start: ${demonstrations.length} of ${counts.rows} rows of ${basename(file)}; left out: ` +
      `${counts.rejected} not usable, ${counts.tooLong} too long, ${counts.heldOut} held out`,
    details: { phase: phase + 1, ...counts, sha256: ref.sha256, bytes: ref.bytes },
  });
  // Two attempts at once: the first one's reading counts.
  return (await find()) ?? ref;
}

interface ReadFile {
  readonly demonstrations: readonly Demonstration[];
  readonly rows: number;
  readonly rejected: number;
  readonly tooLong: number;
  readonly heldOut: number;
}

async function readDemonstrations(
  { db }: Pick<Stores, 'db'>,
  run: RunRow,
  file: string,
  text: PolicyText,
): Promise<ReadFile> {
  const held = await heldOutTasks({ db }, run.run);
  const allowBadRow = badRowLimit(run.config.maxBadRows);
  const demonstrations: Demonstration[] = [];
  let rows = 0;
  let rejected = 0;
  let tooLong = 0;
  let heldOut = 0;
  for await (const item of readSamples(file)) {
    if (++rows % BREATH === 0) await setImmediate();
    if (isRejected(item)) {
      allowBadRow(item);
      rejected++;
    } else if (held.has(item)) {
      heldOut++;
    } else {
      const found = tokenised(item, item.groundTruth, text, run.config);
      if (found === null) tooLong++;
      else demonstrations.push(found);
    }
  }
  if (demonstrations.length === 0) {
    throw new ToolsampleError(
      'dataset',
      `none of the ${rows} rows can be shown: ${rejected} are not usable, ${tooLong} are too long, ${heldOut} are held out`,
      {
        at: { file },
        hint: 'raise max_prompt_length and max_completion_length, or give more data',
      },
    );
  }
  return { demonstrations, rows, rejected, tooLong, heldOut };
}

/** What the run evaluates on must not be shown to it before. */
async function heldOutTasks({ db }: Pick<Stores, 'db'>, run: string): Promise<HeldOutTasks> {
  const tasks = new HeldOutTasks();
  for (const split of await splitsOf(db, run)) {
    const corpus = await splitCorpus(db, run, split);
    if (corpus === null) continue;
    for (let from = 0; ; from += PAGE) {
      const samples = await samplesInOrder(db, corpus, from, PAGE);
      if (samples.length === 0) break;
      for (const sample of samples) tasks.add(sample);
    }
  }
  return tasks;
}
