import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { connect } from '../db/connection.ts';
import { resolveConfig } from '../services/configuration/resolve.ts';
import { growthTable, verdicts } from './growth-report.ts';
import { growthSampler, type GrowthSample } from './growth-samples.ts';
import { startScratchProduct } from './product-run.ts';

/*
 * A long run of the smallest policy, to see what grows: `npm run endurance -- --steps N [--json FILE] [--save-epochs N]`. The full
 * one has 20,000 steps.
 */

const SAMPLES = 40;
/** Evaluations in between grow with the run too. */
const EVALUATIONS = 20;

async function endure(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '300' },
      json: { type: 'string' },
      'save-epochs': { type: 'string', default: '-1' },
    },
  });
  const steps = Number(values.steps);
  if (!Number.isSafeInteger(steps) || steps < SAMPLES) {
    throw new RangeError(`--steps is a whole number, at least ${SAMPLES}`);
  }
  const config = resolveConfig({
    policy: 'random',
    randomPolicy: { hiddenSize: 16, layers: 1, heads: 1, keyValueHeads: 1, intermediateSize: 16 },
    corpusSize: 128,
    evalSize: 4,
    evalSchedule: Math.ceil(steps / EVALUATIONS),
    numTrainEpochs: steps,
    maxSteps: steps,
    trainBatchSize: 4,
    numGenerations: 2,
    maxCompletionLength: 8,
    maskTruncatedCompletions: false,
    filterGroups: false,
    oversample: 1,
    threads: 1,
    saveEpochs: Number(values['save-epochs']),
  });
  const product = await startScratchProduct(console.error);
  const interrupted = (): void => {
    void product.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  const { client } = product;
  const database = connect(client.services.databaseUrl, { connections: 1 });
  try {
    const { run } = await client.startRun({ run: 'endurance', config: { ...config } });
    const sampler = growthSampler(product, database.pool, run);
    const samples: GrowthSample[] = [];
    const every = Math.max(1, Math.floor(steps / SAMPLES));
    for (let next = every; ;) {
      const { state, step, reason } = await client.status(run).catch(() => UNPREPARED);
      if (step >= next) {
        samples.push(await sampler(step));
        console.error(growthTable(samples.slice(-1)).at(-1));
        if (values.json !== undefined) await writeFile(values.json, JSON.stringify(samples));
        while (next <= step) next += every;
      }
      if (state === 'completed') break;
      if (state !== 'running') throw new Error(`the run ended ${state}: ${reason ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
    }
    for (const line of growthTable(samples)) console.log(line);
    console.log('');
    const found = verdicts(samples);
    for (const { ok, text } of found) console.log(`${ok ? 'ok    ' : 'FAILED'}  ${text}`);
    return found.every(({ ok }) => ok);
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await database.close();
    await product.close();
  }
}

const POLL_MILLISECONDS = 500;
const UNPREPARED = { state: 'running', step: 0, reason: null } as const;

try {
  process.exitCode = (await endure()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}
