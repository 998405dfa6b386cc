import { mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ToolsampleError } from '../../contracts/errors.ts';
import { hashSeed, seededRandom } from '../../contracts/hash.ts';
import { importPolicyFolder } from '../../policy/checkpoint/import-policy.ts';
import { safetensorsBytes } from '../../policy/checkpoint/safetensors.ts';
import { createPolicyEngine } from '../../policy/engine/create-policy-engine.ts';
import {
  readMicroGradients,
  writeMicroGradients,
} from '../../policy/engine/micro-gradient-files.ts';
import { onCpu } from '../../policy/graph/session.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import { totalElements } from '../../policy/models/model-traits.ts';
import { MICRO_BATCH_NUMBERS, type MicroGradient } from '../../policy/training/gradient-shards.ts';
import { createTrainer, type Trainer } from '../../policy/training/trainer.ts';
import { trainableSpecs, trainingModel } from '../../policy/training/training-graph.ts';
import { openFolderStore } from '../../services/artifacts/folder-store.ts';
import { TINY, writeTinyPolicy } from './support/tiny-policy.ts';
import { LORA, OBJECTIVE, OPTIMIZER } from './support/training-options.ts';

const SIZE = totalElements(trainableSpecs(trainingModel(TINY.traits, LORA)));
const CLIPPED = { ...OPTIMIZER, weightDecay: 0.01, maxGradNorm: 0.2 };
const BATCH = batch();
const WHOLE = { shard: 0, shards: 1 };

/** Prompts of their own and of very different lengths: a micro-batch each. */
function batch() {
  const random = seededRandom(hashSeed('gradient-streams'));
  const ids = (length: number): number[] =>
    Array.from({ length }, () => Math.floor(random() * 250));
  const sequences = [20, 30, 40, 50].map((length, index) => ({
    promptIds: ids(length),
    completionIds: ids(5),
    rolloutLogprobs: [-6, -6, -5, -5, -6],
    advantage: index - 1.2,
    masked: false,
  }));
  return { sequences, objective: OBJECTIVE, microBatchTokens: 60 };
}

let root: string;
const trainers: Trainer[] = [];
let trainer: Trainer;
/** Copies of the batch's gradients. */
let gradients: MicroGradient[];
/** The file of them all, written at once. */
let file: Uint8Array;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolsample-gradient-streams-'));
  trainer = await freshTrainer();
  gradients = [];
  for await (const { gradient, numbers } of (await trainer.gradientShard(BATCH, WHOLE)).micros) {
    gradients.push({ gradient: gradient.slice(), numbers: numbers.slice() });
  }
  file = safetensorsBytes(
    gradients.flatMap(({ gradient, numbers }, i) => [
      { name: `gradient.${i}`, shape: [gradient.length], data: gradient },
      { name: `numbers.${i}`, shape: [numbers.length], data: numbers },
    ]),
  );
});
afterAll(async () => {
  for (const each of trainers) await each.close();
  await rm(root, { recursive: true, force: true });
});

async function freshTrainer(): Promise<Trainer> {
  const { traits } = TINY;
  const weights = initialWeights(traits, 1);
  const made = await createTrainer({ traits, weights, trainable: LORA, runtime: onCpu(1) });
  trainers.push(made);
  return made;
}

/** All gradients one after the other in the same memory, so that who keeps one has another one's numbers. */
async function* inOneBuffer(asked: (index: number) => Promise<void> | void) {
  const shared = {
    gradient: new Float32Array(SIZE),
    numbers: new Float32Array(MICRO_BATCH_NUMBERS),
  };
  for (const [index, { gradient, numbers }] of gradients.entries()) {
    await asked(index);
    shared.gradient.set(gradient);
    shared.numbers.set(numbers);
    yield shared;
  }
  await asked(gradients.length);
}

const stateOf = (from: Trainer) =>
  structuredClone([...from.trainedTensors(), ...from.optimizerState()]);

describe('one gradient is in memory at a time', () => {
  it('computing: one is computed when it is asked for', async () => {
    expect(gradients.length).toBe(4);
    const events: string[] = [];
    const call = {
      checkAbort: () => events.push('check'),
      onTokens: () => events.push('computed'),
    };
    const shard = await trainer.gradientShard(BATCH, WHOLE, call);
    events.length = 0;
    const buffers = new Set<Float32Array>();
    for await (const { gradient } of shard.micros) {
      buffers.add(gradient);
      events.push('taken');
    }
    expect(events).toEqual(gradients.flatMap(() => ['check', 'computed', 'taken']));
    expect(buffers.size).toBe(1);
    expect(shard.microBatches).toBe(gradients.length);
  });

  it('writing: one is in the file before the next is asked for, and the bytes are those of all at once', async () => {
    const path = join(root, 'written');
    const sizes: number[] = [];
    const micros = inOneBuffer(async (index) => {
      if (index > 0) sizes.push((await stat(path)).size);
    });
    const written = await writeMicroGradients(path, gradients.length, SIZE, micros);
    const each = 4 * (SIZE + MICRO_BATCH_NUMBERS);
    expect(sizes).toEqual([3, 2, 1, 0].map((missing) => file.length - missing * each));
    expect(written.bytes).toBe(file.length);
    expect(Buffer.compare(await readFile(path), file)).toBe(0);
    // What the trainer computes in place, too.
    const { micros: live } = await trainer.gradientShard(BATCH, WHOLE);
    const again = await writeMicroGradients(join(root, 'live'), gradients.length, SIZE, live);
    expect(again).toEqual(written);
  });

  it('reading: one is read when it is asked for', async () => {
    const path = join(root, 'read');
    await writeMicroGradients(
      path,
      4,
      SIZE,
      inOneBuffer(() => undefined),
    );
    const read = readMicroGradients([{ path, microBatches: 4 }], SIZE);
    expect((await read.next()).value).toEqual(gradients[0]);
    const replaced = new Float32Array(SIZE + MICRO_BATCH_NUMBERS).fill(0.5);
    const handle = await open(path, 'r+');
    await handle.write(replaced, 0, replaced.byteLength, file.length - replaced.byteLength);
    await handle.close();
    expect((await read.next()).value).toEqual(gradients[1]);
    expect((await read.next()).value).toEqual(gradients[2]);
    expect((await read.next()).value).toEqual({
      gradient: replaced.subarray(MICRO_BATCH_NUMBERS),
      numbers: replaced.subarray(0, MICRO_BATCH_NUMBERS),
    });
    expect((await read.next()).done).toBe(true);
  });

  it('adding up: one is added before the next is asked for, to the bits of one worker', async () => {
    const alone = await freshTrainer();
    const adding = await freshTrainer();
    const whole = await alone.gradientStep({ ...BATCH, optimizer: CLIPPED });
    const micros = inOneBuffer(() => undefined);
    expect(await adding.applyShards(micros, BATCH.objective, CLIPPED)).toEqual(whole);
    expect(stateOf(adding)).toEqual(stateOf(alone));
  });
});

describe('what breaks off', () => {
  it('leaves parameters and optimiser as they were when a later file is missing', async () => {
    const [good, missing] = [join(root, 'good'), join(root, 'missing')];
    await writeMicroGradients(
      good,
      4,
      SIZE,
      inOneBuffer(() => undefined),
    );
    const [adding, untouched] = [await freshTrainer(), await freshTrainer()];
    const files = [good, missing].map((path) => ({ path, microBatches: 4 }));
    await expect(
      adding.applyShards(readMicroGradients(files, SIZE), BATCH.objective, CLIPPED),
    ).rejects.toMatchObject({ code: 'not-found' });
    expect(stateOf(adding)).toEqual(stateOf(untouched));
    // Nor is anything left of the sum.
    for (const each of [adding, untouched]) {
      await each.applyShards(
        inOneBuffer(() => undefined),
        BATCH.objective,
        CLIPPED,
      );
    }
    expect(stateOf(adding)).toEqual(stateOf(untouched));
  });

  it('stops writing where the computation stops', async () => {
    let checks = 0;
    const stop = new Error('stop');
    const checkAbort = (): void => {
      // Each micro-batch is prepared first.
      if (++checks > gradients.length + 2) throw stop;
    };
    const { micros, microBatches } = await trainer.gradientShard(BATCH, WHOLE, { checkAbort });
    await expect(writeMicroGradients(join(root, 'half'), microBatches, SIZE, micros)).rejects.toBe(
      stop,
    );
    const half = { path: join(root, 'half'), microBatches };
    expect((await stat(half.path)).size).toBe(file.length - 2 * 4 * (SIZE + MICRO_BATCH_NUMBERS));
    // Should anybody take it for whole.
    await expect(readMicroGradients([half], SIZE).next()).rejects.toThrow(ToolsampleError);
  });

  it.each([3, 5])('refuses %d gradients where the header speaks of 4', async (count) => {
    const path = join(root, `count-${count}`);
    const micros = async function* (): AsyncGenerator<MicroGradient> {
      for (let i = 0; i < count; i++) yield gradients[0]!;
    };
    await expect(writeMicroGradients(path, 4, SIZE, micros())).rejects.toThrow('not 4 gradients');
  });

  it('leaves no file behind in an engine', async () => {
    const temporary = join(root, 'tmp');
    const artifacts = await openFolderStore({ artifacts: join(root, 'artifacts'), temporary });
    await writeTinyPolicy(join(root, 'policy'));
    const policy = await importPolicyFolder(join(root, 'policy'), artifacts);
    const engine = createPolicyEngine({ artifacts, threads: 1 });
    try {
      const stored = await readdir(join(root, 'artifacts'), { recursive: true });
      const sequences = BATCH.sequences.map((each, index) =>
        index === 3 ? { ...each, advantage: Infinity } : each,
      );
      const progress: number[] = [];
      await expect(
        engine.gradientShard(
          { ...BATCH, ...WHOLE, sequences, policy, trainable: LORA },
          { onProgress: ({ done }) => progress.push(done) },
        ),
      ).rejects.toMatchObject({ code: 'non-finite' });
      expect(progress.length).toBeGreaterThan(0);
      expect(await readdir(temporary)).toEqual([]);
      expect(await readdir(join(root, 'artifacts'), { recursive: true })).toEqual(stored);
    } finally {
      await engine.close();
    }
  });
});
