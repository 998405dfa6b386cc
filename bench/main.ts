import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { RunConfig } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { resolveConfig } from '../services/configuration/resolve.ts';
import { measureEngine } from './engine-section.ts';
import { describeMachine } from './machine.ts';
import { readOptions, type BenchOptions } from './options.ts';
import { measureOrchestration } from './orchestration.ts';
import { comparisonLines, resultTable, sameWork } from './report.ts';

/** Seconds within which the repetitions of one measurement begin, so that the whole ends within eight minutes. */
const ENGINE_BUDGET = 30;
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

/** @returns whether the compared runs ended in the same weights */
async function bench({ sections, repeats, steps, json }: BenchOptions): Promise<boolean> {
  for (const line of describeMachine()) console.log(line);
  const config = benchConfig(steps);
  const rows =
    sections.has('default') || sections.has('smollm2')
      ? await measureEngine(
          config,
          sections,
          { repeats, budgetSeconds: ENGINE_BUDGET },
          console.error,
        )
      : [];
  let same = true;
  if (sections.has('orchestration')) {
    const patience = { repeats, budgetSeconds: RUNS_BUDGET };
    const compared = await measureOrchestration(config, patience, console.error);
    rows.push(...compared.rows);
    same = compared.runs.every(sameWork);
    for (const line of comparisonLines(compared.runs)) console.log(line);
  }
  console.log('');
  for (const line of resultTable(rows)) console.log(line);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(rows, null, 2)}\n`);
  return same;
}

try {
  process.exitCode = (await bench(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  console.error(error instanceof ToolsampleError ? error.message : error);
  process.exitCode = error instanceof ToolsampleError && error.code === 'config' ? 2 : 1;
}
