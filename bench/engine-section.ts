import { join } from 'node:path';
import type { RunConfig } from '../contracts/config.ts';
import type { GeneratedCompletion } from '../contracts/policy.ts';
import { openFolderStore } from '../services/artifacts/folder-store.ts';
import {
  checkpointDecoding,
  checkpointSampling,
  checkpointStep,
  checkpointTraining,
} from './checkpoint-tasks.ts';
import { gradientStepTask, samplingTask } from './engine-speed.ts';
import type { Peers } from './find-peers.ts';
import { measureInTurn, type Task } from './in-turn.ts';
import type { Patience } from './measure.ts';
import { createModelFolders } from './model-folder.ts';
import { modelInFolder, policyOfRun, smolLm2Shape } from './models.ts';
import type { Section } from './options.ts';
import { openRoofline, ROOFLINE_SIZE } from './roofline.ts';
import { simpleRow, type BenchRow } from './row.ts';
import type { TaskParts } from './task-parts.ts';
import { tinySampling, tinyTraining } from './tiny-tasks.ts';

/** How the engine is measured. */
export interface EngineOptions {
  /** Objective, optimiser, threads and budgets of the measured calls. */
  readonly config: RunConfig;
  readonly sections: ReadonlySet<Section>;
  readonly patience: Patience;
  readonly peers: Peers;
  /** HF folder of the larger policy; undefined: SmolLM2-135M's shape with random weights. */
  readonly model: string | undefined;
  /** A folder for models, artifacts and the peers' files. */
  readonly scratch: string;
  readonly log: (message: string) => void;
  /** Receives rows as soon as they are there. */
  readonly onRows: (rows: readonly BenchRow[]) => Promise<void>;
}

/** The machine's roofline, and how fast the engine samples and trains, alone and against its peers. */
export async function measureEngine(options: EngineOptions): Promise<void> {
  const { config, sections, patience, log, onRows } = options;
  log('roofline');
  const roofline = await openRoofline(config.threads);
  try {
    await roofline.measure();
    const measure = async (task: Task): Promise<void> =>
      onRows(await measureInTurn(task, { roofline, patience, log }));
    const parts = { ...options, folderOf: createModelFolders(options.scratch) };
    if (sections.has('default')) await defaultPolicy(parts, measure);
    await checkpoint(options, parts, measure);
    const { measured } = roofline;
    const best = Math.max(...measured);
    const work = `MatMul ${ROOFLINE_SIZE}³ fp32, best of ${measured.length}`;
    await onRows([
      simpleRow({ work, model: '', value: best, unit: 'GFLOP/s', repeats: measured.length }),
    ]);
  } finally {
    await roofline.close();
  }
}

type Measure = (task: Task) => Promise<void>;

/** A step of the default run: its prompts sampled, its completions trained on. Then its policy against the peers. */
async function defaultPolicy(parts: TaskParts, measure: Measure): Promise<void> {
  const { config, scratch } = parts;
  const store = await openFolderStore({
    artifacts: join(scratch, 'default', 'artifacts'),
    temporary: join(scratch, 'default', 'tmp'),
  });
  const model = await policyOfRun(config, store);
  const { temperature, topP, maxCompletionLength: maxNewTokens, numGenerations } = config;
  const sampling = { temperature, topP, maxNewTokens };
  let generated: readonly GeneratedCompletion[] = [];
  await measure(
    samplingTask(config, model, numGenerations, sampling, (completions) => {
      generated = completions;
    }),
  );
  await measure(gradientStepTask(config, model, generated));
  await measure(tinySampling(parts, model));
  await measure(tinyTraining(parts, model));
}

/** The larger policy: each part alone, and whole steps. */
async function checkpoint(
  { sections, model: folder }: EngineOptions,
  parts: TaskParts,
  measure: Measure,
): Promise<void> {
  const wanted = (['sampling', 'training', 'decode', 'step'] as const).filter((name) =>
    sections.has(name),
  );
  if (wanted.length === 0) return;
  const model = folder === undefined ? smolLm2Shape() : await modelInFolder(folder);
  const tasks = {
    sampling: checkpointSampling,
    training: checkpointTraining,
    decode: checkpointDecoding,
    step: checkpointStep,
  };
  for (const name of wanted) {
    for (const task of await tasks[name](parts, model)) await measure(task);
  }
}
