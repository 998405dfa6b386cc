import { join } from 'node:path';
import type { RunConfig } from '../contracts/config.ts';
import { createPolicyEngine } from '../policy/engine/create-policy-engine.ts';
import { openFolderStore } from '../services/artifacts/folder-store.ts';
import { median, repeat, type Patience } from './measure.ts';
import { runPlainly, type PlainDependencies } from './plain-run.ts';
import { runProduct, startScratchProduct, type ScratchProduct } from './product-run.ts';
import { simpleRow, type BenchRow } from './row.ts';

/** A run through the product and the same run without Temporal and Postgres. */
export interface ComparedRun {
  readonly seed: number;
  readonly productSeconds: number;
  readonly plainSeconds: number;
  readonly productSha256: string;
  readonly plainSha256: string;
  /** Steps that changed the policy. */
  readonly updates: number;
}

export interface OrchestrationResult {
  readonly rows: readonly BenchRow[];
  readonly runs: readonly ComparedRun[];
}

/**
 * Runs of a configuration through the product (client, worker process, embedded services) and through a plain loop, in turn,
 * which of them is first changing from round to round, each round with a seed of its own. Both are warm: a run of one step
 * comes before.
 */
export async function measureOrchestration(
  config: RunConfig,
  patience: Patience,
  log: (message: string) => void,
): Promise<OrchestrationResult> {
  const product = await startScratchProduct(log);
  const interrupted = (): void => {
    void product.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    return await withPlainParts(product.folder, config, async (plain) => {
      const first = await compare(product, plain, { ...config, maxSteps: 1 }, 'warm-up');
      const runs: ComparedRun[] = [];
      await repeat(patience, async (round) => {
        const seed = config.seed + round;
        const order = round % 2 === 0 ? 'product first' : 'plain first';
        log(`orchestration: seed ${seed}, ${order}`);
        runs.push(await compare(product, plain, { ...config, seed }, `seed-${seed}`, order));
      });
      return { rows: rowsOf(config, product.startSeconds, runs), runs: [first, ...runs] };
    });
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await product.close();
  }
}

async function withPlainParts<T>(
  folder: string,
  { threads, device }: RunConfig,
  work: (plain: PlainDependencies) => Promise<T>,
): Promise<T> {
  const artifacts = await openFolderStore({
    artifacts: join(folder, 'plain', 'artifacts'),
    temporary: join(folder, 'plain', 'tmp'),
  });
  const engine = createPolicyEngine({ artifacts, threads, device });
  try {
    return await work({ engine, artifacts, folder: join(folder, 'plain') });
  } finally {
    await engine.close();
  }
}

async function compare(
  product: ScratchProduct,
  plain: PlainDependencies,
  config: RunConfig,
  name: string,
  order: 'product first' | 'plain first' = 'product first',
): Promise<ComparedRun> {
  const runPlain = async () => {
    const started = performance.now();
    const { policySha256 } = await runPlainly(config, plain);
    return { policySha256, seconds: (performance.now() - started) / 1000 };
  };
  const early = order === 'plain first' ? await runPlain() : null;
  const durable = await runProduct(product, config, name);
  const bare = early ?? (await runPlain());
  return {
    seed: config.seed,
    productSeconds: durable.seconds,
    plainSeconds: bare.seconds,
    productSha256: durable.policySha256,
    plainSha256: bare.policySha256,
    updates: durable.updates,
  };
}

function rowsOf(config: RunConfig, startSeconds: number, runs: readonly ComparedRun[]): BenchRow[] {
  const product = median(runs.map(({ productSeconds }) => productSeconds));
  const plain = median(runs.map(({ plainSeconds }) => plainSeconds));
  const shares = runs.map((run) => 1 - run.plainSeconds / run.productSeconds);
  const model = config.policy;
  return [
    simpleRow({
      work: `default run, ${config.maxSteps} steps`,
      model,
      value: product,
      unit: 's',
      limit: plain,
      share: median(shares),
      repeats: runs.length,
    }),
    simpleRow({ work: 'services up, once', model: '', value: startSeconds, unit: 's' }),
  ];
}
