import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunConfig } from '../contracts/config.ts';
import { openArtifactStore } from '../services/artifact-store.ts';
import {
  FULL,
  gradientStepSpeed,
  samplingSpeed,
  supervisedSpeed,
  type EngineBench,
} from './engine-speed.ts';
import type { Patience } from './measure.ts';
import { policyOfRun, smolLm2Shape } from './models.ts';
import type { Section } from './options.ts';
import { openRoofline, ROOFLINE_SIZE } from './roofline.ts';
import type { BenchRow } from './row.ts';

/** The machine's roofline, and how fast the engine samples and trains. */
export async function measureEngine(
  config: RunConfig,
  sections: ReadonlySet<Section>,
  patience: Patience,
  log: (message: string) => void,
): Promise<BenchRow[]> {
  log('roofline');
  const roofline = await openRoofline(config.threads);
  try {
    await roofline.measure();
    const bench = { roofline, patience, config, log };
    const rows = [
      ...(sections.has('default') ? await defaultPolicy(bench) : []),
      ...(sections.has('smollm2') ? await smolLm2(bench) : []),
    ];
    const { measured } = roofline;
    const work = `MatMul ${ROOFLINE_SIZE}³ fp32, best of ${measured.length}`;
    const value = Math.max(...measured);
    return [{ work, model: '', value, unit: 'GFLOP/s', limit: null, share: null }, ...rows];
  } finally {
    await roofline.close();
  }
}

/** A step of the default run: its prompts sampled, its completions trained on. */
async function defaultPolicy(bench: EngineBench): Promise<BenchRow[]> {
  const { config } = bench;
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-bench-'));
  try {
    const store = await openArtifactStore({
      artifacts: join(folder, 'artifacts'),
      temporary: join(folder, 'tmp'),
    });
    const model = await policyOfRun(config, store);
    const { row, generated } = await samplingSpeed(bench, model, config.numGenerations, {
      temperature: config.temperature,
      topP: config.topP,
      maxNewTokens: config.maxCompletionLength,
    });
    return [row, await gradientStepSpeed(bench, model, generated)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function smolLm2(bench: EngineBench): Promise<BenchRow[]> {
  const model = smolLm2Shape({ prompts: 8, promptTokens: 256 });
  const sampling = { temperature: 1, topP: 1, maxNewTokens: 32 };
  const { row } = await samplingSpeed(bench, model, 8, sampling);
  const batch = { rows: 4, length: 256 };
  const lora = { mode: 'lora', loraRank: 8, loraAlpha: 16, seed: 0 } as const;
  return [
    row,
    await supervisedSpeed(bench, model, batch, FULL),
    await supervisedSpeed(bench, model, batch, lora),
  ];
}
