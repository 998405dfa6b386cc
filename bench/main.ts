import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { resolveConfig } from '../services/configuration/resolve.ts';
import { measureEngine } from './engine-section.ts';
import { findPeers, noPeers } from './find-peers.ts';
import { describeMachine } from './machine.ts';
import { readOptions, SECTIONS, type BenchOptions, type Section } from './options.ts';
import { measureOrchestration } from './orchestration.ts';
import { comparisonLines, resultTable, sameWork } from './report.ts';
import type { BenchRow } from './row.ts';
import { withScratchFolder } from './scratch-folder.ts';
import { measureServing } from './serving.ts';

/** Sections that are not about the engine alone. */
const WHOLE: ReadonlySet<Section> = new Set(['orchestration', 'serving']);

/** Seconds after which no further pair of runs is begun. */
const RUNS_BUDGET = 120;

/** The built-in run where its policy is there, else the same with random weights. */
function benchConfig(steps: number): RunConfig {
  const shipped = existsSync(fileURLToPath(new URL('../assets/policy', import.meta.url)));
  return resolveConfig({
    policy: shipped ? 'builtin' : 'random',
    maxSteps: steps,
    // Evaluations before and after cannot be switched off; a sample each leaves nothing of them.
    evalSchedule: 'none',
    evalSize: 1,
  });
}

/**
 * Prints the table of all that was measured, also when something failed on the way: the JSON file is written after each piece of
 * work, and the table at the end.
 * @returns whether the compared runs ended in the same weights
 */
async function bench(options: BenchOptions): Promise<boolean> {
  const { sections, json } = options;
  for (const line of describeMachine()) console.log(line);
  const rows: BenchRow[] = [];
  const onRows = async (more: readonly BenchRow[]): Promise<void> => {
    rows.push(...more);
    if (json !== undefined) await writeFile(json, `${JSON.stringify(rows, null, 2)}\n`);
  };
  const config = benchConfig(options.steps);
  try {
    if (SECTIONS.some((section) => !WHOLE.has(section) && sections.has(section))) {
      await benchEngine(options, config, onRows);
    }
    if (sections.has('serving')) {
      const patience = { repeats: options.repeats, budgetSeconds: RUNS_BUDGET };
      await onRows(await measureServing(config, patience, console.error));
    }
    return !sections.has('orchestration') || (await benchOrchestration(options, config, onRows));
  } finally {
    console.log('');
    for (const line of resultTable(rows)) console.log(line);
  }
}

type OnRows = (rows: readonly BenchRow[]) => Promise<void>;

async function benchEngine(
  options: BenchOptions,
  config: RunConfig,
  onRows: OnRows,
): Promise<void> {
  const { repeats, minutes } = options;
  const peers = options.peers ? await findPeers(config.threads) : noPeers('not wanted');
  for (const line of peers.lines) console.log(line);
  const patience = { repeats, budgetSeconds: 60 * minutes };
  await withScratchFolder((scratch) =>
    measureEngine({ ...options, config, patience, peers, scratch, onRows, log: console.error }),
  );
}

async function benchOrchestration(
  { repeats }: BenchOptions,
  config: RunConfig,
  onRows: OnRows,
): Promise<boolean> {
  const patience = { repeats, budgetSeconds: RUNS_BUDGET };
  const { rows, runs } = await measureOrchestration(config, patience, console.error);
  await onRows(rows);
  for (const line of comparisonLines(runs)) console.log(line);
  return runs.every(sameWork);
}

try {
  process.exitCode = (await bench(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  console.error(error instanceof ToolsampleError ? error.message : error);
  process.exitCode = error instanceof ToolsampleError && error.code === 'config' ? 2 : 1;
}
