import { cpus } from 'node:os';
import type { RunConfigInput } from '../contracts/config.ts';
import { completedActivities } from '../test/chaos/activity-history.ts';
import { createFaultHome } from '../test/chaos/fault-home.ts';
import { median } from './measure.ts';

/*
 * `npm run bench:shards`: seconds of a gradient step of adapters, computed by one worker and shared by two, each with one thread. Between the
 * curriculum's update and the step's commit, by Temporal's clock: all that a user waits for.
 */

/** 42M parameters, of which a step trains 1.9M; 8 prompts of 8 completions that nothing ends before their limit. */
const CONFIG: RunConfigInput = {
  policy: 'random',
  random_policy: {
    hidden_size: 576,
    layers: 12,
    heads: 9,
    key_value_heads: 3,
    intermediate_size: 1536,
  },
  corpus_size: 32,
  eval_size: 2,
  eval_schedule: 'none',
  sampler: 'uniform',
  train_mode: 'lora',
  train_batch_size: 8,
  num_generations: 8,
  max_completion_length: 64,
  max_prompt_length: 96,
  mask_truncated_completions: false,
  micro_batch_tokens: 640,
  max_steps: 4,
  threads: 1,
};
/** The first step builds graphs. */
const WARM_UP = 1;

const CASES = [
  { name: 'one worker, whole', workers: 1, shards: 1 },
  { name: 'one worker, 2 shards', workers: 1, shards: 2 },
  { name: 'two workers, 2 shards', workers: 2, shards: 2 },
  { name: 'two workers, 4 shards', workers: 2, shards: 4 },
];

/** Seconds from each curriculum's update to the gradient step's end, in order. */
async function gradientSeconds(address: string, workflowId: string): Promise<number[]> {
  const seconds: number[] = [];
  let begun = 0;
  for (const { name, at } of await completedActivities(address, workflowId)) {
    if (name === 'updateCurriculum') begun = at;
    if (name === 'gradientStep') seconds.push(at - begun);
  }
  return seconds;
}

const home = await createFaultHome('bench-shards', CONFIG);
try {
  const weights = new Set<string>();
  console.log(`${cpus().length} cores of ${cpus()[0]?.model ?? 'an unknown processor'}`);
  for (const [i, { name, workers, shards }] of CASES.entries()) {
    const run = `case-${i}`;
    const started = Array.from({ length: workers }, () => home.startWorker());
    const epoch = await home.start(run, { gradient_shards: shards });
    await home.end(run);
    for (const worker of started) await worker.terminate();
    const seconds = await gradientSeconds(home.toolsample.services.temporal.address, epoch);
    weights.add((await home.outcome(run)).weights);
    const each = seconds.map((value) => value.toFixed(2)).join(', ');
    console.log(`${name}: ${median(seconds.slice(WARM_UP)).toFixed(2)} s a step (${each})`);
  }
  console.log(weights.size === 1 ? 'the same policy each time' : 'DIFFERENT POLICIES');
  process.exitCode = weights.size === 1 ? 0 : 1;
} finally {
  await home.remove();
}
