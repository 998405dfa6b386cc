import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withClient } from '../../services/postgres/connection.ts';
import { rowsOfRun } from './run-rows.ts';

/** All that a run leaves behind, but for clocks and its name. */
export interface Outcome {
  /** SHA-256 of the exported model.safetensors. */
  readonly weights: string;
  /** Rows of every table, as text in a fixed order: curriculum, sampling order, statistics, rollouts, … */
  readonly rows: ReadonlyMap<string, readonly string[]>;
}

/** @throws Error when the exported policy is not the one that the run's row names */
export async function outcomeOf(databaseUrl: string, home: string, run: string): Promise<Outcome> {
  const { rows: found } = await withClient(databaseUrl, async (client) =>
    client.query<{ folder: string; sha256: string }>(
      'select policy_folder as folder, policy_sha256 as sha256 from runs where run = $1',
      [run],
    ),
  );
  const { folder = '', sha256 = '' } = found[0] ?? {};
  const bytes = await readFile(join(folder, 'model.safetensors'));
  const weights = createHash('sha256').update(bytes).digest('hex');
  if (weights !== sha256)
    throw new Error(`${folder} holds ${weights}, the run's row says ${sha256}`);
  return { weights, rows: await rowsOfRun(databaseUrl, home, run) };
}

/** Where two outcomes differ, a line each; empty when they are the same. */
export function differences(expected: Outcome, found: Outcome): string[] {
  const lines: string[] = [];
  if (found.weights !== expected.weights)
    lines.push(`weights: ${found.weights} instead of ${expected.weights}`);
  for (const table of new Set([...expected.rows.keys(), ...found.rows.keys()])) {
    const wanted = expected.rows.get(table) ?? [];
    const there = found.rows.get(table) ?? [];
    const index = wanted.findIndex((row, i) => row !== there[i]);
    if (index < 0 && wanted.length === there.length) continue;
    const at = index < 0 ? wanted.length : index;
    lines.push(
      `${table}: ${there.length} rows, expected ${wanted.length}; first difference: ` +
        `${brief(there[at])} instead of ${brief(wanted[at])}`,
    );
  }
  return lines;
}

function brief(row: string | undefined): string {
  return row === undefined ? 'none' : row.slice(0, 400);
}
