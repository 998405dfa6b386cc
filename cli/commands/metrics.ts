import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ToolsampleError } from '../../contracts/errors.ts';
import type { MetricsFormat, RunMetrics } from '../../contracts/metrics.ts';
import { csvText } from '../../dashboard/model/csv.ts';
import { flatRecord, jsonLines, metricsRecords } from '../../metrics/records.ts';
import { EVENT_FILE, tensorboardEvents } from '../../metrics/tensorboard-events.ts';
import { openRuns } from '../../client/run-reader.ts';
import { fileError, replaceFile } from '../../services/durable-file.ts';
import { checkOutputFile } from '../output-place.ts';
import type { CommandContext } from '../program.ts';
import { counted, fileSize } from '../render/text.ts';
import { findRunId } from '../run-reference.ts';

export interface MetricsOptions {
  readonly format: MetricsFormat;
  /** A file, or TensorBoard's folder of the run; undefined: standard output. */
  readonly output: string | undefined;
}

/** `toolsample metrics RUN`: the numbers of a run's steps and evaluations, for other programs. */
export async function exportMetrics(
  { terminal, home, json }: CommandContext,
  reference: string,
  { format, output }: MetricsOptions,
): Promise<void> {
  const file = await place(format, output);
  const metrics = await read(home, reference, (message) => terminal.note(message));
  if (file === null) {
    const text = json
      ? JSON.stringify(metricsRecords(metrics), null, 2)
      : String(content(metrics, format)).replace(/\r?\n$/, '');
    if (text !== '') terminal.print(text);
    return;
  }
  const bytes = Buffer.from(content(metrics, format));
  replaceFile(file, bytes, 0o644);
  const { run, steps, evaluations } = metrics;
  const written = { run, file, format, bytes: bytes.length };
  terminal.print(
    json
      ? JSON.stringify(
          { ...written, steps: steps.length, evaluations: evaluations.length },
          null,
          2,
        )
      : `${file} (${fileSize(bytes.length)}): ${counted(steps.length, 'step')} and ${counted(evaluations.length, 'evaluation')} of ${run}`,
  );
}

/** The file to write; null: none. */
async function place(format: MetricsFormat, output: string | undefined): Promise<string | null> {
  if (output === undefined) {
    if (format !== 'tensorboard') return null;
    throw new ToolsampleError('config', 'TensorBoard reads a folder, and none is given', {
      at: { field: '--output' },
      hint: 'name one for this run: -o tensorboard/RUN, then `tensorboard --logdir tensorboard`',
    });
  }
  const file = resolve(format === 'tensorboard' ? join(output, EVENT_FILE) : output);
  if (format === 'tensorboard') makeFolder(dirname(file));
  await checkOutputFile(file);
  return file;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const taken = ['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!taken) throw fileError(error, folder, 'cannot make the folder');
    throw new ToolsampleError('config', 'is no folder', {
      at: { file: folder },
      hint: 'choose another name with -o',
      cause: error,
    });
  }
}

async function read(
  home: string,
  reference: string,
  log: (message: string) => void,
): Promise<RunMetrics> {
  const reader = await openRuns({ home, log });
  try {
    return await reader.metrics(findRunId(reference, await reader.runIds()));
  } finally {
    await reader.close();
  }
}

function content(metrics: RunMetrics, format: MetricsFormat): string | Uint8Array {
  if (format === 'tensorboard') return tensorboardEvents(metrics);
  const records = metricsRecords(metrics);
  return format === 'jsonl' ? jsonLines(records) : csvText(records.map(flatRecord));
}
