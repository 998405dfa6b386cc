import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker, type WorkflowBundle } from '@temporalio/worker';

/** A folder for each recording: `<recording>/<name>.json`. Recordings are added, never changed. */
const FOLDER = new URL('../fixtures/histories/', import.meta.url);

/** A history that a server recorded of an execution. */
export interface RecordedHistory {
  /** `<recording>/<name>`. */
  readonly name: string;
  readonly workflowType: string;
  /** A child's id is part of what replay compares. */
  readonly workflowId: string;
  readonly history: unknown;
}

/** What every history begins with. */
interface History {
  readonly events: readonly {
    readonly workflowExecutionStartedEventAttributes?: {
      readonly workflowType: { readonly name: string };
      readonly workflowId: string;
    };
  }[];
}

/** The recordings that exist. */
export async function recordings(): Promise<string[]> {
  return (await readdir(FOLDER)).sort();
}

/** The histories of all recordings, oldest first. */
export async function recordedHistories(): Promise<RecordedHistory[]> {
  const found: RecordedHistory[] = [];
  for (const recording of await recordings()) {
    for (const file of (await readdir(new URL(`${recording}/`, FOLDER))).sort()) {
      const text = await readFile(new URL(`${recording}/${file}`, FOLDER), 'utf8');
      found.push(parseHistory(`${recording}/${file.replace(/\.json$/, '')}`, text));
    }
  }
  return found;
}

export function parseHistory(name: string, text: string): RecordedHistory {
  const history = JSON.parse(text) as History;
  const started = history.events[0]?.workflowExecutionStartedEventAttributes;
  if (started === undefined) throw new Error(`${name} does not begin with the start of a workflow`);
  return { name, workflowType: started.workflowType.name, workflowId: started.workflowId, history };
}

/**
 * Writes the history of a workflow, as far as it has come, into a recording.
 *
 * @param runId - Of an execution that has continued as new; default: the last one.
 */
export async function recordHistory(
  client: Client,
  workflowId: string,
  recording: string,
  name: string,
  runId?: string,
): Promise<void> {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  // Stack traces name the recording machine's paths; replay does not look at them.
  const text = JSON.stringify(
    JSON.parse(historyToJSON(history)),
    (key, value: unknown) => (key === 'stackTrace' ? '' : value),
    1,
  );
  const folder = new URL(`${recording}/`, FOLDER);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${name}.json`, folder), `${text}\n`);
}

/** Replays a history. @throws Error naming the workflow when its code no longer does what the history says it did */
export async function replay(
  workflowBundle: WorkflowBundle,
  { name, workflowType, workflowId, history }: RecordedHistory,
): Promise<void> {
  try {
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
  } catch (cause) {
    throw new Error(
      `${workflowType} has changed in a way that breaks runs under way: it does not replay ${name} ` +
        `(${cause instanceof Error ? cause.message : String(cause)}). Put the change behind patched(), see docs/operating.md.`,
      { cause },
    );
  }
}
