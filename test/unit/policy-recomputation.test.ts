import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { serialize } from '../../policy/graph/serialize.ts';
import { floats } from '../../policy/graph/session.ts';
import { createRotationTables, microBatchFeeds } from '../../policy/training/micro-batch-feeds.ts';
import { planMicroBatches } from '../../policy/training/micro-batches.ts';
import { separateRows } from '../../policy/training/packed-rows.ts';
import { buildSupervisedGraph } from '../../policy/training/supervised-loss.ts';
import { accumulatorName, PLAIN_FORM } from '../../policy/training/training-graph.ts';

const LAYERS = 4;
const TRAITS = {
  hidden: 16,
  layers: LAYERS,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  ffn: 24,
  vocab: 20,
  ropeTheta: 100,
  rmsEps: 1e-5,
  tied: true,
};
const SEQUENCES = [{ promptIds: [1, 2, 3], completionIds: [4, 5, 4, 4, 6] }];

/** The operations of a training run in the order in which ONNX Runtime ran them, by its own profile. */
async function operationsRun(recomputedLayers: number): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-profile-'));
  try {
    const graph = buildSupervisedGraph(
      { traits: TRAITS, lora: null },
      { ...PLAIN_FORM, recomputedLayers },
    );
    const session = await InferenceSession.create(serialize(graph), {
      enableProfiling: true,
      profileFilePrefix: join(folder, 'run'),
      enableMemPattern: false,
      executionMode: 'sequential',
    });
    const [micro] = planMicroBatches(SEQUENCES, separateRows(SEQUENCES), 1000);
    if (micro === undefined) throw new Error('one micro-batch is planned');
    const weights = [...initialWeights(TRAITS, 1)];
    await session.run({
      ...Object.fromEntries(weights.map(([name, { data, dims }]) => [name, floats(data, dims)])),
      ...Object.fromEntries(
        weights.map(([name, { data, dims }]) => [accumulatorName(name), floats(data, dims)]),
      ),
      ...microBatchFeeds(createRotationTables(TRAITS), micro, 1),
      weight: floats(new Float32Array(5).fill(1), [5]),
    });
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    if (file === undefined) throw new Error('no profile was written');
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
      name: string;
      args?: { op_name?: string };
    }[];
    return events
      .filter(({ name }) => name.endsWith('_kernel_time'))
      .map(({ args }) => args?.op_name ?? '');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How many weight gradients (`Gemm`) were computed after each pass through a layer (`QuickGelu`). */
function gradientsBetween(operations: readonly string[]): number[] {
  const found: number[] = [];
  for (const operation of operations) {
    if (operation === 'QuickGelu') found.push(0);
    else if (operation === 'Gemm') found[found.length - 1] = (found.at(-1) ?? 0) + 1;
  }
  return found;
}

// Seven matrices a layer, and the output layer, whose gradient comes last.
it('recomputes one layer after the other, each once its turn has come', async () => {
  expect(gradientsBetween(await operationsRun(LAYERS))).toEqual([0, 0, 0, 0, 7, 7, 7, 7 + 1]);
});

it('recomputes as many layers as are asked for', async () => {
  expect(gradientsBetween(await operationsRun(2))).toEqual([0, 0, 0, 7 + 7, 7, 7 + 1]);
  expect(gradientsBetween(await operationsRun(0))).toEqual([0, 0, 0, 4 * 7 + 1]);
});
