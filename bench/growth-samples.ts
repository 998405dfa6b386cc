import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { Pool } from 'pg';
import { storedFiles } from '../services/artifacts/folder-sweep.ts';
import type { ScratchProduct } from './product-run.ts';

/** What a run occupies after a step; sizes in bytes. */
export interface GrowthSample {
  readonly step: number;
  /** Since the first sample was taken. */
  readonly seconds: number;
  /** Resident memory of the worker process. */
  readonly workerMemory: number;
  /** Of that, what the process has allocated: files that it has mapped come and go as the system likes. */
  readonly workerAllocated: number;
  /** The longest history of an execution of the run's workflows, in events. */
  readonly longestHistory: number;
  /** The largest, in bytes. */
  readonly largestHistory: number;
  /** Executions of the run's workflows so far, those included that continued as new. */
  readonly executions: number;
  /** The database of the Temporal dev server. */
  readonly temporal: number;
  readonly postgres: number;
  /** The largest tables with their indexes. */
  readonly tables: { readonly [table: string]: number };
  readonly artifacts: number;
  readonly artifactFiles: number;
}

/** Takes samples of a run under way. Linux only: memory is read from /proc. */
export function growthSampler(
  { client, workerPid }: ScratchProduct,
  pool: Pool,
  run: string,
): (step: number) => Promise<GrowthSample> {
  const { folder, temporal } = client.services;
  let started: number | undefined;
  return async (step) => {
    started ??= performance.now();
    const connection = await Connection.connect(temporal.connection);
    try {
      return {
        step,
        seconds: (performance.now() - started) / 1000,
        ...(await memoryOf(workerPid())),
        ...(await histories(new Client({ connection, namespace: temporal.namespace }), run)),
        temporal: await folderSize(folder.temporal),
        ...(await databaseSizes(pool)),
        ...(await artifactSizes(folder.artifacts)),
      };
    } finally {
      await connection.close();
    }
  };
}

async function memoryOf(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024;
  return { workerMemory: bytes('VmRSS'), workerAllocated: bytes('RssAnon') };
}

/** Of the run's own workflow and of those of its epochs, as visibility knows them; of what runs now, as it is. */
async function histories({ workflow }: Client, run: string) {
  let longestHistory = 0;
  let largestHistory = 0;
  let executions = 0;
  for await (const each of workflow.list({
    query: `WorkflowId = '${run}' or WorkflowId STARTS_WITH '${run}/'`,
  })) {
    const now =
      each.status.name === 'RUNNING'
        ? await workflow.getHandle(each.workflowId, each.runId).describe()
        : each;
    longestHistory = Math.max(longestHistory, now.historyLength);
    largestHistory = Math.max(largestHistory, now.historySize ?? 0);
    executions++;
  }
  return { longestHistory, largestHistory, executions };
}

async function databaseSizes(pool: Pool) {
  const all = await pool.query<{ bytes: string }>(
    'select pg_database_size(current_database()) as bytes',
  );
  const { rows } = await pool.query<{ name: string; bytes: string }>(`
    select relname as name, pg_total_relation_size(oid) as bytes from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace order by 2 desc limit 8`);
  return {
    postgres: Number(all.rows[0]?.bytes),
    tables: Object.fromEntries(rows.map(({ name, bytes }) => [name, Number(bytes)])),
  };
}

async function artifactSizes(folder: string) {
  let artifacts = 0;
  let artifactFiles = 0;
  for await (const { bytes } of storedFiles(folder)) {
    artifacts += bytes;
    artifactFiles++;
  }
  return { artifacts, artifactFiles };
}

async function folderSize(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const found = await stat(join(folder, name)).catch(() => null);
    bytes += found?.isFile() === true ? found.size : 0;
  }
  return bytes;
}
